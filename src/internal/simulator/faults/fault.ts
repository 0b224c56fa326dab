/**
 * Constructors of faults. Pass faults in the option `faults`, or inject them while the simulator runs.
 */
import { cutBody, delay, dropAfter, dropBefore, hang } from "./connectionFaults.js"
import { badGateway, envelope, raw, rateLimited, resetUnit, skewDate, withoutHeaders } from "./responseFaults.js"
import { Fault, type Matcher, type TerminalOutcome } from "./types.js"

export * from "./connectionFaults.js"
export * from "./responseFaults.js"
export type {
  EnvelopeOptions,
  Fault,
  Matcher,
  Phase,
  RawResponse,
  ResetUnit,
  Target,
  TerminalOutcome
} from "./types.js"

/**
 * Ends the next created execution with this outcome. The outcome `EXPIRED` ends the execution at its `expires_at`. Any
 * other outcome ends the execution after the model's duration. A request fault can apply to the same create request.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   faults: [Simulator.Fault.ends({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" })]
 * })
 * ```
 */
export const ends = (outcome: TerminalOutcome): Fault => Fault.Ends({ on: "executions.create", ...outcome })

/**
 * Applies a fault only to requests that match an operation or a predicate. A fault without `on` does not apply to
 * storage requests.
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
 * Returns `n` copies of a fault. Each copy applies to one request.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({
 *   faults: Simulator.Fault.times(3, Simulator.Fault.envelope("SERVICE_UNAVAILABLE"))
 * })
 * ```
 */
export const times = (n: number, fault: Fault): ReadonlyArray<Fault> => Array.from({ length: n }, () => fault)

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
  envelope("MODEL_OVERLOADED"),
  envelope("MODEL_UNAVAILABLE"),
  envelope("SERVICE_UNAVAILABLE"),
  envelope("SERVICE_UNAVAILABLE", { phase: "after" }),
  envelope("GENERATION_TIMEOUT"),
  envelope("GENERATION_FAILED"),
  badGateway,
  raw({ status: 503, body: "" }),
  raw({ status: 504, headers: { "content-type": "text/plain" }, body: "upstream request timeout", phase: "after" }),
  rateLimited({ resetIn: "2 seconds" }),
  rateLimited({ resetIn: "2 seconds", retryAfter: "2" }),
  skewDate("5 minutes"),
  skewDate(-300_000),
  withoutHeaders(),
  resetUnit("millis"),
  resetUnit("delta"),
  resetUnit("garbage"),
  resetUnit("past"),
  resetUnit("absurd")
]
