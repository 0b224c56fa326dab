import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"

const src = fileURLToPath(new URL("../src", import.meta.url))

/** Returns the imports of each module in `src`, including type imports. */
const importsOf = (): ReadonlyMap<string, ReadonlyArray<string>> => {
  const modules = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))
  return new Map(
    modules.map((path) => {
      const text = readFileSync(join(src, path), "utf8")
      const specifiers = text.matchAll(/(?:\bfrom |\bimport |\bimport\()"(\.[^"]+)"/g)
      const target = (specifier: string) =>
        relative(src, resolve(src, dirname(path), specifier.replace(/\.js$/, ".ts")))
      return [path, [...specifiers].flatMap(([, specifier]) => (specifier === undefined ? [] : [target(specifier)]))]
    })
  )
}

/** Returns the first circular import path, or `undefined`. */
const findCircle = (imports: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyArray<string> | undefined => {
  const done = new Set<string>()
  const visit = (path: ReadonlyArray<string>, module: string): ReadonlyArray<string> | undefined => {
    if (path.includes(module)) return [...path.slice(path.indexOf(module)), module]
    if (done.has(module)) return undefined
    for (const imported of imports.get(module) ?? []) {
      const circle = visit([...path, module], imported)
      if (circle !== undefined) return circle
    }
    done.add(module)
    return undefined
  }
  for (const module of imports.keys()) {
    const circle = visit([], module)
    if (circle !== undefined) return circle
  }
  return undefined
}

describe("modules of src", () => {
  const imports = importsOf()

  it("import only existing modules", () => {
    expect(imports.size).toBeGreaterThan(100)
    for (const [module, imported] of imports) {
      for (const path of imported) expect(imports.has(path), `${module} imports ${path}`).toBe(true)
    }
  })

  it("have no circular imports, including type imports", () => {
    expect(findCircle(imports)?.join(" → ")).toBeUndefined()
  })

  it("in internal/http and internal/errors import nothing from batch, webhooks or simulator", () => {
    const wrong = [...imports].flatMap(([module, imported]) =>
      /^internal\/(http|errors)\//.test(module)
        ? imported
            .filter((path) => /^internal\/(batch|webhooks|simulator)\//.test(path))
            .map((path) => `${module} → ${path}`)
        : []
    )
    expect(wrong).toEqual([])
  })

  describe("optional packages", () => {
    const isDurable = (module: string) =>
      /^((DurableExecution|SqlSuspensionStore)\.ts|internal\/durable\/)/.test(module)
    const isCluster = (module: string) => /^(Cluster\w+\.ts|internal\/cluster\/)/.test(module)
    const importersOf = (pattern: RegExp) =>
      [...imports.keys()].filter((module) => pattern.test(readFileSync(join(src, module), "utf8")))

    it("@effect/workflow is imported only by DurableExecution and the cluster modules", () => {
      const importers = importersOf(/["']@effect\/workflow/)
      expect(importers).toContain("DurableExecution.ts")
      expect(importers.filter((module) => !isDurable(module) && !isCluster(module))).toEqual([])
    })

    it("@effect/cluster and @effect/rpc are imported only by the cluster modules", () => {
      expect(importersOf(/["']@effect\/(cluster|rpc)/).filter((module) => !isCluster(module))).toEqual([])
    })

    it("the core imports no module that needs an optional package", () => {
      const wrong = [...imports].flatMap(([module, imported]) =>
        imported
          .filter(
            (path) =>
              (isCluster(path) && !isCluster(module)) || (isDurable(path) && !isDurable(module) && !isCluster(module))
          )
          .map((path) => `${module} → ${path}`)
      )
      expect(wrong).toEqual([])
    })
  })
})
