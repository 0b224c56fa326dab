/** Checks the lockfiles, from which `npm ci` installs the tools of the project. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

const Lockfile = Schema.parseJson(
  Schema.Struct({
    packages: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        integrity: Schema.optional(Schema.String),
        resolved: Schema.optional(Schema.String),
        os: Schema.optional(Schema.Union(Schema.String, Schema.Array(Schema.String)))
      })
    })
  })
)

describe.each([
  "package-lock.json",
  ".docs/package-lock.json",
  "test/mutation/package-lock.json",
  "test/runtimes/package-lock.json"
])("%s", (path) => {
  const { packages } = Schema.decodeUnknownSync(Lockfile)(readFileSync(path, "utf8"))
  const entries = Object.entries(packages).filter(([name]) => name !== "")

  it("the lockfile contains no download URL of a package", () => {
    assert.isAbove(entries.length, 10)
    assert.deepStrictEqual(
      entries.filter(([, { resolved }]) => resolved !== undefined),
      []
    )
  })

  it("the lockfile contains the integrity of every package except the platform binaries of @effect/tsgo", () => {
    const missing = entries.filter(
      ([name, { integrity, os }]) =>
        integrity === undefined && !(name.startsWith("node_modules/@effect/tsgo-") && os !== undefined)
    )
    assert.deepStrictEqual(missing, [])
  })
})
