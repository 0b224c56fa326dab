/**
 * Faults of the connection: dropped, cut, delayed and missing responses.
 */
import * as Duration from "effect/Duration"
import { Fault, type Phase } from "./types.js"

/**
 * Resets the connection. The server does not process the request.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.dropBefore] })
 * ```
 */
export const dropBefore: Fault = Fault.DropBefore({})

/**
 * Processes the request and then resets the connection without a response.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * // The execution exists and costs money, but the client does not learn its id.
 * export const simulator = Simulator.layer({
 *   faults: [Simulator.Fault.on("executions.create", Simulator.Fault.dropAfter)]
 * })
 * ```
 */
export const dropAfter: Fault = Fault.DropAfter({})

/**
 * Cuts the response body before its announced length. `keep` is the part that arrives: a fraction of the body below 1,
 * or a number of bytes. Default: 0.5.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.cutBody({ keep: 10 })] })
 * ```
 */
export const cutBody = (options?: { readonly keep?: number | undefined }): Fault =>
  Fault.CutBody({ keep: options?.keep ?? 0.5 })

/**
 * Shortens the response body like `cutBody`, but sends no Content-Length and ends the response normally. Default: 0.5.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.truncateCleanly({ keep: 0.9 })] })
 * ```
 */
export const truncateCleanly = (options?: { readonly keep?: number | undefined }): Fault =>
  Fault.TruncateCleanly({ keep: options?.keep ?? 0.5 })

/**
 * Delays the request or the response. `after` (default) delays the response, so its Date header is old. `before` delays
 * the request. The server does not process a request that the client aborts during the delay.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.delay("5 seconds", "before")] })
 * ```
 */
export const delay = (duration: Duration.DurationInput, phase: Phase = "after"): Fault =>
  Fault.Delay({ millis: Duration.toMillis(duration), phase })

/**
 * Never responds. `after` (default) processes the request first, `before` does not process it.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const simulator = Simulator.layer({ faults: [Simulator.Fault.hang()] })
 * ```
 */
export const hang = (phase: Phase = "after"): Fault => Fault.Hang({ phase })
