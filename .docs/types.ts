/**
 * Keeps the names of type aliases. TypeDoc otherwise expands an alias, so that `RequestFailure` becomes a list of
 * seventeen errors.
 */
import * as TypeDoc from "typedoc"
import ts from "typescript"

const withoutUndefined = (type: TypeDoc.SomeType): TypeDoc.SomeType => {
  if (!(type instanceof TypeDoc.UnionType)) return type
  const types = type.types.filter(
    ({ type: kind, ...rest }) => kind !== "intrinsic" || !("name" in rest) || rest.name !== "undefined"
  )
  const [first] = types
  return types.length === 1 && first !== undefined ? first : new TypeDoc.UnionType(types)
}

/** Tests whether a declaration is internal. An internal declaration has no `@since`. */
const isInternal = (declaration: ts.Declaration): boolean =>
  declaration.getSourceFile().fileName.includes("/src/internal/") &&
  !ts.isTypeParameterDeclaration(declaration) &&
  !ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === "since")

/** Tests whether a type contains a name without a page, such as `typeof Detail.Type`. */
const isOpaque = (node: ts.Node, checker: ts.TypeChecker): boolean => {
  if (ts.isTypeQueryNode(node)) return true
  const symbol = ts.isTypeReferenceNode(node) ? checker.getSymbolAtLocation(node.typeName) : undefined
  const target = symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  if (target?.declarations?.some(isInternal) === true) return true
  // The members of an object type are expanded only if the whole type is expanded.
  if (ts.isTypeLiteralNode(node)) return false
  return ts.forEachChild(node, (child) => isOpaque(child, checker) || undefined) === true
}

const typeNodeOf = (declaration: ts.Declaration | undefined): ts.TypeNode | undefined =>
  declaration !== undefined &&
  (ts.isPropertySignature(declaration) ||
    ts.isPropertyDeclaration(declaration) ||
    ts.isVariableDeclaration(declaration))
    ? declaration.type
    : undefined

/** Returns the type of the service in `class Name extends Context.Tag("id")<Name, Service>() {}`. */
const serviceOf = (declaration: ts.ClassDeclaration): ts.TypeNode | undefined => {
  const parent = declaration.heritageClauses?.[0]?.types[0]?.expression
  if (parent === undefined || !ts.isCallExpression(parent) || !ts.isCallExpression(parent.expression)) return undefined
  return parent.expression.expression.getText() === "Context.Tag" ? parent.typeArguments?.[1] : undefined
}

/** Adds the methods of a service, or a link to its interface, to the page of its tag. */
const addService = (context: TypeDoc.Context, reflection: TypeDoc.DeclarationReflection, node: ts.TypeNode): void => {
  const type = context.converter.convertType(context.withScope(reflection), node)
  if (type instanceof TypeDoc.ReflectionType) context.project.mergeReflections(type.declaration, reflection)
  if (type instanceof TypeDoc.ReferenceType) {
    reflection.comment?.summary.push(
      { kind: "text", text: "\n\nThe interface of the service is " },
      { kind: "code", text: `\`${type.name}\`` },
      { kind: "text", text: "." }
    )
  }
}

/** Returns the comment of `Name` in `export { Name }`, which TypeDoc ignores if `Name` is a namespace. */
const commentOfExport = (declaration: ts.Declaration | undefined): TypeDoc.Comment | undefined => {
  const doc = declaration === undefined ? undefined : ts.getJSDocCommentsAndTags(declaration).find(ts.isJSDoc)
  if (doc === undefined) return undefined
  const parts = (comment: ts.JSDoc["comment"]): Array<TypeDoc.CommentDisplayPart> => [
    { kind: "text", text: ts.getTextOfJSDocComment(comment) ?? "" }
  ]
  const tags = doc.tags?.map(({ comment, tagName }) => new TypeDoc.CommentTag(`@${tagName.text}`, parts(comment)))
  return new TypeDoc.Comment(parts(doc.comment), tags)
}

