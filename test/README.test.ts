/** What the README says in tables and numbers, held against the code. */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ModelRouteError } from "effect-modelroute"
import { answering } from "./utils/fake.js"

const readme = readFileSync("README.md", "utf8")

const rows = readme
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim())
  )

describe("the README", () => {
  it("has the table of codes as it is", () => {
    const table = rows.filter((row) => row.length === 5).map((row) => row.slice(0, 4))
    const codes = Object.entries(ModelRouteError.codes).map(([code, { retryable, status, tag }]) => [
      `\`${tag}\``,
      `\`${code}\``,
      String(status),
      retryable ? "yes" : "no"
    ])
    assert.deepStrictEqual(table, codes)
  })

  it("says of the contest for the rate limit what its picture says, which CI draws anew", () => {
    const told = rows
      .concat(
        readme
          .split("\n")
          .filter((line) => /^\| [a-z]/.test(line))
          .map((line) =>
            line
              .split("|")
              .slice(1, -1)
              .map((cell) => cell.trim())
          )
      )
      .filter((row) => row.length === 3 && / min /.test(row[2] ?? ""))
      .map(([name = "", refused, after]) => [name.replaceAll("`", ""), after, refused])
    const texts = Array.from(
      readFileSync("test/bench/limit.svg", "utf8").matchAll(/<text[^>]*>([^<]*)/g),
      ([, text]) => text
    )
    assert.lengthOf(told, 7)
    for (const row of told) {
      const at = texts.indexOf(row[0])
      assert.deepStrictEqual(texts.slice(at, at + 3), row)
    }
  })

  it.effect("names every method", () =>
    Effect.gen(function* () {
      const { apiKeys, executions, files, webhookEndpoints, ...rest } = yield* answering(() => ({ status: 200 })).client
      const groups = Object.entries({ apiKeys, executions, files, webhookEndpoints })
      const methods = groups.flatMap(([group, one]) => Object.keys(one).map((method) => `${group}.${method}`))
      const named = new Set(
        rows.flatMap(([first = ""]) => Array.from(first.matchAll(/^`([\w.]+)[`(]/g), ([, name]) => name))
      )
      assert.deepStrictEqual(
        [...methods, ...Object.keys(rest)].filter((method) => !named.has(method)),
        []
      )
      assert.isAbove(methods.length, 15)
    })
  )

  it("names every error", () => {
    const named = new Set(rows.flatMap(([first = ""]) => Array.from(first.matchAll(/`(\w+)`/g), ([, name]) => name)))
    for (const { identifier } of ModelRouteError.ModelRouteError.members) {
      assert.isTrue(named.has(identifier.replace("effect-modelroute/", "")), identifier)
    }
  })

  it("says rightly that nothing but the server of the simulator imports anything of Node", () => {
    const files = readdirSync("src", { encoding: "utf8", recursive: true }).filter((file) => file.endsWith(".ts"))
    assert.isAbove(files.length, 30)
    const tied = files.filter((file) =>
      /from "(node:|@effect\/platform-node)/.test(readFileSync(`src/${file}`, "utf8"))
    )
    assert.deepStrictEqual(tied, ["SimulatorServer.ts"])
  })
})
