/** Completes the comments. Adds headings, import lines, and links from the names in the text to their pages. */
import * as TypeDoc from "typedoc"
import { barrelModules, chapterOf, headingOf } from "./modules.js"

const { ReflectionKind } = TypeDoc

type Declaration = TypeDoc.DeclarationReflection

/** Returns the declared type of a property, such as `Executions` for `Service.executions`. */
const targetOf = (type: TypeDoc.SomeType | undefined): Declaration | undefined =>
  type instanceof TypeDoc.ReferenceType && type.reflection?.isDeclaration() === true ? type.reflection : undefined

const childOf = (parent: TypeDoc.Reflection | undefined, name: string): Declaration | undefined =>
  parent !== undefined && (parent.isDeclaration() || parent.isProject())
    ? parent.children?.find((child) => child.name === name)
    : undefined

/** Finds the reflection that a name in a comment refers to. */
const makeLookup = (project: TypeDoc.ProjectReflection) => {
  const service = childOf(childOf(project, "ModelRouteClient"), "Service")
  const errors = childOf(project, "ModelRouteError")
  return (name: string, owner: TypeDoc.Reflection): Declaration | undefined => {
    const [first = "", ...rest] = name.split(".")
    const scopes = []
    for (let scope: TypeDoc.Reflection | undefined = owner; scope !== undefined; scope = scope.parent)
      scopes.push(scope)
    let found = scopes.map((scope) => childOf(scope, first)).find((child) => child !== undefined)
    if (rest.length === 0) return found ?? childOf(errors, first)
    found ??= childOf(service, first)
    for (const part of rest) found = childOf(found, part) ?? childOf(targetOf(found?.type), part)
    return found
  }
}

type Lookup = ReturnType<typeof makeLookup>

const linkNames = (
  parts: ReadonlyArray<TypeDoc.CommentDisplayPart>,
  owner: TypeDoc.Reflection,
  lookup: Lookup
): Array<TypeDoc.CommentDisplayPart> =>
  parts.map((part) => {
    const [, name] = part.kind === "code" ? (/^`([A-Za-z][\w.]*)`$/.exec(part.text) ?? []) : []
    const target = name === undefined ? undefined : lookup(name, owner)
    if (name === undefined || target === undefined || target === owner || target === owner.parent) return part
    return { kind: "inline-tag", tag: "@linkcode", text: name, target }
  })

const linkComment = (comment: TypeDoc.Comment, owner: TypeDoc.Reflection, lookup: Lookup): void => {
  comment.summary = linkNames(comment.summary, owner, lookup)
  for (const tag of comment.blockTags) tag.content = linkNames(tag.content, owner, lookup)
}

const importLines = (module: string, isInBarrel: boolean): string =>
  [
    ...(isInBarrel ? [`import { ${module} } from "effect-modelroute"`, "// The path of the module loads faster."] : []),
    `import * as ${module} from "effect-modelroute/${module}"`
  ].join("\n")

const completeModule = (module: Declaration, barrel: ReadonlySet<string>): void => {
  const comment = (module.comment ??= new TypeDoc.Comment())
  comment.blockTags.push(new TypeDoc.CommentTag("@category", [{ kind: "text", text: chapterOf(module.name) }]))
  comment.summary.push(
    { kind: "text", text: "\n\n" },
    { kind: "code", text: `\`\`\`ts\n${importLines(module.name, barrel.has(module.name))}\n\`\`\`` }
  )
}

export const addComments = (project: TypeDoc.ProjectReflection, root: string): void => {
  const lookup = makeLookup(project)
  const barrel = barrelModules(root)
  for (const reflection of project.getReflectionsByKind(ReflectionKind.All)) {
    if (reflection.comment === undefined) continue
    for (const tag of reflection.comment.blockTags) {
      if (tag.tag !== "@category") continue
      tag.content = [{ kind: "text", text: headingOf(TypeDoc.Comment.combineDisplayParts(tag.content).trim()) }]
    }
    linkComment(reflection.comment, reflection, lookup)
  }
  for (const document of project.getReflectionsByKind(ReflectionKind.Document)) {
    if (document.isDocument()) document.content = linkNames(document.content, document, lookup)
  }
  if (project.readme !== undefined) {
    // The page already has the name of the package as its title.
    const readme = project.readme.map((part, i) =>
      i === 0 ? { ...part, text: part.text.replace(/^# .*\n/, "") } : part
    )
    project.readme = linkNames(readme, project, lookup)
  }
  for (const module of project.children ?? []) completeModule(module, barrel)
}
