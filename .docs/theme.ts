/** The theme of the reference. It is TypeDoc's theme with a flat navigation and without repeated signatures. */
import * as TypeDoc from "typedoc"
import { guides } from "./modules.js"

const isDescribed = (parameter: TypeDoc.ParameterReflection): boolean =>
  parameter.hasComment() ||
  (parameter.type instanceof TypeDoc.ReflectionType &&
    parameter.type.declaration.children?.some((child) => child.hasComment()) === true)

class ReferenceContext extends TypeDoc.DefaultThemeRenderContext {
  constructor(...args: ConstructorParameters<typeof TypeDoc.DefaultThemeRenderContext>) {
    super(...args)
    const body = this.memberSignatureBody
    // The signature above the text already contains the parameters and the result.
    this.memberSignatureBody = (signature, options) => {
      const { parameters, type } = signature
      if (parameters !== undefined) signature.parameters = parameters.filter(isDescribed)
      if (signature.comment?.getTag("@returns") === undefined) delete signature.type
      const element = body(signature, options)
      if (parameters !== undefined) signature.parameters = parameters
      if (type !== undefined) signature.type = type
      return element
    }
  }

  // The preview of an interface repeats its members.
  override reflectionPreview = (): undefined => undefined
}

/** Removes the categories below a module. The pages of the modules show them. */
const withoutCategories = (element: TypeDoc.NavigationElement): TypeDoc.NavigationElement => {
  if (element.children === undefined) return element
  const children = element.children.flatMap((child) =>
    child.path === undefined ? (withoutCategories(child).children ?? []) : [withoutCategories(child)]
  )
  return { ...element, children }
}

const toHeading = ({ children = [], text }: TypeDoc.NavigationElement): Array<TypeDoc.NavigationElement> => {
  const heading: TypeDoc.NavigationElement = { text }
  return (text === guides ? [] : [heading]).concat(children.map(withoutCategories))
}

export class ReferenceTheme extends TypeDoc.DefaultTheme {
  override ContextClass = ReferenceContext

  override buildNavigation(project: TypeDoc.ProjectReflection): Array<TypeDoc.NavigationElement> {
    const introduction: TypeDoc.NavigationElement = { text: "Introduction", path: "index.html" }
    const chapters = super.buildNavigation(project)
    // A chapter without a path is a heading, and its modules follow it.
    return [introduction].concat(chapters.flatMap(toHeading))
  }
}
