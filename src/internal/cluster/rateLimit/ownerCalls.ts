/**
 * Defines the calls from a process to the owner of the shared gate, and the time limits of these calls.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type { AcquirePayload, AcquireReply, PollPayload, PollReply, ReportPayload, ReportReply } from "./protocol.js"

/**
 * Calls to the owner of the gate. A failed call can be repeated, but the owner may already have executed the call.
 *
 * @internal
 */
export interface OwnerCalls {
  readonly acquire: (payload: AcquirePayload) => Effect.Effect<AcquireReply, unknown>
  readonly poll: (payload: PollPayload) => Effect.Effect<PollReply, unknown>
  readonly report: (payload: ReportPayload) => Effect.Effect<ReportReply, unknown>
}

/** @internal Time without a reply after which this process treats the owner as unreachable. */
export const maxSilenceMillis = 5000

/** @internal Delay before a failed call is repeated. */
export const retryDelayMillis = 250
