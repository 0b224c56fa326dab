/** Finds incomplete docstrings. */
import * as TypeDoc from "typedoc"
import { exportCategories, headingOf } from "./modules.js"

const { ReflectionKind } = TypeDoc

type Declaration = TypeDoc.DeclarationReflection

/** The categories of exports that are values. These exports need an example. */
const usedInCode = new Set(["constructors", "layers", "combinators", "guards"].map(headingOf))

const commentOf = (reflection: Declaration): TypeDoc.Comment | undefined =>
  reflection.comment ?? reflection.signatures?.[0]?.comment ?? reflection.getSignature?.comment

const textOf = (comment: TypeDoc.Comment | undefined): string =>
  TypeDoc.Comment.combineDisplayParts(comment?.summary.filter(({ kind }) => kind !== "code")).trim()

const contentOf = (comment: TypeDoc.Comment | undefined, tag: `@${string}`): string =>
  TypeDoc.Comment.combineDisplayParts(comment?.getTag(tag)?.content).trim()

const isNamespace = (reflection: Declaration): boolean =>
  reflection.kindOf([ReflectionKind.Module, ReflectionKind.Namespace])

/** Returns the gaps that can occur in an export and in a member. */
const commonGaps = (reflection: Declaration, needsExample: boolean): ReadonlyArray<string> => {
  const comment = commentOf(reflection)
  return [
    ...(textOf(comment) === "" ? ["a summary"] : []),
    ...(needsExample && !/```ts\n/.test(contentOf(comment, "@example")) ? ["@example with a code block"] : [])
  ]
}

const exportGaps = (reflection: Declaration): ReadonlyArray<string> => {
  const comment = commentOf(reflection)
  const category = contentOf(comment, "@category")
  const isKnown = isNamespace(reflection) || exportCategories.map(headingOf).includes(category)
  const needsExample =
    reflection.kindOf(ReflectionKind.Function) ||
    (usedInCode.has(category) && reflection.kindOf(ReflectionKind.Variable))
  return [
    ...commonGaps(reflection, needsExample),
    ...(/^\d+\.\d+\.\d+$/.test(contentOf(comment, "@since")) ? [] : ["@since with a version"]),
    ...(isKnown ? [] : [`@category with one of ${exportCategories.join(", ")}`])
  ]
}

/** Returns the gaps of a field or a method. A method needs an example, and an option needs its default. */
const memberGaps = (reflection: Declaration): ReadonlyArray<string> => {
  const isMethod =
    reflection.kindOf(ReflectionKind.Method) && reflection.parent?.kindOf(ReflectionKind.Interface) === true
  const isOption = reflection.flags.isOptional && /Options$|^CreateRequest$/.test(reflection.parent?.name ?? "")
  const hasDefault = /\bdefaults?\b|\bDefault\b/.test(textOf(commentOf(reflection)))
  return [...commonGaps(reflection, isMethod), ...(isOption && !hasDefault ? ["its default"] : [])]
}

/** Returns one line for each gap in the docstrings of the public modules. */
export const findGaps = (project: TypeDoc.ProjectReflection): ReadonlyArray<string> => {
  const visit = (reflection: Declaration): ReadonlyArray<string> => {
    const isExport =
      reflection.parent === project || (reflection.parent?.isDeclaration() === true && isNamespace(reflection.parent))
    const gaps = isExport ? exportGaps(reflection) : memberGaps(reflection)
    const hasMembers =
      isNamespace(reflection) ||
      reflection.kindOf([ReflectionKind.Interface, ReflectionKind.Class, ReflectionKind.TypeAlias])
    return [
      ...gaps.map((gap) => `The docstring of ${reflection.getFullName()} lacks ${gap}`),
      ...(hasMembers
        ? (reflection.children ?? []).filter(({ kind }) => kind !== ReflectionKind.Constructor).flatMap(visit)
        : [])
    ]
  }
  return (project.children ?? []).flatMap(visit)
}
