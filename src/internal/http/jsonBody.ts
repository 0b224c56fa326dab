/**
 * Checks that a value survives the way through JSON before a request is made of it, and collects the texts in it that no error may
 * quote. `JSON.stringify` turns `NaN` into `null` and a `Map` or a `Blob` into `{}`: the API would run, and charge for, something
 * else than the caller wanted.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { type PrivateTexts, TextCollector } from "../errors/redact.js"
import { isRecord } from "../data/lenient.js"

/** Servers refuse deeper JSON, and recursive code overflows the stack. */
const depthLimit = 500

interface Container {
  readonly value: object
  readonly parent: Container | undefined
  /** The key or index within the parent; for a root the name of the argument. */
  readonly key: string | number
  readonly depth: number
}

interface Problem {
  readonly problem: string
  readonly cure: string
}

const uploadIt = "Upload the bytes with files.upload and pass the file id."

/** Types whose JSON loses their content. The rest of the built-in types is reported with a general cure. */
const cures: Readonly<Record<string, string>> = {
  ArrayBuffer: uploadIt,
  Blob: uploadIt,
  File: uploadIt,
  FormData: uploadIt,
  ReadableStream: uploadIt,
  Map: "Pass a plain object, such as Object.fromEntries(map).",
  Set: "Pass an array, such as Array.from(set).",
  Promise: "Await it first."
}

const plainTags: ReadonlySet<string> = new Set(["Object", "Array", "Arguments", "String", "Number", "Boolean"])

const tagOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1)

/** What is wrong with a value itself, whatever it contains. */
const problemOf = (value: unknown): Problem | undefined => {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : { problem: `is ${value}`, cure: "Pass a finite number." }
    case "bigint":
      return { problem: "is a bigint", cure: "Pass a number or a string." }
    case "function":
    case "symbol":
      return { problem: `is a ${typeof value}`, cure: "Pass its value." }
    case "object":
      return value === null ? undefined : problemOfObject(value)
    default:
      return undefined
  }
}

const problemOfObject = (value: object): Problem | undefined => {
  if (Redacted.isRedacted(value)) {
    return { problem: "is Redacted", cure: "Pass Redacted.value of it if the API may see it." }
  }
  if (ArrayBuffer.isView(value)) return { problem: `is a ${tagOf(value)}`, cure: uploadIt }
  const tag = tagOf(value)
  if (plainTags.has(tag) || "toJSON" in value) return undefined
  return { problem: `is a ${tag}, which JSON cannot hold`, cure: cures[tag] ?? "Pass a plain object or array." }
}

/** The value that `JSON.stringify` writes. */
const jsonValue = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? value.toJSON(key)
    : value

/** Effect's data types have a JSON form for logs, which no API understands. */
const isEffectData = (json: unknown): json is { readonly _id: string } =>
  isRecord(json) && typeof json["_id"] === "string"

const tooDeep: Problem = { problem: `is nested more than ${depthLimit} levels deep`, cure: "Pass a flatter value." }

/** The first container on the way down that contains itself. */
const cycleIn = (deepest: Container): Container | undefined => {
  const way: Array<Container> = []
  for (let next: Container | undefined = deepest; next !== undefined; next = next.parent) way.unshift(next)
  const known = new Set<object>()
  return way.find(({ value }) => known.size === known.add(value).size)
}

const pathOf = ({ key, parent }: Pick<Container, "key" | "parent">): string => {
  if (parent === undefined) return String(key)
  return typeof key === "number" ? `${pathOf(parent)}[${key}]` : `${pathOf(parent)}.${key}`
}

/**
 * Checks the arguments of a method; `fields` has their values by name. Fails with `InvalidRequest`, whose `field` is the path of
 * the first value that JSON cannot hold.
 *
 * @internal
 */
export const checkJson = (
  operation: string,
  fields: { readonly [name: string]: unknown }
): Effect.Effect<PrivateTexts, InvalidRequest> => Effect.suspend(() => checkFields(operation, fields))

const checkFields = (
  operation: string,
  fields: { readonly [name: string]: unknown }
): Either.Either<PrivateTexts, InvalidRequest> => {
  const texts = new TextCollector()
  const unread: Array<Container> = []

  const visit = (
    given: unknown,
    parent: Container | undefined,
    key: string | number,
    depth: number
  ): Problem | undefined => {
    const before = problemOf(given)
    if (before !== undefined) return before
    const value = jsonValue(given, String(key))
    if (value !== given) {
      if (isEffectData(value)) return { problem: `is an Effect ${value._id}`, cure: "Pass the value that it holds." }
      const after = problemOf(value)
      if (after !== undefined) return after
    }
    if (typeof value === "string") {
      texts.add(value)
    } else if (typeof value === "object" && value !== null) {
      if (depth > depthLimit) return tooDeep
      unread.push({ value, parent, key, depth })
    }
    return undefined
  }

  const visitMembers = (container: Container): InvalidRequest | undefined => {
    const { depth, value } = container
    const members: Iterable<readonly [string | number, unknown]> = Array.isArray(value)
      ? value.entries()
      : Object.entries(value)
    for (const [key, member] of members) {
      const found = visit(member, container, key, depth + 1)
      if (found === undefined) continue
      const cycle = found === tooDeep ? cycleIn(container) : undefined
      return cycle === undefined
        ? report(container, key, found)
        : report(cycle.parent, cycle.key, { problem: "contains itself", cure: "Pass a value without cycles." })
    }
    return undefined
  }

  const report = (parent: Container | undefined, key: string | number, { cure, problem }: Problem): InvalidRequest =>
    invalidRequest(operation, pathOf({ parent, key }), problem, cure)

  for (const [name, field] of Object.entries(fields)) {
    try {
      const found = visit(field, undefined, name, 0)
      if (found !== undefined) return Either.left(report(undefined, name, found))
      for (let next = unread.pop(); next !== undefined; next = unread.pop()) {
        const wrong = visitMembers(next)
        if (wrong !== undefined) return Either.left(wrong)
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return Either.left(invalidRequest(operation, name, `cannot be read (${reason})`, "Pass a plain object."))
    }
  }
  return Either.right(texts)
}
