/**
 * Builds `dist`: one file for each public module, and a few files that they share. Node.js loads these files about twice
 * as fast as one file for each source file. Marks the calls at the top level of modules as pure, so that bundlers can
 * remove the exports that an application does not use.
 */
import { readdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { transformAsync } from "@babel/core"
import annotatePureCalls from "babel-plugin-annotate-pure-calls"
import { transform } from "esbuild"

const src = dirname(fileURLToPath(import.meta.url))

const typescript = {
  name: "typescript",
  resolveId: (source, importer) =>
    source.startsWith(".") && importer !== undefined
      ? resolve(dirname(importer), source.replace(/\.js$/, ".ts"))
      : undefined,
  transform: async (code, id) => {
    const { code: javascript, map } = await transform(code, {
      loader: "ts",
      target: "es2022",
      sourcemap: true,
      sourcefile: id,
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } }
    })
    return transformAsync(javascript, {
      plugins: [annotatePureCalls],
      inputSourceMap: JSON.parse(map),
      sourceMaps: true,
      compact: false,
      configFile: false,
      babelrc: false
    })
  }
}

/** Empties the imports without bindings, which keep the order of side effects. The modules have no side effects. */
const withoutBareImports = {
  name: "without-bare-imports",
  renderChunk: (code) => ({ code: code.replace(/^import '\..*';$/gm, ""), map: null })
}

export default {
  input: readdirSync(src)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => resolve(src, file)),
  external: (id) => !id.startsWith(".") && !id.startsWith("/"),
  plugins: [typescript, withoutBareImports],
  treeshake: { moduleSideEffects: false },
  output: {
    dir: resolve(src, "../dist"),
    chunkFileNames: "internal/[name].js",
    hoistTransitiveImports: false,
    sourcemap: true,
    sourcemapExcludeSources: true
  }
}
