/**
 * Defines the calls of a process to the owner of the gate, and the time limits of these calls.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type { AcquirePayload, AcquireReply, PollPayload, PollReply, ReportPayload, ReportReply } from "./protocol.js"

/** @internal Calls to the owner. After a failure or a defect, the owner may have executed the call. */
export interface OwnerCalls {
  readonly acquire: (payload: AcquirePayload) => Effect.Effect<AcquireReply, unknown>
  readonly poll: (payload: PollPayload) => Effect.Effect<PollReply, unknown>
  readonly report: (payload: ReportPayload) => Effect.Effect<ReportReply, unknown>
}

/** @internal Time without a reply after which the owner counts as unreachable. */
export const maxSilenceMillis = 5000

/** @internal Delay before a failed call is repeated. */
export const retryDelayMillis = 250
