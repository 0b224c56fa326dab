/**
 * Builds `dist`: one file for each public module, and a few files that they share. Node.js loads these files about
 * twice as fast as one file for each source file. Marks the calls at the top level of modules as pure. Bundlers can
 * then remove the exports that an application does not use.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
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

/**
 * Removes the imports without bindings. Such imports only keep the order of side effects, and the modules have no side
 * effects.
 */
const withoutBareImports = {
  name: "without-bare-imports",
  renderChunk: (code) => ({ code: code.replace(/^import '\..*';$/gm, ""), map: null })
}

const dist = resolve(src, "../dist")

/** Deletes the declarations that no public module imports. The compiler writes one declaration for each source file. */
const withoutPrivateTypes = {
  name: "without-private-types",
  writeBundle: () => {
    const isDeclaration = (file) => file.endsWith(".d.ts")
    const imported = new Set()
    const visit = (file) => {
      if (imported.has(file)) return
      imported.add(file)
      for (const [, path] of readFileSync(file, "utf8").matchAll(/(?:\bfrom |\bimport |\bimport\()"(\.[^"]+)\.js"/g)) {
        visit(resolve(dirname(file), `${path}.d.ts`))
      }
    }
    for (const file of readdirSync(dist).filter(isDeclaration)) visit(join(dist, file))
    for (const file of readdirSync(dist, { recursive: true }).filter(isDeclaration)) {
      const path = join(dist, file)
      if (imported.has(path)) continue
      rmSync(path)
      rmSync(`${path}.map`)
    }
  }
}

export default {
  input: readdirSync(src)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => resolve(src, file)),
  external: (id) => !id.startsWith(".") && !id.startsWith("/"),
  plugins: [typescript, withoutBareImports, withoutPrivateTypes],
  treeshake: { moduleSideEffects: false },
  output: {
    dir: dist,
    chunkFileNames: "internal/[name].js",
    hoistTransitiveImports: false,
    sourcemap: true,
    sourcemapExcludeSources: true
  }
}
