/** Lists the modules that the built client imports, and bundles code that imports it. */
import { fileURLToPath } from "node:url"
import * as esbuild from "esbuild"

/** Folder of the repository. */
export const repository = fileURLToPath(new URL("../../..", import.meta.url))

/** Built module of the client, relative to the repository. */
export const clientModule = "dist/ModelRouteClient.js"

/** The packages that an application that uses Effect already contains. */
export const peerPackages = ["effect", "@effect/platform"]

/** Options of all bundles. Ignores the `paths` of `tsconfig.json`, because they lead to the source files. */
export const bundleOptions = {
  absWorkingDir: repository,
  bundle: true,
  format: "esm",
  metafile: true,
  minify: true,
  platform: "browser",
  tsconfigRaw: {},
  write: false
} satisfies esbuild.BuildOptions

/** Returns the modules of `effect` and `@effect/platform` that a built module imports directly or indirectly. */
export const peerModulesOf = async (module: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await esbuild.build({ ...bundleOptions, entryPoints: [module], external: peerPackages })
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
  return [...new Set(imports.filter(({ external }) => external === true).map(({ path }) => path))].toSorted()
}
