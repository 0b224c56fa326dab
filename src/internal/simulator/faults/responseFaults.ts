/**
 * Faults of the response: errors, responses of a gateway, and wrong headers.
 */
import * as Duration from "effect/Duration"
import { signedMillis } from "../time.js"
import { type EnvelopeOptions, Fault, type Phase, type RawResponse, type ResetUnit } from "./types.js"

/**
 * Responds with an error envelope. With the phase `after`, the server processes the request first. By default, the
 * status and `retryable` are the documented values of the code. API page "Errors overview".
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   faults: [Simulator.Fault.envelope("MODEL_OVERLOADED", { headers: { "retry-after": "3" } })]
 * })
 * ```
 */
export const envelope = (code: string, options?: EnvelopeOptions): Fault =>
  Fault.Envelope({ ...options, code, phase: options?.phase ?? "before" })

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
 * Responds with a 429 and the rate limit headers. `X-RateLimit-Reset` is the server's time plus `resetIn`, rounded up
 * to whole seconds. `retryAfter` is the value of the Retry-After header. Default: no Retry-After header.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   faults: [Simulator.Fault.rateLimited({ resetIn: "5 seconds", retryAfter: "5" })]
 * })
 * ```
 */
export const rateLimited = (options: {
  readonly resetIn: Duration.DurationInput
  readonly retryAfter?: string | undefined
  readonly message?: string | undefined
  /** Phase of the response. Default: `before` */
  readonly phase?: Phase | undefined
}): Fault => {
  const { resetIn, phase = "before", ...rest } = options
  return Fault.RateLimited({ ...rest, phase, resetInMillis: Duration.toMillis(resetIn) })
}

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
