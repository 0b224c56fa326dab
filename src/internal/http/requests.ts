/**
 * Makes requests: paths with their ids encoded, a body that is bytes from the start, the key.
 *
 * @internal
 */
import * as HttpBody from "@effect/platform/HttpBody"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as IdempotencyKey from "../../IdempotencyKey.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { CurrentKey } from "./currentKey.js"
import { invalid } from "../errors/invalidRequest.js"
import { checkJson } from "./jsonBody.js"
import type { PrivateTexts } from "../errors/redact.js"

/** @internal `id` becomes one segment of a path, whatever is in it. */
export const encodeSegment = (operation: string, field: string, id: string): Effect.Effect<string, InvalidRequest> =>
  typeof id !== "string" || id === "" || id === "." || id === ".."
    ? Effect.fail(invalid(operation, field, "is not an id", "Pass the id as the API gave it."))
    : Effect.succeed(encodeURIComponent(id))

/** @internal A JSON body: its text is made once, so that every attempt sends the same bytes. */
export interface JsonBody {
  readonly text: string
  readonly privateTexts: PrivateTexts
}

/** @internal `fields` has the caller's arguments by name, for the `field` of an `InvalidRequest`; `body` is made of them. */
export const encodeJsonBody = (
  operation: string,
  fields: { readonly [name: string]: unknown },
  body: unknown
): Effect.Effect<JsonBody, InvalidRequest> =>
  Effect.zipWith(checkJson(operation, fields), bodyText(operation, body), (privateTexts, text) => ({
    text,
    privateTexts
  }))

const bodyText = (operation: string, body: unknown): Effect.Effect<string, InvalidRequest> =>
  Effect.try({
    try: () => JSON.stringify(body),
    catch: (cause) =>
      invalid(
        operation,
        "body",
        `cannot be written as JSON (${cause instanceof Error ? cause.message : String(cause)})`,
        "Take out cycles and bigints."
      )
  }).pipe(
    Effect.filterOrFail(
      (text) => typeof text === "string",
      () => invalid(operation, "body", "has no JSON form", "Pass an object.")
    )
  )

/** @internal */
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

const checkKey = (operation: string, key: string): Effect.Effect<string, InvalidRequest> =>
  typeof key === "string" && /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key)
    ? Effect.succeed(key)
    : Effect.fail(
        invalid(operation, "idempotencyKey", "cannot be sent in a header", "Use 1 to 255 printable ASCII characters.")
      )

/** @internal The key that the caller gave for this effect, if any; it serves one body only. */
export const givenKey = (operation: string, body: string): Effect.Effect<Option.Option<string>, InvalidRequest> =>
  Effect.flatMap(CurrentKey, (current) => {
    if (Option.isNone(current)) return Effect.succeedNone
    const given = current.value
    return Ref.modify(given.body, (used) => [
      Option.getOrElse(used, () => body) === body,
      Option.orElseSome(used, () => body)
    ]).pipe(
      Effect.filterOrFail(
        (same) => same,
        () =>
          invalid(
            operation,
            "idempotencyKey",
            "has been used for another body in the same effect, and the API would answer with that one's execution",
            "Give each create a withKey of its own."
          )
      ),
      Effect.zipRight(Effect.asSome(checkKey(operation, given.key)))
    )
  })

/** @internal In this order: the option of the call, `withKey`, a service provided to the effect, the client's own. */
export const keyFor = (
  keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  call: IdempotencyKey.KeyRequest,
  body: string,
  option: string | undefined
): Effect.Effect<string, InvalidRequest> => {
  if (option !== undefined) return checkKey(call.operation, option)
  return Effect.flatMap(
    givenKey(call.operation, body),
    Option.match({
      onSome: Effect.succeed,
      onNone: () =>
        Effect.serviceOption(IdempotencyKey.IdempotencyKey).pipe(
          Effect.flatMap((nearest) => Option.getOrElse(nearest, () => keys).next(call)),
          Effect.flatMap((key) => checkKey(call.operation, key))
        )
    })
  )
}
