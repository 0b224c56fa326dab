/** Adds a page for each program in `examples`. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as TypeDoc from "typedoc"

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

/** Returns the page of a program: its first comment, then its code. */
const contentOf = (path: string, title: string): Array<TypeDoc.CommentDisplayPart> => {
  const text = readFileSync(path, "utf8")
  const [comment = ""] = /^\/\*\*.*?\*\/\n/s.exec(text) ?? []
  const intro = comment
    .split("\n")
    .slice(1, -2)
    .map((line) => line.replace(/^ \* ?/, ""))
    .join("\n")
  return [
    { kind: "text", text: `# ${title}\n\n` },
    ...intro.split(/(`[^`]+`)/).map((part): TypeDoc.CommentDisplayPart => ({
      kind: part.startsWith("`") ? "code" : "text",
      text: part
    })),
    { kind: "text", text: "\n\n" },
    { kind: "code", text: `\`\`\`ts\n${text.slice(comment.length)}\`\`\`` }
  ]
}

/** Adds the pages. Links to the files then lead to the pages. */
export const addExamples = (project: TypeDoc.ProjectReflection, root: string): void => {
  const folder = join(root, "examples")
  const page = (parent: TypeDoc.Reflection, path: string, name: string) => {
    const document = new TypeDoc.DocumentReflection(name, parent, contentOf(join(folder, path), `examples/${path}`), {
      category: "Examples"
    })
    project.registerReflection(document, undefined, undefined)
    project.files.registerReflectionPath(TypeDoc.normalizePath(join(folder, path)), document)
    return document
  }
  for (const file of programs(folder)) project.addChild(page(project, file, file))
  const [main = "", ...parts] = programs(join(folder, "backend"))
  const backend = page(project, join("backend", main), "backend")
  project.addChild(backend)
  for (const file of parts) backend.addChild(page(backend, join("backend", file), file))
}
