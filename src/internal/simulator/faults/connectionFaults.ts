/**
 * Creates faults of the connection: dropped, cut, delayed and missing responses.
 */
import * as Duration from "effect/Duration"
import type { Phase } from "./settings.js"
import { Fault } from "./types.js"

/**
 * Resets the connection before the server processes the request.
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
 * Processes the request and resets the connection after a part of the response body. `keep` is the part of the body
 * that is sent. A number below 1 is a fraction of the body. A number from 1 is a number of bytes. Default: 0.5, which
 * is half of the body.
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
 * Processes the request and sends only a part of the response body. Omits the Content-Length and ends the response
 * normally, so that the client cannot detect the missing part. `keep` is the part of the body that is sent. A number
 * below 1 is a fraction of the body. A number from 1 is a number of bytes. Default: 0.5, which is half of the body.
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
 * Delays a request or its response by `duration`. With the phase `before`, the server waits before it processes the
 * request. If the client aborts the request during this delay, the server does not process the request. With the phase
 * `after`, the server processes the request and then delays the response. The Date header is not changed by the delay.
 * Default of `phase`: `after`.
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
 * Never responds to a request. With the phase `after`, the server processes the request. With the phase `before`, the
 * server does not process the request. Default of `phase`: `after`.
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
