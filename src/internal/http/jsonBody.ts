/**
 * Checks that JSON can represent the arguments of a call before the request is sent. `JSON.stringify` writes `NaN` as
 * `null`, and a `Map` or a `Blob` as `{}`. Without the check, the API would execute and charge for a different request.
 *
 * The check also collects the texts in the arguments, which errors must not quote.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { isRecord } from "../data/lenient.js"
import { type PrivateTexts, TextCollector } from "../errors/confidential.js"
import { invalidRequest } from "../errors/invalidRequest.js"

/**
 * The maximum nesting depth of an argument. Servers reject deeper JSON, and recursive code would overflow the stack.
 */
const maxDepth = 500

interface Container {
  readonly value: object
  readonly parent: Container | undefined
  /** The key or index of the value in its parent. The name of the argument if the value has no parent. */
  readonly key: string | number
  readonly depth: number
}

interface Problem {
  readonly problem: string
  readonly advice: string
}

const uploadAdvice = "Upload the bytes with files.upload and pass the file id."

/**
 * The advice for types that JSON cannot represent, by the tag of the type. Types without an entry have a general
 * advice.
 */
const adviceByType: Readonly<Record<string, string>> = {
  ArrayBuffer: uploadAdvice,
  Blob: uploadAdvice,
  File: uploadAdvice,
  FormData: uploadAdvice,
  ReadableStream: uploadAdvice,
  Map: "Pass a plain object, such as Object.fromEntries(map).",
  Set: "Pass an array, such as Array.from(set).",
  Promise: "Await the promise first."
}

const plainTags: ReadonlySet<string> = new Set(["Object", "Array", "Arguments", "String", "Number", "Boolean"])

const tagOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1)

/** Returns the reason why JSON cannot represent a value. Does not check the members of an object or array. */
const problemOf = (value: unknown): Problem | undefined => {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : { problem: `is ${value}`, advice: "Pass a finite number." }
    case "bigint":
      return { problem: "is a bigint", advice: "Pass a number or a string." }
    case "function":
    case "symbol":
      return { problem: `is a ${typeof value}`, advice: "Pass its value." }
    case "object":
      return value === null ? undefined : problemOfObject(value)
    default:
      return undefined
  }
}

const problemOfObject = (value: object): Problem | undefined => {
  if (Redacted.isRedacted(value)) {
    return { problem: "is Redacted", advice: "Unwrap the value with Redacted.value if the API may receive it." }
  }
  if (ArrayBuffer.isView(value)) return { problem: `is a ${tagOf(value)}`, advice: uploadAdvice }
  const tag = tagOf(value)
  if (plainTags.has(tag) || "toJSON" in value) return undefined
  return {
    problem: `is a ${tag}, which JSON cannot represent`,
    advice: adviceByType[tag] ?? "Pass a plain object or array."
  }
}

/**
 * Returns the value that `JSON.stringify` writes for `value`. An object with a `toJSON` method is written as the result
 * of this method.
 */
const jsonValue = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? value.toJSON(key)
    : value

/**
 * Returns `true` if a value is the `toJSON` result of an Effect data type, such as `Option`. This form is for logs, and
 * the API does not accept this form.
 */
const isEffectData = (json: unknown): json is { readonly _id: string } =>
  isRecord(json) && typeof json["_id"] === "string"

const tooDeep: Problem = { problem: `is nested more than ${maxDepth} levels deep`, advice: "Pass a flatter value." }

/**
 * Returns the outermost object on the path to `deepest` that contains itself. Returns `undefined` if there is no cycle.
 */
const cycleIn = (deepest: Container): Container | undefined => {
  const ancestors: Array<Container> = []
  for (let next: Container | undefined = deepest; next !== undefined; next = next.parent) ancestors.unshift(next)
  const known = new Set<object>()
  return ancestors.find(({ value }) => known.size === known.add(value).size)
}

