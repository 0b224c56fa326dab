/**
 * Creates faults. Pass the faults in the option `faults`, or add faults to a running simulator with `Service.inject`.
 */
import { cutBody, delay, dropAfter, dropBefore, hang } from "./connectionFaults.js"
import { apiError, badGateway, raw, resetUnit, skewDate, withoutHeaders } from "./responseFaults.js"
import type { Matcher, Outcome } from "./settings.js"
import { Fault } from "./types.js"

export * from "./connectionFaults.js"
export * from "./responseFaults.js"
export type {
  ApiErrorOptions,
  CompletedOutcome,
  EndedOutcome,
  ErrorCode,
  FailedOutcome,
  Matcher,
  Outcome,
  Phase,
  RawResponse,
  ResetUnit,
  Selection,
  Target
} from "./settings.js"
export type {
  ApiError,
  CutBody,
  Delay,
  DropAfter,
  DropBefore,
  ExecutionOutcome,
  Fault,
  Hang,
  Raw,
  SkewDate,
  TruncateCleanly,
  WithoutHeaders,
  WrongResetUnit
} from "./types.js"

/**
 * Sets the terminal outcome of the next execution that a client creates. With `EXPIRED`, the execution ends at its
 * `expires_at`. With any other status, the execution ends after the duration of its model. If this duration is longer
 * than the option `expiresAfter`, the execution ends as `EXPIRED`. Another fault can apply to the same create request.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   faults: [
 *     Simulator.Fault.executionOutcome({ status: "COMPLETED", output: { text: "A fox." } }),
 *     Simulator.Fault.executionOutcome({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" })
 *   ]
 * })
 * ```
 */
export const executionOutcome = (outcome: Outcome): Fault =>
  Fault.ExecutionOutcome({ on: "executions.create", outcome })

/**
 * Applies a fault only to the requests of an operation, or to the requests for which a predicate returns `true`.
 * Without `on`, a fault applies to any API request, but not to storage requests.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * const { badGateway, dropAfter, on } = Simulator.Fault
 *
 * export const simulator = Simulator.layer({
 *   faults: [on("storage.put", dropAfter), on(({ path }) => path.endsWith("/result"), badGateway)]
 * })
 * ```
 */
export const on = (matcher: Matcher, fault: Fault): Fault => ({ ...fault, on: matcher })

/**
 * Applies a fault to the next `n` requests that match the fault. With `Infinity`, the fault applies to all later
 * requests that match. If calls of `times` are nested, their numbers are multiplied.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   faults: [
 *     Simulator.Fault.on("executions.create", Simulator.Fault.times(3, Simulator.Fault.apiError("MODEL_OVERLOADED")))
 *   ]
 * })
 * ```
 */
export const times = (n: number, fault: Fault): Fault => ({ ...fault, times: n * (fault.times ?? 1) })

/**
 * All faults that a client can ignore or handle with a retry.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   randomFaults: { seed: 1, probability: 0.2, faults: Simulator.Fault.transient }
 * })
 * ```
 */
export const transient: ReadonlyArray<Fault> = [
  dropBefore,
  dropAfter,
  cutBody(),
  delay("2 seconds", "before"),
  delay("2 seconds", "after"),
  hang("before"),
  hang("after"),
  apiError("MODEL_OVERLOADED"),
  apiError("MODEL_UNAVAILABLE"),
  apiError("SERVICE_UNAVAILABLE"),
  apiError("SERVICE_UNAVAILABLE", { phase: "after" }),
  apiError("GENERATION_TIMEOUT"),
  apiError("GENERATION_FAILED"),
  badGateway,
  raw({ status: 503, body: "" }),
  raw({ status: 504, headers: { "content-type": "text/plain" }, body: "upstream request timeout", phase: "after" }),
  apiError("RATE_LIMITED", { resetIn: "2 seconds" }),
  apiError("RATE_LIMITED", { resetIn: "2 seconds", retryAfter: "2 seconds" }),
  skewDate("5 minutes"),
  skewDate(-300_000),
  withoutHeaders(),
  resetUnit("millis"),
  resetUnit("delta"),
  resetUnit("garbage"),
  resetUnit("past"),
  resetUnit("absurd")
]
