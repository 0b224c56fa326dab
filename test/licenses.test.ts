/** Checks the licenses of the packages that users of this package install. */
import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

const Dependencies = Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), {
  default: () => ({})
})

const Manifest = Schema.parseJson(
  Schema.Struct({
    license: Schema.optional(Schema.String),
    dependencies: Dependencies,
    optionalDependencies: Dependencies,
    peerDependencies: Dependencies
  })
)

/** Reads the manifest of a folder. `""` is the root of the project. */
const readManifest = (folder: string) =>
  Schema.decodeUnknownSync(Manifest)(readFileSync(`${folder}${folder === "" ? "" : "/"}package.json`, "utf8"))

/** Returns the folder of a package that a package in `from` imports. `undefined` if the package is not installed. */
const resolvePackage = (name: string, from: string): string | undefined => {
  const folder = `${from}${from === "" ? "" : "/"}node_modules/${name}`
  if (existsSync(`${folder}/package.json`)) return folder
  if (from === "") return undefined
  return resolvePackage(name, from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))))
}

/** Returns the folders of the packages that a package needs, and of the packages that these packages need. */
const resolveAll = (folder: string, found: Set<string> = new Set()): ReadonlySet<string> => {
  const { dependencies, optionalDependencies, peerDependencies } = readManifest(folder)
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
    const resolved = resolvePackage(name, folder)
    if (resolved !== undefined && !found.has(resolved)) resolveAll(resolved, found.add(resolved))
  }
  return found
}

/** Licenses that permit every use without a duty to publish the source code of an application. */
const allowed: ReadonlySet<string | undefined> = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause"])

describe("licenses of the dependencies and the peer dependencies", () => {
  const folders = resolveAll("")

  it("the packages include the direct and the indirect dependencies", () => {
    for (const name of ["@noble/hashes", "effect", "@effect/platform", "fast-check", "undici", "ws"]) {
      assert.include([...folders], `node_modules/${name}`)
    }
  })

  it("each package has a permissive license", () => {
    assert.deepStrictEqual(
      [...folders]
        .map((folder) => [folder, readManifest(folder).license])
        .filter(([, license]) => !allowed.has(license)),
      []
    )
  })
})
