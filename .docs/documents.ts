/** Adds a page for each program in `examples`, and a page about the supported versions. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as TypeDoc from "typedoc"
import { guides } from "./modules.js"

/** The examples in the order of their pages. Other files follow in the order of their names. */
const order = ["quickstart", "errors", "policy", "rate-limit", "files", "batch", "image-service", "simulator", "main"]

const rank = (file: string): number => {
  const index = order.indexOf(file.replace(/\.ts$/, ""))
  return index < 0 ? order.length : index
}

const programs = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))

/** Returns the parts of a text in Markdown without code blocks. */
const partsOf = (markdown: string): Array<TypeDoc.CommentDisplayPart> =>
  markdown.split(/(`[^`]+`)/).map((text) => ({ kind: text.startsWith("`") ? "code" : "text", text }))

/** Returns the page of a program. The page contains the first comment of the program, then the code. */
const contentOf = (path: string, title: string): Array<TypeDoc.CommentDisplayPart> => {
  const text = readFileSync(path, "utf8")
  const [comment = ""] = /^\/\*\*.*?\*\/\n/s.exec(text) ?? []
  const intro = comment
    .split("\n")
    .slice(1, -2)
    .map((line) => line.replace(/^ \* ?/, ""))
    .join("\n")
  return [
    ...partsOf(`# ${title}\n\n${intro}\n\n`),
    { kind: "code", text: `\`\`\`ts\n${text.slice(comment.length)}\`\`\`` }
  ]
}

/** Adds the pages. TypeDoc then replaces links to the files by links to the pages. */
export const addDocuments = (project: TypeDoc.ProjectReflection, root: string): void => {
  const document = (
    parent: TypeDoc.Reflection,
    path: string,
    page: { readonly name: string; readonly category: string; readonly content: Array<TypeDoc.CommentDisplayPart> }
  ) => {
    const reflection = new TypeDoc.DocumentReflection(page.name, parent, page.content, { category: page.category })
    project.registerReflection(reflection, undefined, undefined)
    project.files.registerReflectionPath(TypeDoc.normalizePath(path), reflection)
    return reflection
  }
  const example = (parent: TypeDoc.Reflection, path: string, name: string) =>
    document(parent, join(root, "examples", path), {
      name,
      category: "Examples",
      content: contentOf(join(root, "examples", path), `examples/${path}`)
    })

  const versions = join(root, ".github/VERSIONS.md")
  const content = partsOf(readFileSync(versions, "utf8"))
  project.addChild(document(project, versions, { name: "Versions", category: guides, content }))
  for (const file of programs(join(root, "examples"))) project.addChild(example(project, file, file))
  const [main = "", ...parts] = programs(join(root, "examples/backend"))
  const backend = example(project, join("backend", main), "backend")
  project.addChild(backend)
  for (const file of parts) backend.addChild(example(backend, join("backend", file), file))
}
