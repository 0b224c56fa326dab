/** Removes the parts of the model that a reader of the reference does not need. */
import * as TypeDoc from "typedoc"

const { ReflectionFlag, ReflectionKind } = TypeDoc

const declarations = (project: TypeDoc.ProjectReflection): ReadonlyArray<TypeDoc.DeclarationReflection> =>
  project.getReflectionsByKind(ReflectionKind.All).filter((reflection) => reflection.isDeclaration())

/**
 * Tests whether a property is a method. A function in a type of options is a callback that the caller writes, so it
 * stays a property.
 */
export const isMethod = (reflection: TypeDoc.DeclarationReflection): boolean =>
  reflection.kindOf(ReflectionKind.Property) &&
  !reflection.flags.isOptional &&
  reflection.parent?.kindOf(ReflectionKind.ClassOrInterface) === true &&
  !reflection.parent.name.endsWith("Options")

/** Moves the signatures of a function type to the property or variable of this type. */
const toCallable = (reflection: TypeDoc.DeclarationReflection, kind: TypeDoc.ReflectionKind): void => {
  const { comment, type } = reflection
  if (!(type instanceof TypeDoc.ReflectionType)) return
  const { children, signatures } = type.declaration
  if (signatures === undefined || children !== undefined) return
  reflection.kind = kind
  reflection.signatures = signatures
  reflection.setFlag(ReflectionFlag.Readonly, false)
  for (const signature of signatures) {
    signature.parent = reflection
    signature.name = reflection.name
    if (comment !== undefined) signature.comment ??= comment
  }
  delete reflection.type
  delete reflection.comment
}

/** Tests whether a constructor belongs to a `Context.Tag`, which nobody calls. */
const isTagConstructor = (reflection: TypeDoc.DeclarationReflection): boolean =>
  reflection.kindOf(ReflectionKind.Constructor) &&
  reflection.signatures?.every(({ parameters }) => parameters?.[0]?.type?.toString() === "never") === true

const simplifyMembers = (project: TypeDoc.ProjectReflection, reflection: TypeDoc.DeclarationReflection): void => {
  for (const child of reflection.children?.slice() ?? []) {
    // A field with a symbol as its name only identifies a type.
    if (isTagConstructor(child) || child.name.startsWith("[")) project.removeReflection(child)
    // The fields are described above the constructor.
    for (const signature of child.kindOf(ReflectionKind.Constructor) ? (child.signatures ?? []) : []) {
      signature.parameters = (signature.parameters ?? []).filter(({ name }) => name !== "options")
      for (const parameter of signature.parameters) removeComments(parameter.type)
    }
  }
}

const removeComments = (type: TypeDoc.SomeType | undefined): void => {
  if (type instanceof TypeDoc.UnionType || type instanceof TypeDoc.IntersectionType) type.types.forEach(removeComments)
  if (type instanceof TypeDoc.ReflectionType) for (const child of type.declaration.children ?? []) delete child.comment
}

/** Replaces an expanded brand, such as `string & Brand<"effect-modelroute/FileId">`, with the name of its type. */
const nameBrands = (project: TypeDoc.ProjectReflection): void => {
  const brands = new Map(
    project
      .getReflectionsByKind(ReflectionKind.TypeAlias)
      .filter((reflection) => reflection.isDeclaration())
      .map((alias) => [alias.type?.toString() ?? "", alias] as const)
      .filter(([text]) => text.includes("Brand<"))
  )
  for (const reflection of declarations(project)) {
    const alias = brands.get(reflection.type?.toString() ?? "")
    if (alias === undefined || !reflection.kindOf(ReflectionKind.Property)) continue
    reflection.type = TypeDoc.ReferenceType.createResolvedReference(alias.name, alias, project)
  }
}

/** Tests whether a type is an interface of this package that has no page. */
const isInternalInterface = (type: TypeDoc.SomeType): boolean =>
  type instanceof TypeDoc.ReferenceType &&
  type.reflection === undefined &&
  type.symbolId?.packagePath.includes("src/internal/") === true

/** Removes internal interfaces from the hierarchy. The page of an interface contains all inherited fields. */
const removeInternalParents = (reflection: TypeDoc.DeclarationReflection): void => {
  const parents = reflection.extendedTypes?.filter((type) => !isInternalInterface(type)) ?? []
  if (parents.length > 0) reflection.extendedTypes = parents
  else delete reflection.extendedTypes
}

/** Removes repeated parts of the model and references to internal code. */
export const simplify = (project: TypeDoc.ProjectReflection): void => {
  nameBrands(project)
  for (const reflection of declarations(project)) {
    if (reflection.kindOf(ReflectionKind.Variable)) toCallable(reflection, ReflectionKind.Function)
    if (isMethod(reflection)) toCallable(reflection, ReflectionKind.Method)
    if (reflection.kindOf(ReflectionKind.ClassOrInterface)) simplifyMembers(project, reflection)
  }
  for (const reflection of project.getReflectionsByKind(ReflectionKind.All)) {
    if (!reflection.isDeclaration() && !reflection.isSignature()) continue
    delete reflection.inheritedFrom
    delete reflection.overwrites
    delete reflection.implementationOf
    if (reflection.isDeclaration()) {
      // Every field is read-only.
      reflection.setFlag(ReflectionFlag.Readonly, false)
      // The value of a field is its schema, and the value of a variable is internal code.
      delete reflection.defaultValue
      if (reflection.kindOf(ReflectionKind.Class)) delete reflection.extendedTypes
      if (reflection.kindOf(ReflectionKind.Interface)) removeInternalParents(reflection)
    }
  }
}
