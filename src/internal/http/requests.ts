/**
 * Creates HTTP requests. Encodes ids in paths. Stores bodies as bytes because every attempt must send the same bytes.
 *
 * @internal
 */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as Effect from "effect/Effect"
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
 * Encodes `body` as JSON. `fields` contains the arguments of the caller by name. Fails with `InvalidRequest` if JSON
 * cannot represent an argument. The error contains the name of the argument.
 *
 * @internal
 */
export const encodeJsonBody = (
  operation: string,
  fields: { readonly [name: string]: unknown },
  body: unknown
): Effect.Effect<JsonBody, InvalidRequest> =>
  Effect.zipWith(checkJson(operation, fields), stringify(operation, body), (privateTexts, text) => ({
    text,
    privateTexts
  }))

const stringify = (operation: string, body: unknown): Effect.Effect<string, InvalidRequest> =>
  Effect.try({
    try: () => JSON.stringify(body),
    catch: (cause) =>
      invalidRequest(
        operation,
        "body",
        `cannot be written as JSON (${cause instanceof Error ? cause.message : String(cause)})`,
        "Remove cycles and bigints."
      )
  }).pipe(
    Effect.filterOrFail(
      (text) => typeof text === "string",
      () => invalidRequest(operation, "body", "has no JSON representation", "Pass an object.")
    )
  )

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
      : HttpClientRequest.setBody(
          request,
          HttpBody.uint8Array(new TextEncoder().encode(options.body), "application/json")
        )
  return options.key === undefined ? withBody : HttpClientRequest.setHeader(withBody, "idempotency-key", options.key)
}
