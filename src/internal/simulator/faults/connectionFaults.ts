/**
 * Creates faults of the connection: dropped, cut, delayed and missing responses.
 */
import * as Duration from "effect/Duration"
import type { Phase } from "./settings.js"
import { Fault } from "./types.js"

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
 * // The server creates and charges the execution, but the client does not receive the execution id.
 * export const simulator = Simulator.layer({
 *   faults: [Simulator.Fault.on("executions.create", Simulator.Fault.dropAfter)]
 * })
 * ```
 */
export const dropAfter: Fault = Fault.DropAfter({})

/**
 * Resets the connection after a part of the response body. `keep` is the length of this part. A number below 1 is a
 * fraction of the body. Any other number is a number of bytes. Default: 0.5.
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
 * Shortens the response body, omits the Content-Length and ends the response normally. `keep` has the same meaning as
 * in `cutBody`. Default: 0.5.
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
 * Delays the request or the response. The phase `before` delays the request. The server does not process a request that
 * the client aborts during this delay. The phase `after` delays the response and does not change its Date header.
 * Default: `after`.
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
 * Never responds. With the phase `after`, the server processes the request. With the phase `before`, the server does
 * not process the request. Default: `after`.
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
