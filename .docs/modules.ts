/** The public modules, their order and their entry points. */
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import type * as TypeDoc from "typedoc"
import ts from "typescript"

/** The modules under each heading of the navigation, in the order of the pages. */
const chapters: { readonly [chapter: string]: ReadonlyArray<string> } = {
  Client: ["ModelRouteClient", "ModelRouteError", "RetryPolicy", "RateLimitGate", "IdempotencyKey", "Metrics"],
  Resources: ["Execution", "Model", "File", "Webhook", "WebhookEndpoint", "ApiKey"],
  Batches: ["Batch", "SqlJournal"],
  "Several machines": ["DurableExecution", "SqlSuspensionStore", "ClusterDurableExecution", "ClusterRateLimitGate"],
  Testing: ["Simulator", "SimulatorServer"]
}

/** The heading of a module that is not in `chapters`. */
const otherChapter = "More modules"

/** The heading of the pages that are not about a module. The navigation shows them without a heading. */
export const guides = "Guides"

/** The headings of a module page, in their order. The names are the values of `@category`. */
export const exportCategories = [
  "tags",
  "constructors",
  "layers",
  "errors",
  "combinators",
  "guards",
  "models",
  "schemas",
  "type ids"
]

/** Returns the heading for a value of `@category`. */
export const headingOf = (category: string): string => category.charAt(0).toUpperCase() + category.slice(1)

/** The categories of the project and of the modules, in their order. */
export const categoryOrder: ReadonlyArray<string> = [
  guides,
  ...Object.keys(chapters),
  otherChapter,
  "Examples",
  ...exportCategories.map(headingOf)
]

/** Returns the chapter of a module. */
export const chapterOf = (module: string): string =>
  Object.entries(chapters).find(([, modules]) => modules.includes(module))?.[0] ?? otherChapter

/** Returns the position of a module. Modules that are not in `chapters` are last. */
export const rankOf = (module: string): number => {
  const index = Object.values(chapters).flat().indexOf(module)
  return index < 0 ? Number.MAX_SAFE_INTEGER : index
}

/** Returns the names of the modules that `src/index.ts` exports. */
export const barrelModules = (root: string): ReadonlySet<string> =>
  new Set(
    Array.from(
      readFileSync(join(root, "src/index.ts"), "utf8").matchAll(/^export \* as (\w+) from /gm),
      ([, name = ""]) => name
    )
  )

/**
 * Returns the entry point of each public module. TypeDoc reads the first comment of a file as the comment of the module
 * only if the comment contains `@module`. The compiler host therefore adds this tag to comments with `@since`.
 */
export const entryPoints = (root: string): Array<TypeDoc.DocumentationEntryPoint> => {
  const src = join(root, "src")
  const names = readdirSync(src)
    .filter((file) => file.endsWith(".ts") && file !== "index.ts")
    .map((file) => basename(file, ".ts"))
    .toSorted((a, b) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1))
  const paths = names.map((name) => join(src, `${name}.ts`))
  const config = ts.getParsedCommandLineOfConfigFile(
    join(src, "tsconfig.json"),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
        throw new Error(ts.flattenDiagnosticMessageText(messageText, "\n"))
      }
    }
  )
  if (config === undefined) throw new Error("src/tsconfig.json cannot be read")
  const host = ts.createCompilerHost(config.options)
  const readFile = host.readFile.bind(host)
  host.readFile = (path) => {
    const text = readFile(path)
    if (text === undefined || !path.startsWith(src)) return text
    return text.replace(/^\/\*\*.*?(?= \*\/)/s, (comment) =>
      comment.includes("@since") ? `${comment}* @module\n` : comment
    )
  }
  const program = ts.createProgram(paths, config.options, host)
  return names.map((name, i) => {
    const sourceFile = program.getSourceFile(paths[i] ?? "")
    if (sourceFile === undefined) throw new Error(`${name} is not in the program`)
    return { displayName: name, program, sourceFile }
  })
}

/** Sorts the modules of each chapter, because TypeDoc sorts modules by name. */
export const sortModules = (project: TypeDoc.ProjectReflection): void => {
  for (const { children } of project.categories ?? []) children.sort((a, b) => rankOf(a.name) - rankOf(b.name))
}
