/**
 * Checks that JSON can represent a value before the value is sent. Collects the texts in the value that errors must not
 * quote. `JSON.stringify` converts `NaN` to `null` and a `Map` or a `Blob` to `{}`. The API would then execute and
 * charge for a different request.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { isRecord } from "../data/lenient.js"
import { type PrivateTexts, TextCollector } from "../errors/confidential.js"
import { invalidRequest } from "../errors/invalidRequest.js"

/** Maximum nesting depth. Servers reject deeper JSON, and recursive code overflows the stack. */
const maxDepth = 500

interface Container {
  readonly value: object
  readonly parent: Container | undefined
  /** Key or index in the parent. Name of the argument if the container has no parent. */
  readonly key: string | number
  readonly depth: number
}

interface Problem {
  readonly problem: string
  readonly advice: string
}

const uploadAdvice = "Upload the bytes with files.upload and pass the file id."

/** Specific advice for types that lose their content in JSON. Other built-in types have general advice. */
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

/** Returns the reason why JSON cannot represent a value. Does not check the members of the value. */
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

/** Returns the value that `JSON.stringify` serializes. */
const jsonValue = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? value.toJSON(key)
    : value

/**
 * Returns `true` if the value is the JSON form of an Effect data type. This form is for logs and is not valid API
 * input.
 */
const isEffectData = (json: unknown): json is { readonly _id: string } =>
  isRecord(json) && typeof json["_id"] === "string"

const tooDeep: Problem = { problem: `is nested more than ${maxDepth} levels deep`, advice: "Pass a flatter value." }

/** Returns the outermost ancestor that contains itself, or `undefined` if there is no cycle. */
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
 * State of a check. `unread` contains the containers with unchecked members. `texts` contains the texts found so far.
 */
interface Traversal {
  readonly texts: TextCollector
  readonly unread: Array<Container>
}

/** Checks a value. Collects a string. Queues an object or an array, so that its members are checked later. */
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
 * Visits the members of a container. Avoids `Object.entries`, because `Object.entries` allocates an array for each
 * member.
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
 * Checks the arguments of a method and returns the texts that errors must not quote. `fields` contains the arguments by
 * name. Fails with `InvalidRequest` at the first value that JSON cannot represent. The `field` of the error is the path
 * of that value.
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
