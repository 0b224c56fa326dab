/**
 * Handles requests to the simulator: authorization, rate limit, faults, routing and the request log.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as monotonic from "../../data/monotonic.js"
import { applyFault, type Exchange } from "../faults/apply.js"
import type { Outcome, Target } from "../faults/settings.js"
import type { OutcomeFault } from "../faults/types.js"
import type { Faults } from "../faults/faults.js"
import type { Storage } from "../files/storage.js"
import type { Ids } from "../ids.js"
import { httpDate } from "../time.js"
import type { Webhooks } from "../webhooks/webhooks.js"
import type { ApiHandlers } from "./apiCall.js"
import type { ErrorResponses } from "./errorResponses.js"
import * as RateLimiter from "./rateLimiter.js"
import type { RequestData, RequestHead } from "./request.js"
import type { RequestLog, RequestRecord } from "./requestLog.js"
import { type ResponseData, withHeaders } from "./response.js"
import * as Routes from "./routes.js"

/** @internal */
export interface ServerContext {
  readonly api: ApiHandlers
  readonly faults: Faults
  readonly ids: Ids
  readonly errorResponses: ErrorResponses
  readonly storage: Storage
  readonly webhooks: Webhooks
  readonly log: RequestLog
  readonly limiter: RateLimiter.RateLimiter
  readonly roundReset: (seconds: number) => number
  readonly isAuthorized: (key: string, now: number) => boolean
  /** Indicates whether every response has a Date header. */
  readonly date: boolean
  /** Indicates whether each 429 has a Retry-After header. */
  readonly retryAfter: boolean
  /** Time by which the server's clock is ahead of Effect's `Clock`, in milliseconds. */
  readonly skew: number
  readonly storageBase: (request: RequestHead) => string
  /** Maximum size of an upload, in bytes. */
  readonly maxUpload: number
  readonly onRequest: (record: RequestRecord) => Effect.Effect<void>
}

/** @internal Handles the requests of the client in memory and of the HTTP app on a port. */
export interface Server {
  readonly handle: (request: RequestData) => Effect.Effect<ResponseData>
  /**
   * Returns the maximum body length of a storage upload in bytes, or `undefined` for other requests. The storage
   * rejects a longer body and a body without Content-Length. The caller need not read such a body.
   */
  readonly uploadLimit: (request: RequestHead) => number | undefined
}

const bearerToken = (request: RequestData): string =>
  /^Bearer +(\S+)$/i.exec(request.headers["authorization"] ?? "")?.[1] ?? ""

const toTarget = (request: RequestData, route: Routes.Route): Target => {
  const idempotencyKey = request.headers["idempotency-key"]
  return {
    operation: Routes.toOperation(route, request.method),
    method: request.method,
    path: request.url,
    headers: request.headers,
    body: request.body,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey })
  }
}

/** Adds Content-Length unless the response is chunked or has the status 204 or 304. */
const withContentLength = (response: ResponseData): ResponseData =>
  response.transmission._tag === "Chunked" || response.status === 204 || response.status === 304
    ? response
    : withHeaders(response, { "content-length": String(response.body.length) })

/** Adds the Date header unless the option `date` is `false`. */
const withServerHeaders = ({ date, skew }: ServerContext, response: ResponseData, now: number): ResponseData =>
  date ? withHeaders(response, { date: httpDate(now + skew) }) : response

/** Adds the Date header and the rate limit headers. */
const withApiHeaders = (context: ServerContext, response: ResponseData, now: number): ResponseData =>
  withHeaders(
    withServerHeaders(context, response, now),
    RateLimiter.toHeaders(context.limiter.state(now + context.skew), context.roundReset)
  )

const rateLimitResponse = ({ errorResponses, limiter, retryAfter, skew }: ServerContext, now: number): ResponseData => {
  const response = errorResponses.error({ code: "RATE_LIMITED", message: "Too many requests" })
  const state = limiter.state(now + skew)
  if (!retryAfter || state === undefined) return response
  const seconds = Math.ceil((state.reset - now - skew) / 1000)
  return withHeaders(response, { "retry-after": String(seconds) })
}

