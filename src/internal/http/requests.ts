/**
 * Creates HTTP requests. Encodes the ids in request paths. Encodes each body once, because every attempt must send the
 * same bytes.
 *
 * @internal
 */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { isPathSegment } from "../data/lenient.js"
import type { PrivateTexts } from "../errors/confidential.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { checkJson } from "./jsonBody.js"

/** @internal Encodes an id as one path segment. Fails with `InvalidRequest` if the id cannot be a path segment. */
export const encodeSegment = (operation: string, field: string, id: string): Effect.Effect<string, InvalidRequest> =>
  isPathSegment(id)
    ? Effect.succeed(encodeURIComponent(id))
    : Effect.fail(invalidRequest(operation, field, "is not an id", "Pass the id that the API returned."))

/** @internal Text of a JSON body, and the parts of the text that errors must not quote. */
export interface JsonBody {
  readonly text: string
  readonly privateTexts: PrivateTexts
}

/**
 * Encodes `body` as JSON. `fields` contains the parts of `body` that come from the caller, by the name of the argument.
 * Fails with `InvalidRequest` if JSON cannot represent an argument. The `field` of the error begins with the name of
 * this argument.
 *
 * @internal
 */
export const encodeJsonBody = (
  operation: string,
  fields: { readonly [name: string]: unknown },
  body: unknown
): Either.Either<JsonBody, InvalidRequest> => {
  const privateTexts = checkJson(operation, fields)
  if (Either.isLeft(privateTexts)) return Either.left(privateTexts.left)
  const text = stringify(operation, body)
  if (Either.isLeft(text)) return Either.left(text.left)
  return Either.right({ text: text.right, privateTexts: privateTexts.right })
}

const stringify = (operation: string, body: unknown): Either.Either<string, InvalidRequest> => {
  try {
    const text: unknown = JSON.stringify(body)
    return typeof text === "string"
      ? Either.right(text)
      : Either.left(invalidRequest(operation, "body", "has no JSON form", "Pass an object."))
  } catch (cause) {
    const problem = `cannot be written as JSON (${cause instanceof Error ? cause.message : String(cause)})`
    return Either.left(invalidRequest(operation, "body", problem, "Remove cycles and bigints."))
  }
}

const textEncoder = new TextEncoder()

/** @internal Creates a request. `body` is JSON text. `key` is an idempotency key. */
export const make = (
  method: HttpMethod,
  path: string,
  options: { readonly body?: string | undefined; readonly key?: string | undefined } = {}
): HttpClientRequest.HttpClientRequest => {
  const request = HttpClientRequest.make(method)(path)
  const withBody =
    options.body === undefined
      ? request
      : HttpClientRequest.setBody(request, HttpBody.uint8Array(textEncoder.encode(options.body), "application/json"))
  return options.key === undefined ? withBody : HttpClientRequest.setHeader(withBody, "idempotency-key", options.key)
}
