/**
 * What a create asks for, once its body has been found in order.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { Detail } from "./answer.js"
import type { Model } from "./model.js"

/** @internal */
export interface Submission {
  readonly model: string
  readonly input: Readonly<Record<string, unknown>>
  readonly metadata?: unknown
  /** The request's body as it came, by which a replay is told from another request. */
  readonly body: string
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Predicate.isRecord(value) && !Array.isArray(value)

const parse = (text: string): Either.Either<unknown, ReadonlyArray<Detail>> =>
  Either.try({
    try: (): unknown => JSON.parse(text),
    catch: () => [{ field: "", code: "INVALID_JSON", message: "The body is not JSON" }]
  })

const optional = (value: unknown, test: (value: unknown) => boolean, field: string, kind: string): Array<Detail> =>
  value === undefined || value === null || test(value)
    ? []
    : [{ field, code: "INVALID_TYPE", message: `${field} must be ${kind}` }]

/** @internal The shape that every model asks for. */
export const decode = (text: string): Either.Either<Submission, ReadonlyArray<Detail>> =>
  Either.flatMap(parse(text), (body): Either.Either<Submission, ReadonlyArray<Detail>> => {
    if (!isObject(body)) {
      return Either.left([{ field: "", code: "INVALID_TYPE", message: "The body must be an object" }])
    }
    const { model, input, metadata, webhook_url: webhookUrl } = body
    const details = [
      ...optional(webhookUrl, Predicate.isString, "webhook_url", "a string"),
      ...optional(metadata, isObject, "metadata", "an object")
    ]
    if (!Predicate.isString(model) || model === "") {
      details.unshift({ field: "model", code: "REQUIRED", message: "model is required" })
    }
    if (!isObject(input)) {
      details.push({ field: "input", code: "REQUIRED", message: "input is required" })
    }
    return Predicate.isString(model) && isObject(input) && details.length === 0
      ? Either.right({ model, input, metadata, body: text })
      : Either.left(details)
  })

const inRange = (input: Submission["input"], name: string, min: number, max: number): ReadonlyArray<Detail> => {
  const value = input[name]
  if (value === undefined) {
    return []
  }
  const field = `input.${name}`
  if (!Number.isInteger(value)) {
    return [{ field, code: "INVALID_TYPE", message: `${name} must be an integer` }]
  }
  return Number(value) < min || Number(value) > max
    ? [{ field, code: "OUT_OF_RANGE", message: `${name} must be between ${min} and ${max}` }]
    : []
}

/** @internal What this model finds wrong with the input. */
export const check = (model: Model, input: Submission["input"]): ReadonlyArray<Detail> => {
  const missing = (model.requires ?? []).filter((name) => !Predicate.isString(input[name]) || input[name] === "")
  const links = Object.keys(input).filter((name) => name !== "prompt" && /^https?:\/\/\S+$/.test(String(input[name])))
  const pictures = model.output === "image" || model.output === "images"
  return [
    ...missing.map((name) => ({ field: `input.${name}`, code: "REQUIRED", message: `${name} is required` })),
    ...links.map((name) => ({
      field: `input.${name}`,
      code: "URL_NOT_ACCEPTED",
      message: `${name} must be a file id; URLs are not accepted`
    })),
    ...(pictures ? [...inRange(input, "width", 256, 2048), ...inRange(input, "height", 256, 2048)] : []),
    ...(model.output === "images" ? [...inRange(input, "n", 1, 10), ...inRange(input, "num_images", 1, 10)] : [])
  ]
}

/** @internal Every file id anywhere in the input. */
export const fileIds = (value: unknown): ReadonlyArray<string> => {
  if (Predicate.isString(value)) {
    return /^file_[\w-]+$/.test(value) ? [value] : []
  }
  return Predicate.isObject(value) ? Object.values(value).flatMap(fileIds) : []
}
