/**
 * Creates faults of the response: API errors, responses of a gateway, and wrong headers.
 */
import type * as Duration from "effect/Duration"
import { signedMillis } from "../time.js"
import type { ApiErrorOptions, ErrorCode, RawResponse, ResetUnit } from "./settings.js"
import { Fault } from "./types.js"

/**
 * Responds with an error of the API. By default, the status and `retryable` are the documented values of the error
 * code, as in `ModelRouteError.codes`. The server does not process the request, except with the phase `after`. Default
 * of `phase`: `before`. See the API page "Error codes".
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * const { apiError } = Simulator.Fault
 *
 * export const simulator = Simulator.layer({
 *   faults: [
 *     apiError("INPUT_VALIDATION_ERROR", {
 *       details: [{ field: "input.width", code: "OUT_OF_RANGE", message: "width must be at most 2048" }]
 *     }),
 *     apiError("MODEL_OVERLOADED", { retryAfter: "3 seconds" }),
 *     apiError("RATE_LIMITED", { resetIn: "10 seconds" })
 *   ]
 * })
 * ```
 */
export const apiError = (code: ErrorCode, options?: ApiErrorOptions): Fault =>
  Fault.ApiError({ ...options, code, phase: options?.phase ?? "before" })

/**
 * Responds with any status, headers and body. Use this fault to simulate the response of a proxy or a gateway. The
 * server does not process the request, except with the phase `after`. Default of `phase`: `before`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   faults: [Simulator.Fault.raw({ status: 504, body: "upstream request timeout", phase: "after" })]
 * })
 * ```
 */
export const raw = (response: RawResponse): Fault => Fault.Raw({ ...response, phase: response.phase ?? "before" })

/**
 * Responds with a gateway's HTML page and the status 502. The server does not process the request.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.badGateway] })
 * ```
 */
export const badGateway: Fault = raw({
  status: 502,
  headers: { "content-type": "text/html" },
  body: "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
})

/**
 * Processes the request and responds with the status 200 and an empty body.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.emptyOk] })
 * ```
 */
export const emptyOk: Fault = raw({ status: 200, body: "", phase: "after" })

/**
 * Processes the request and shifts the Date header of the response by the duration `by`. A number is in milliseconds. A
 * negative number shifts the date into the past.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.skewDate("5 minutes")] })
 * ```
 */
export const skewDate = (by: Duration.DurationInput): Fault => Fault.SkewDate({ millis: signedMillis(by) })

/**
 * Processes the request and omits headers from the response. Default of `names`: Date and the three rate limit headers.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.withoutHeaders("content-type")] })
 * ```
 */
export const withoutHeaders = (...names: ReadonlyArray<string>): Fault =>
  Fault.WithoutHeaders({
    names:
      names.length > 0
        ? names.map((name) => name.toLowerCase())
        : ["date", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
  })

/**
 * Processes the request and replaces the Unix seconds in the `X-RateLimit-Reset` header of the response. `ResetUnit`
 * describes the values that can replace the seconds.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.resetUnit("millis")] })
 * ```
 */
export const resetUnit = (unit: ResetUnit): Fault => Fault.ResetUnit({ unit })