const pathOf = ({ key, parent }: Pick<Container, "key" | "parent">): string => {
  if (parent === undefined) return String(key)
  return typeof key === "number" ? `${pathOf(parent)}[${key}]` : `${pathOf(parent)}.${key}`
}

/**
 * The state of a check. `unread` contains the objects and arrays whose members are not checked yet. `texts` contains
 * the texts that the check has found so far.
 */
interface Traversal {
  readonly texts: TextCollector
  readonly unread: Array<Container>
}

/**
 * Checks one value. If the value is a string, adds the string to `texts`. If the value is an object or array, adds the
 * value to `unread`, so that its members are checked later.
 */
const visit = (
  { texts, unread }: Traversal,
  given: unknown,
  parent: Container | undefined,
  key: string | number,
  depth: number
): Problem | undefined => {
  const givenProblem = problemOf(given)
  if (givenProblem !== undefined) return givenProblem
  const value = jsonValue(given, String(key))
  if (value !== given) {
    if (isEffectData(value)) return { problem: `is an Effect ${value._id}`, advice: "Pass the contained value." }
    const valueProblem = problemOf(value)
    if (valueProblem !== undefined) return valueProblem
  }
  if (typeof value === "string") {
    texts.add(value)
  } else if (typeof value === "object" && value !== null) {
    if (depth > maxDepth) return tooDeep
    unread.push({ value, parent, key, depth })
  }
  return undefined
}

interface LocatedProblem extends Problem {
  readonly path: string
}

const locate = (parent: Container | undefined, key: string | number, problem: Problem): LocatedProblem => ({
  ...problem,
  path: pathOf({ parent, key })
})

const visitMember = (
  traversal: Traversal,
  container: Container,
  key: string | number,
  member: unknown
): LocatedProblem | undefined => {
  const problem = visit(traversal, member, container, key, container.depth + 1)
  if (problem === undefined) return undefined
  const cycle = problem === tooDeep ? cycleIn(container) : undefined
  return cycle === undefined
    ? locate(container, key, problem)
    : locate(cycle.parent, cycle.key, { problem: "contains itself", advice: "Pass a value without cycles." })
}

/**
 * Checks the members of an object or array. `Object.entries` is not used, because `Object.entries` allocates an array
 * for each member.
 */
const visitMembers = (traversal: Traversal, container: Container): LocatedProblem | undefined => {
  const { value } = container
  let found: LocatedProblem | undefined
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && found === undefined; i++) found = visitMember(traversal, container, i, value[i])
  } else {
    for (const name of Object.keys(value)) found ??= visitMember(traversal, container, name, Reflect.get(value, name))
  }
  return found
}

const findProblem = (traversal: Traversal, name: string, argument: unknown): LocatedProblem | undefined => {
  const problem = visit(traversal, argument, undefined, name, 0)
  if (problem !== undefined) return locate(undefined, name, problem)
  for (let next = traversal.unread.pop(); next !== undefined; next = traversal.unread.pop()) {
    const found = visitMembers(traversal, next)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Checks the arguments of a method. `fields` contains the arguments by name. Fails with `InvalidRequest` if JSON cannot
 * represent a value. The `field` of the error is the path of the first such value. Returns the texts in the arguments,
 * which errors must not quote.
 *
 * @internal
 */
export const checkJson = (
  operation: string,
  fields: { readonly [name: string]: unknown }
): Either.Either<PrivateTexts, InvalidRequest> => {
  const traversal: Traversal = { texts: new TextCollector(), unread: [] }
  for (const [name, argument] of Object.entries(fields)) {
    try {
      const found = findProblem(traversal, name, argument)
      if (found !== undefined) return Either.left(invalidRequest(operation, found.path, found.problem, found.advice))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return Either.left(invalidRequest(operation, name, `cannot be read (${reason})`, "Pass a plain object."))
    }
  }
  return Either.right(traversal.texts)
}
