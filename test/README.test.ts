/** Compares the tables and figures of the README with the code. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ModelRouteError } from "effect-modelroute"
import { makeFakeClient } from "./utils/fake.js"

const readme = readFileSync("README.md", "utf8")

const Ranges = Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), { default: () => ({}) })

const PackageJson = Schema.parseJson(
  Schema.Struct({ version: Schema.String, devDependencies: Ranges, peerDependencies: Ranges })
)

const readPackage = (path: string) => Schema.decodeSync(PackageJson)(readFileSync(path, "utf8"))

const rows = readme
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim())
  )

describe("README", () => {
  it("lists each error code of the API with its tag, status and retryable flag", () => {
    const table = rows.filter((row) => row.length === 5).map((row) => row.slice(0, 4))
    const codes = Object.entries(ModelRouteError.codes).map(([code, { retryable, status, tag }]) => [
      `\`${tag}\``,
      `\`${code}\``,
      String(status),
      retryable ? "yes" : "no"
    ])
    assert.deepStrictEqual(table, codes)
  })

  it("states the same durations and rejections as the diagram of the rate limit benchmark", () => {
    const texts = Array.from(
      readFileSync("test/bench/limit.svg", "utf8").matchAll(/<text[^>]*>([^<]*)/g),
      ([, text = ""]) => text
    )
    const clients = texts.flatMap((name, i) => {
      const [duration, rejections] = texts.slice(i + 1)
      return /^\d+ min /.test(duration ?? "") ? [{ name, duration, rejections: Number(rejections) }] : []
    })
    assert.lengthOf(clients, 7)
    const [own, ...others] = clients
    const rejected = others.map(({ rejections }) => rejections).filter((rejections) => rejections > 0)
    assert.deepStrictEqual(own, { name: "effect-modelroute", duration: "15 min 42 s", rejections: 0 })
    assert.include(readme.replaceAll("\n", " "), "effect-modelroute finishes in 15 min 42 s without a 429.")
    assert.include(
      readme.replaceAll("\n", " "),
      `Five other clients receive ${Math.min(...rejected)} to ${Math.max(...rejected)} rejections. A sixth client takes 16 min 39 s without a rejection.`
    )
    assert.lengthOf(rejected, 5)
    assert.deepStrictEqual(
      others.filter(({ rejections }) => rejections === 0).map(({ duration }) => duration),
      ["16 min 39 s"]
    )
  })

  it.effect("lists every method of the client", () =>
    Effect.gen(function* () {
      const { apiKeys, executions, files, webhookEndpoints, ...rest } = yield* makeFakeClient(() => ({ status: 200 }))
        .client
      const groups = { executions, files, webhookEndpoints, apiKeys }
      const named = rows
        .filter((row) => row.length === 2)
        .flatMap(([first = "", second = ""]) => {
          const methods = Array.from(second.matchAll(/`(\w+)`/g), ([, name]) => name)
          return Object.keys(groups).includes(first.replaceAll("`", ""))
            ? [[first.replaceAll("`", ""), methods.toSorted()]]
            : []
        })
      assert.deepStrictEqual(
        named,
        Object.entries(groups).map(([group, methods]) => [group, Object.keys(methods).toSorted()])
      )
      for (const name of Object.keys(rest)) assert.include(readme, `\`${name}\``)
    })
  )

  it("lists every error class", () => {
    const named = new Set(Array.from(readme.matchAll(/`(\w+)`/g), ([, name]) => name))
    for (const { identifier } of ModelRouteError.ModelRouteError.members) {
      assert.isTrue(named.has(identifier.replace("effect-modelroute/", "")), identifier)
    }
  })

  it("links to existing files", () => {
    const linksOf = (file: string) =>
      Array.from(readFileSync(file, "utf8").matchAll(/\]\(([^):#]+)(#[^)]*)?\)/g), ([, path = ""]) =>
        join(dirname(file), path)
      )
    const paths = ["README.md", "examples/README.md", "test/bench/README.md"].flatMap(linksOf)
    assert.isAbove(paths.length, 20)
    assert.deepStrictEqual(
      paths.filter((path) => !existsSync(path)),
      []
    )
  })

  it("VERSIONS.md states the version ranges of package.json", () => {
    const { devDependencies, peerDependencies } = readPackage("package.json")
    const stated = Array.from(
      readFileSync(".github/VERSIONS.md", "utf8").matchAll(
        /^\| `([^`]+)` +\| `([^`]+)` +\| (?:([\d.]+) and )?([\d.]+) /gm
      ),
      ([, name = "", range, oldest, latest = ""]) => ({ name, range, oldest, latest })
    )
    assert.isAbove(stated.length, 7)
    assert.includeMembers(
      stated.map(({ name }) => name),
      Object.keys(peerDependencies)
    )
    for (const { latest, name, oldest, range } of stated) {
      const peer = peerDependencies[name]
      assert.strictEqual(range, peer ?? devDependencies[name])
      // The table states one version if the oldest supported version is also the latest.
      assert.strictEqual(oldest ?? (peer === undefined ? undefined : latest), peer && /\d[\d.]*/.exec(peer)?.[0])
      assert.strictEqual(latest, readPackage(`node_modules/${name}/package.json`).version)
    }
  })

  it("is correct that only SimulatorServer imports Node APIs", () => {
    const files = readdirSync("src", { encoding: "utf8", recursive: true }).filter((file) => file.endsWith(".ts"))
    assert.isAbove(files.length, 30)
    const tied = files.filter((file) =>
      /^(?!\s*\*).*from "(node:|@effect\/platform-node)/m.test(readFileSync(`src/${file}`, "utf8"))
    )
    assert.deepStrictEqual(tied, ["SimulatorServer.ts"])
  })
})