/** Returns the declaration that exports a namespace from its parent module. */
const exportOf = (context: TypeDoc.Context, reflection: TypeDoc.DeclarationReflection): ts.Declaration | undefined => {
  const parent = reflection.parent === undefined ? undefined : context.getSymbolFromReflection(reflection.parent)
  return parent?.exports?.get(ts.escapeLeadingUnderscores(reflection.name))?.declarations?.[0]
}

const onDeclaration = (context: TypeDoc.Context, reflection: TypeDoc.DeclarationReflection): void => {
  const { checker, converter, project } = context
  const symbol = context.getSymbolFromReflection(reflection)
  if (reflection.kindOf(TypeDoc.ReflectionKind.Namespace) && reflection.comment === undefined) {
    const comment = commentOfExport(exportOf(context, reflection))
    if (comment !== undefined) reflection.comment = comment
    return
  }
  const declaration = symbol?.declarations?.[0]
  if (symbol === undefined || declaration === undefined) return
  if (declaration.getSourceFile().fileName.includes("node_modules")) return
  if (reflection.kindOf(TypeDoc.ReflectionKind.TypeAlias)) {
    // The symbol of a schema and its type has two declarations.
    const alias = symbol.declarations?.find(ts.isTypeAliasDeclaration)
    if (alias !== undefined && isOpaque(alias.type, checker)) reflection.comment?.modifierTags.add("@useDeclaredType")
  }
  if (reflection.kindOf(TypeDoc.ReflectionKind.Class) && ts.isClassDeclaration(declaration)) {
    const service = serviceOf(declaration)
    if (service !== undefined) addService(context, reflection, service)
  }
  const node = typeNodeOf(declaration)
  if (node === undefined || reflection.type === undefined) return
  project.removeTypeReflections(reflection.type)
  const scope = context.withScope(reflection)
  const type = isOpaque(node, checker)
    ? converter.convertType(scope, checker.getTypeOfSymbol(symbol))
    : converter.convertType(scope, node)
  reflection.type = reflection.flags.isOptional ? withoutUndefined(type) : type
}

const onSignature = (
  context: TypeDoc.Context,
  signature: TypeDoc.SignatureReflection,
  declaration: ts.SignatureDeclaration | ts.IndexSignatureDeclaration | ts.JSDocSignature | undefined
): void => {
  if (declaration === undefined || ts.isJSDocSignature(declaration)) return
  if (declaration.getSourceFile().fileName.includes("node_modules")) return
  if (declaration.type !== undefined && !ts.isTypePredicateNode(declaration.type)) {
    context.project.removeTypeReflections(signature.type)
    signature.type = context.converter.convertType(context.withScope(signature), declaration.type)
  }
  for (const [i, parameter] of signature.parameters?.entries() ?? []) {
    const node = declaration.parameters[i]?.type
    if (node === undefined) continue
    context.project.removeTypeReflections(parameter.type)
    const type = context.converter.convertType(context.withScope(signature).withScope(parameter), node)
    parameter.type = parameter.flags.isOptional ? withoutUndefined(type) : type
  }
}

/** Shows all members of a long type. TypeDoc otherwise truncates the list of the schemas in a `Schema.Union`. */
const disableTruncation = ({ programs }: TypeDoc.Context): void => {
  for (const program of programs) {
    const checker = program.getTypeChecker()
    const toNode = checker.typeToTypeNode
    checker.typeToTypeNode = (type: ts.Type, parent: ts.Node | undefined, flags: ts.NodeBuilderFlags = 0) =>
      toNode(type, parent, flags | ts.NodeBuilderFlags.NoTruncation)
  }
}

/** Converts written types from their syntax instead of from the types that the compiler infers. */
export const keepAliases = (converter: TypeDoc.Converter): void => {
  converter.on(TypeDoc.Converter.EVENT_BEGIN, disableTruncation)
  converter.on(TypeDoc.Converter.EVENT_CREATE_DECLARATION, onDeclaration)
  converter.on(TypeDoc.Converter.EVENT_CREATE_SIGNATURE, onSignature)
}
