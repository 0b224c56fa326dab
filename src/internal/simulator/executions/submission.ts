/**
 * Decodes and validates the body of `POST /v1/executions`.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Validation from "../http/validation.js"
import type { Model } from "./model.js"

/** @internal */
export interface Submission {
  readonly model: string
  readonly input: Readonly<Record<string, unknown>>
  readonly metadata?: unknown
  /** URL that receives the events of this execution, in addition to the webhook endpoints. */
  readonly webhookUrl?: string | undefined
  /** Unparsed body of the create request. A later request with the same idempotency key must have the same body. */
  readonly body: string
}

/** @internal Decodes a create request. Checks only the fields that do not depend on the model. */
export const decode = (text: string): Either.Either<Submission, Validation.Details> =>
  Either.flatMap(Validation.parseObject(text), ({ model, input, metadata, webhook_url: webhookUrl }) => {
    const details = [
      ...(Predicate.isString(model) && model !== "" ? [] : [Validation.missingField("model")]),
      ...Validation.checkOptional(
        webhookUrl,
        Validation.isHttpUrl,
        "webhook_url",
        "an http or https URL",
        "INVALID_URL"
      ),
      ...Validation.checkOptional(metadata, Validation.isObject, "metadata", "an object"),
      ...(Validation.isObject(input) ? [] : [Validation.missingField("input")])
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

const checkSize = (input: Submission["input"], name: string): Validation.Details =>
  Validation.checkInteger(input[name], 256, 2048, `input.${name}`, name)

const checkCount = (input: Submission["input"], name: string): Validation.Details =>
  Validation.checkInteger(input[name], 1, 10, `input.${name}`, name)

/** @internal Returns an error for each input field that the model rejects. */
export const validateInput = (model: Model, input: Submission["input"]): Validation.Details => {
  const missing = (model.requires ?? []).filter((name) => !Predicate.isString(input[name]) || input[name] === "")
  const urls = Object.keys(input).filter((name) => name !== "prompt" && /^https?:\/\/\S+$/.test(String(input[name])))
  const hasImages = model.output === "image" || model.output === "images"
  return [
    ...missing.map((name) => Validation.missingField(`input.${name}`, name)),
    ...urls.map((name) => ({
      field: `input.${name}`,
      code: "URL_NOT_ACCEPTED",
      message: `${name} must be a file id. URLs are not accepted`
    })),
    ...(hasImages ? [...checkSize(input, "width"), ...checkSize(input, "height")] : []),
    ...(model.output === "images" ? [...checkCount(input, "n"), ...checkCount(input, "num_images")] : [])
  ]
}

/** @internal Returns all file ids in the input, at any depth. */
export const collectFileIds = (value: unknown): ReadonlyArray<string> => {
  if (Predicate.isString(value)) {
    return /^file_[\w-]+$/.test(value) ? [value] : []
  }
  return Predicate.isObject(value) ? Object.values(value).flatMap(collectFileIds) : []
}