type ApiRoute = Exclude<Routes.Route, { readonly _tag: "Storage" }>

/** One request with its route. `nextOutcome` returns the outcome fault for an execution that the request creates. */
interface RoutedRequest<Route extends Routes.Route = Routes.Route> {
  readonly request: RequestData
  readonly route: Route
  readonly nextOutcome: () => Outcome | undefined
}

const callApi = (
  { api, errorResponses }: ServerContext,
  { nextOutcome, request, route }: RoutedRequest<ApiRoute>,
  now: number
): ResponseData => {
  switch (route._tag) {
    case "Api":
      return api[route.operation]({ request, id: route.id, now, nextOutcome })
    case "WrongMethod": {
      const message = `Method ${request.method} is not allowed for this path`
      const response = errorResponses.error({ code: "METHOD_NOT_ALLOWED", status: 405, message })
      return withHeaders(response, { allow: route.allow })
    }
    case "NotFound":
      return errorResponses.pathNotFound()
  }
}

/** Checks the API key and the rate limit, and then calls the API. */
const admitAndCall = (context: ServerContext, routed: RoutedRequest<ApiRoute>, now: number): ResponseData => {
  if (!context.isAuthorized(bearerToken(routed.request), now)) {
    const message = "The API key is missing or invalid"
    return context.errorResponses.error({ code: "UNAUTHORIZED", status: 401, message })
  }
  return context.limiter.tryAcquire(now + context.skew)
    ? callApi(context, routed, now)
    : rateLimitResponse(context, now)
}

const respond = (context: ServerContext, { nextOutcome, request, route }: RoutedRequest, now: number): ResponseData =>
  route._tag === "Storage"
    ? withServerHeaders(context, context.storage.serve(request, route, now), now)
    : withApiHeaders(context, admitAndCall(context, { nextOutcome, request, route }, now), now)

/**
 * Serves a request without faults. First assigns the webhook events that are due to their recipients. Otherwise, a
 * request that changes an endpoint could change the recipients of earlier events.
 */
const serve = (context: ServerContext, routed: RoutedRequest): Effect.Effect<ResponseData> =>
  Effect.flatMap(monotonic.now, (now) => {
    context.webhooks.advance(now)
    const response = respond(context, routed, now)
    return Effect.as(context.webhooks.flush(now), response)
  }).pipe(Effect.uninterruptible)

const makeExchange = (context: ServerContext): Omit<Exchange, "serve"> => ({
  withApiHeaders: (response) => Effect.map(monotonic.now, (now) => withApiHeaders(context, response, now)),
  withServerHeaders: (response) => Effect.map(monotonic.now, (now) => withServerHeaders(context, response, now)),
  requestId: context.ids.request,
  now: Effect.map(monotonic.now, (now) => now + context.skew)
})

/** @internal */
export const make = (context: ServerContext): Server => {
  const { faults, log, maxUpload, onRequest, storageBase } = context
  const exchange = makeExchange(context)
  return {
    handle: Effect.fnUntraced(function* (request: RequestData) {
      const route = Routes.matchRoute(request, storageBase(request))
      const target = toTarget(request, route)
      const fault = faults.nextFault(target)
      let outcomeFault: OutcomeFault | undefined
      const nextOutcome = () => (outcomeFault = faults.nextOutcome(target))?.outcome
      const served = serve(context, { request, route, nextOutcome })
      const finish = log.start(target, yield* monotonic.now, fault?._tag)
      const faulted = fault === undefined ? served : applyFault(fault, { ...exchange, serve: served })
      const response = withContentLength(yield* faulted)
      yield* onRequest(finish(response, outcomeFault?._tag))
      return response
    }),
    uploadLimit: (head) => {
      const route = Routes.matchRoute(head, storageBase(head))
      return route._tag === "Storage" && route.method === "PUT" && head.method === "PUT" ? maxUpload : undefined
    }
  }
}
