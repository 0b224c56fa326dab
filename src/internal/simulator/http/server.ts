/**
 * The whole server: who may come in, how often, what goes wrong, and what is remembered of it.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as monotonic from "../../data/monotonic.js"
import type { Answer, Head, Request } from "./response.js"
import * as AnswerOf from "./response.js"
import { applyFault } from "../faults/apply.js"
import type { Api } from "./apiCall.js"
import type { TerminalOutcome, Ends, Target } from "../faults/fault.js"
import type { Faults } from "../faults/faults.js"
import type { Ids } from "../ids.js"
import * as Operation from "./routes.js"
import * as RateLimiter from "./rateLimiter.js"
import type { Refusals } from "./errorResponses.js"
import type { RequestLog, RequestRecord } from "./requestLog.js"
import type { Storage } from "../files/storage.js"
import { httpDate } from "../time.js"
import type { Webhooks } from "../webhooks/webhooks.js"

/** @internal */
export interface Parts {
  readonly api: Api
  readonly faults: Faults
  readonly ids: Ids
  readonly refusals: Refusals
  readonly storage: Storage
  readonly webhooks: Webhooks
  readonly log: RequestLog
  readonly limiter: RateLimiter.RateLimiter
  readonly roundReset: (seconds: number) => number
  readonly authorized: (key: string, now: number) => boolean
  readonly date: boolean
  readonly retryAfter: boolean
  /** The server's clock less the Clock, in milliseconds. */
  readonly skew: number
  readonly storageBase: (request: Head) => string
  /** The most bytes that an upload may have. */
  readonly maxUpload: number
  readonly onRequest: (record: RequestRecord) => Effect.Effect<void>
}

/** @internal The server, for any of its faces. */
export interface Handler {
  readonly handle: (request: Request) => Effect.Effect<Answer>
  /**
   * How long the body of an upload to the storage may be, undefined for any other request. A body that is longer, or whose
   * length is not announced, does not have to be read: it is refused whatever it is.
   */
  readonly uploadLimit: (request: Head) => number | undefined
}

const bearer = (request: Request): string => /^Bearer +(\S+)$/i.exec(request.headers["authorization"] ?? "")?.[1] ?? ""

const target = (request: Request, route: Operation.Route): Target => {
  const idempotencyKey = request.headers["idempotency-key"]
  return {
    operation: Operation.operation(route, request.method),
    method: request.method,
    path: request.url,
    headers: request.headers,
    body: request.body,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey })
  }
}

/** Every length is announced, unless the answer comes in chunks or may not have one. */
const measured = (answer: Answer): Answer =>
  answer.delivery._tag === "Chunked" || answer.status === 204 || answer.status === 304
    ? answer
    : AnswerOf.withHeaders(answer, { "content-length": String(answer.body.length) })

/** @internal */
export const make = (parts: Parts): Handler => {
  const { api, faults, ids, limiter, log, roundReset, skew, webhooks } = parts
  const { nowhere, refuse } = parts.refusals

  const fromGateway = (answer: Answer, now: number): Answer =>
    parts.date ? AnswerOf.withHeaders(answer, { date: httpDate(now + skew) }) : answer

  const fromApi = (answer: Answer, now: number): Answer =>
    AnswerOf.withHeaders(fromGateway(answer, now), RateLimiter.headers(limiter.standing(now + skew), roundReset))

  const tooMany = (now: number): Answer => {
    const answer = refuse({ code: "RATE_LIMITED", message: "Too many requests" })
    const standing = limiter.standing(now + skew)
    if (!parts.retryAfter || standing === undefined) return answer
    const seconds = Math.ceil((standing.reset - now - skew) / 1000)
    return AnswerOf.withHeaders(answer, { "retry-after": String(seconds) })
  }

  const fromRoute = (
    request: Request,
    route: Exclude<Operation.Route, { readonly _tag: "Storage" }>,
    now: number,
    ending: () => TerminalOutcome | undefined
  ): Answer => {
    switch (route._tag) {
      case "Api":
        return api[route.operation]({ request, id: route.id, now, ending })
      case "WrongMethod":
        return AnswerOf.withHeaders(
          refuse({ code: "METHOD_NOT_ALLOWED", status: 405, message: `${request.method} does not fit this path` }),
          { allow: route.allow }
        )
      case "NotFound":
        return nowhere()
    }
  }

  const admitted = (request: Request, now: number, answer: () => Answer): Answer => {
    if (!parts.authorized(bearer(request), now)) {
      return refuse({ code: "UNAUTHORIZED", status: 401, message: "The API key is missing or invalid" })
    }
    return limiter.admit(now + skew) ? answer() : tooMany(now)
  }

  const answer = (
    request: Request,
    route: Operation.Route,
    now: number,
    ending: () => TerminalOutcome | undefined
  ): Answer =>
    route._tag === "Storage"
      ? fromGateway(parts.storage.serve(request, route, now), now)
      : fromApi(
          admitted(request, now, () => fromRoute(request, route, now, ending)),
          now
        )

  /** What has happened before is told to those who were there before. */
  const serve = (
    request: Request,
    route: Operation.Route,
    ending: () => TerminalOutcome | undefined
  ): Effect.Effect<Answer> =>
    Effect.flatMap(monotonic.now, (now) => {
      webhooks.advance(now)
      const answered = answer(request, route, now, ending)
      return Effect.as(webhooks.flush(now), answered)
    }).pipe(Effect.uninterruptible)

  const atNow =
    (stamp: (answer: Answer, now: number) => Answer) =>
    (answer: Answer): Effect.Effect<Answer> =>
      Effect.map(monotonic.now, (now) => stamp(answer, now))

  const exchange = {
    fromApi: atNow(fromApi),
    fromGateway: atNow(fromGateway),
    requestId: ids.request,
    now: Effect.map(monotonic.now, (now) => now + skew)
  }

  const handle = Effect.fnUntraced(function* (request: Request) {
    const route = Operation.route(request, parts.storageBase(request))
    const asked = target(request, route)
    const fault = faults.strike(asked)
    let ending: Ends | undefined
    const served = serve(request, route, () => (ending = faults.ending(asked)))
    const close = log.open(asked, yield* monotonic.now, fault?._tag)
    const answer = measured(yield* fault === undefined ? served : applyFault(fault, { ...exchange, serve: served }))
    yield* parts.onRequest(close(answer, ending?._tag))
    return answer
  })

  return {
    handle,
    uploadLimit: (head) => {
      const route = Operation.route(head, parts.storageBase(head))
      return route._tag === "Storage" && route.verb === "PUT" && head.method === "PUT" ? parts.maxUpload : undefined
    }
  }
}
