/**
 * Creates faults of the response: errors, responses of a gateway, and wrong headers.
 */
import type * as Duration from "effect/Duration"
import { signedMillis } from "../time.js"
import type { ApiErrorOptions, ErrorCode, RawResponse, ResetUnit } from "./settings.js"
import { Fault } from "./types.js"

/**
 * Responds with an error of the API. By default, the status and `retryable` are the documented values of the code, as
 * in `ModelRouteError.codes`. With the phase `after`, the server processes the request first. See the API page "Error
 * codes".
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
 * Responds with any status, headers and body. Simulates, for example, the response of a proxy or a gateway.
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
 * Shifts the Date header of a normal response. A negative number of milliseconds shifts the date into the past.
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
 * Omits headers from a normal response. Default: Date and the three rate limit headers.
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
 * Replaces the `X-RateLimit-Reset` header of a normal response with a value in another unit.
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
