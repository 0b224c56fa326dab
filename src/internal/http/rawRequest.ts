/**
 * The way out: any endpoint, with the same key handling, retries and errors as the methods.
 *
 * @internal
 */
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RequestFailure } from "../../ModelRouteError.js"
import { runOperation, type RequestSender } from "./retryLoop.js"
import * as attempt from "./attempt.js"
import { invalid } from "../errors/invalidRequest.js"
import * as requests from "./requests.js"
import { present } from "../data/lenient.js"

const methods: ReadonlySet<string> = new Set<HttpMethod>(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])

// RFC 9110, 9.2.2
const idempotent: ReadonlySet<HttpMethod> = new Set<HttpMethod>(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])

const operation = "request"

/** Whatever a URL parser would make something else of is refused: another host, dot segments in any spelling, a fragment. */
const isPlain = (path: string): boolean => {
  const host = "http://api.invalid"
  if (!path.startsWith("/") || !URL.canParse(path, host)) return false
  const url = new URL(path, host)
  return url.origin === host && url.pathname + url.search === path
}

const checkMethod = (method: HttpMethod) =>
  methods.has(method)
    ? Effect.void
    : Effect.fail(invalid(operation, "method", "is not an HTTP method", `Pass one of ${[...methods].join(", ")}.`))

// `fetch` sends none of these.
const checkBody = (method: HttpMethod, body: unknown) =>
  body === undefined || (method !== "GET" && method !== "HEAD")
    ? Effect.void
    : Effect.fail(
        invalid(operation, "body", `is given to a ${method} request`, "Put the parameters in the query of the path.")
      )

const apiPath = (path: string) =>
  typeof path === "string" && isPlain(path)
    ? Effect.succeed(/^\/v1(\/|\?|$)/.test(path) ? path : `/v1${path}`)
    : Effect.fail(
        invalid(operation, "path", "is not a path of the API", "Begin it with /, encode its parts, leave out the host.")
      )

/** @internal */
export const request =
  (sender: RequestSender) =>
  (method: HttpMethod, path: string, body?: unknown): Effect.Effect<unknown, RequestFailure> =>
    Effect.gen(function* () {
      yield* checkMethod(method)
      yield* checkBody(method, body)
      const url = yield* apiPath(path)
      const json = body === undefined ? undefined : yield* requests.encodeJsonBody(operation, { body }, body)
      const safe = idempotent.has(method)
      const key = safe ? undefined : Option.getOrUndefined(yield* requests.givenKey(operation, json?.text ?? ""))
      const response = yield* runOperation(sender, {
        operation: `${operation} ${method}`,
        request: requests.make(method, url, { body: json?.text, key }),
        decode: attempt.decodeAny,
        repeatable: safe || key !== undefined,
        keyed: key !== undefined,
        confidential: present({ privateTexts: json?.privateTexts }),
        ...(key === undefined ? {} : { idempotencyKey: key })
      })
      return response.json
    })
