/**
 * Implements the client method `request`, which sends a request to any endpoint of the API. Idempotency keys, retries
 * and errors work as in the other client methods.
 *
 * @internal
 */
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import { omitUndefined } from "../data/lenient.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { decodeAny } from "./attempt.js"
import { takeCurrentKey } from "./idempotencyKey.js"
import * as requests from "./requests.js"
import type { RequestSender } from "./requestSender.js"
import { runOperation } from "./retryLoop.js"

const methods: ReadonlySet<string> = new Set<HttpMethod>(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])

// RFC 9110, section 9.2.2, defines these methods as idempotent, so their requests can be repeated without an
// idempotency key.
const idempotentMethods: ReadonlySet<HttpMethod> = new Set<HttpMethod>(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])

const operation = "request"

/**
 * Returns `true` if a URL parser keeps the path unchanged. Rejects a path with a host, a fragment or a dot segment,
 * because the request would have another target.
 */
const isPlainPath = (path: string): boolean => {
  const host = "http://api.invalid"
  if (!path.startsWith("/") || !URL.canParse(path, host)) return false
  const url = new URL(path, host)
  return url.origin === host && url.pathname + url.search === path
}

const checkMethod = (method: HttpMethod): Effect.Effect<void, InvalidRequest> =>
  methods.has(method)
    ? Effect.void
    : Effect.fail(
        invalidRequest(operation, "method", "is not an HTTP method", `Pass one of ${[...methods].join(", ")}.`)
      )

/** Fails with `InvalidRequest` if a GET or HEAD request has a body, because `fetch` does not send such a body. */
const checkBody = (method: HttpMethod, body: unknown): Effect.Effect<void, InvalidRequest> =>
  body === undefined || (method !== "GET" && method !== "HEAD")
    ? Effect.void
    : Effect.fail(
        invalidRequest(
          operation,
          "body",
          `is not allowed in a ${method} request`,
          "Put the parameters in the query of the path."
        )
      )

const toApiPath = (path: string): Effect.Effect<string, InvalidRequest> =>
  typeof path === "string" && isPlainPath(path)
    ? Effect.succeed(/^\/v1(\/|\?|$)/.test(path) ? path : `/v1${path}`)
    : Effect.fail(
        invalidRequest(
          operation,
          "path",
          "is not a path of the API",
          "Start the path with /, encode its segments and omit the host."
        )
      )

/** @internal */
export const makeRequestMethod =
  (sender: RequestSender) =>
  (method: HttpMethod, path: string, body?: unknown): Effect.Effect<unknown, RequestFailure> =>
    Effect.gen(function* () {
      yield* checkMethod(method)
      yield* checkBody(method, body)
      const url = yield* toApiPath(path)
      const json = body === undefined ? undefined : yield* requests.encodeJsonBody(operation, { body }, body)
      const isIdempotent = idempotentMethods.has(method)
      const key = isIdempotent ? undefined : Option.getOrUndefined(yield* takeCurrentKey(operation, json?.text ?? ""))
      const response = yield* runOperation(sender, {
        operation: `${operation} ${method}`,
        request: requests.make(method, url, { body: json?.text, key }),
        decode: decodeAny,
        isRepeatable: isIdempotent || key !== undefined,
        isKeyed: key !== undefined,
        confidential: omitUndefined({ privateTexts: json?.privateTexts }),
        ...(key === undefined ? {} : { idempotencyKey: key })
      })
      return response.json
    })
