/**
 * What a create asks for, once its body has been found in order.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { Model } from "./model.js"
import type { Details } from "../http/validation.js"
import * as Validation from "../http/validation.js"

/** @internal */
export interface Submission {
  readonly model: string
  readonly input: Readonly<Record<string, unknown>>
  readonly metadata?: unknown
  /** Where the events of this execution go, besides the endpoints. */
  readonly webhookUrl?: string | undefined
  /** The request's body as it came, by which a replay is told from another request. */
  readonly body: string
}

/** @internal The shape that every model asks for. */
export const decode = (text: string): Either.Either<Submission, Details> =>
  Either.flatMap(Validation.body(text), ({ model, input, metadata, webhook_url: webhookUrl }) => {
    const details = [
      ...(Predicate.isString(model) && model !== "" ? [] : [Validation.missing("model")]),
      ...Validation.optional(webhookUrl, Validation.isWebUrl, "webhook_url", "an http or https URL", "INVALID_URL"),
      ...Validation.optional(metadata, Validation.isObject, "metadata", "an object"),
      ...(Validation.isObject(input) ? [] : [Validation.missing("input")])
    ]
    return Predicate.isString(model) && Validation.isObject(input) && details.length === 0
      ? Either.right({
          model,
          input,
          metadata,
          ...(Predicate.isString(webhookUrl) ? { webhookUrl } : {}),
          body: text
        })
      : Either.left(details)
  })

const size = (input: Submission["input"], name: string): Details =>
  Validation.integer(input[name], 256, 2048, `input.${name}`, name)

const count = (input: Submission["input"], name: string): Details =>
  Validation.integer(input[name], 1, 10, `input.${name}`, name)

/** @internal What this model finds wrong with the input. */
export const check = (model: Model, input: Submission["input"]): Details => {
  const missing = (model.requires ?? []).filter((name) => !Predicate.isString(input[name]) || input[name] === "")
  const links = Object.keys(input).filter((name) => name !== "prompt" && /^https?:\/\/\S+$/.test(String(input[name])))
  const pictures = model.output === "image" || model.output === "images"
  return [
    ...missing.map((name) => Validation.missing(`input.${name}`, name)),
    ...links.map((name) => ({
      field: `input.${name}`,
      code: "URL_NOT_ACCEPTED",
      message: `${name} must be a file id; URLs are not accepted`
    })),
    ...(pictures ? [...size(input, "width"), ...size(input, "height")] : []),
    ...(model.output === "images" ? [...count(input, "n"), ...count(input, "num_images")] : [])
  ]
}

/** @internal Every file id anywhere in the input. */
export const fileIds = (value: unknown): ReadonlyArray<string> => {
  if (Predicate.isString(value)) {
    return /^file_[\w-]+$/.test(value) ? [value] : []
  }
  return Predicate.isObject(value) ? Object.values(value).flatMap(fileIds) : []
}
