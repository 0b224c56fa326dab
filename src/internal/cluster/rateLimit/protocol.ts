/**
 * Defines the cluster entity that owns the gate of an API key, and the calls to the entity. Each call ends within about
 * a second, so that a runner can hand over the entity quickly. The calls are not stored in the database.
 *
 * All times are in milliseconds. Each process has its own monotonic clock. The calls therefore contain only durations
 * and times of the API server.
 *
 * @internal
 */
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import * as Entity from "@effect/cluster/Entity"
import * as Rpc from "@effect/rpc/Rpc"
import * as Schema from "effect/Schema"

const optionalNumber = Schema.optionalWith(Schema.Number, { exact: true })
const optionalString = Schema.optionalWith(Schema.String, { exact: true })

const Granted = Schema.TaggedStruct("Granted", {})

const Delayed = Schema.TaggedStruct("Delayed", {
  opensIn: Schema.Number,
  wait: Schema.Number,
  limit: optionalNumber,
  remaining: optionalNumber
})

/**
 * Event of a queued request. `index` numbers the events of the request from 0. A repeated call can return an event
 * again, so the process ignores an `index` that was received before.
 *
 * @internal
 */
export const RequestEvent = Schema.Struct({
  request: Schema.Int,
  index: Schema.Int,
  event: Schema.Union(Granted, Delayed)
})

/** @internal */
export type RequestEvent = typeof RequestEvent.Type

/** @internal Rate limit headers of a response, with names in lower case. */
export const Headers = Schema.Struct({
  date: optionalString,
  "retry-after": optionalString,
  "x-ratelimit-limit": optionalString,
  "x-ratelimit-remaining": optionalString,
  "x-ratelimit-reset": optionalString
})

/**
 * Outcome of a request.
 *
 * - `Response`: the headers of the response have arrived.
 * - `RateLimited`: a response with a status other than 429 contains a rate limit error in its body.
 * - `Unsent`: the request was not sent.
 * - `Lost`: the request failed without a response.
 * - `Interrupted`: the caller was interrupted, and the request may have been sent.
 * - `Withdrawn`: the process no longer waits for the permit and does not use the permit.
 *
 * @internal
 */
export const Outcome = Schema.Union(
  Schema.TaggedStruct("Response", { status: Schema.Int, headers: Headers }),
  Schema.TaggedStruct("RateLimited", { opensIn: optionalNumber, sentAgo: Schema.Number }),
  Schema.TaggedStruct("Unsent", {}),
  Schema.TaggedStruct("Lost", {}),
  Schema.TaggedStruct("Interrupted", {}),
  Schema.TaggedStruct("Withdrawn", {})
)

/** @internal */
export type Outcome = typeof Outcome.Type

/**
 * Snapshot of the gate for other processes. Contains durations instead of times, because the clocks of two processes
 * can differ.
 *
 * @internal
 */
export const WireSnapshot = Schema.Struct({
  limit: optionalNumber,
  remaining: optionalNumber,
  /** Milliseconds until the end of the current window. */
  resetIn: optionalNumber,
  /** Milliseconds until the end of the block after a rejection. */
  blockedIn: optionalNumber,
  waiting: Schema.Int,
  inFlight: Schema.Int,
  rateLimited: Schema.Int,
  /** Bounds of the current time on the clock of the API server, in epoch milliseconds. */
  serverNow: Schema.optionalWith(Schema.Struct({ min: Schema.Number, max: Schema.Number }), { exact: true }),
  hasOtherClients: Schema.Boolean
})

/** @internal */
export type WireSnapshot = typeof WireSnapshot.Type

/**
 * Queues a request and returns its first events. A repeated call does not queue the request again.
 *
 * `epoch` identifies the session of the process at the owner. A different epoch means that the owner has lost the
 * queued requests of the process.
 */
const Acquire = Rpc.make("acquire", {
  payload: {
    client: Schema.String,
    request: Schema.Int,
    requestClass: Schema.Literal("cancels", "submissions", "polls", "calls"),
    isRetry: Schema.Boolean
  },
  success: Schema.Struct({ epoch: Schema.String, events: Schema.Array(RequestEvent) })
})

/**
 * Deletes the events of a process up to the number `acknowledged`. Returns the remaining events and the state of the
 * gate. If `hold` is `true` and no event remains, waits up to a second for an event.
 */
const Poll = Rpc.make("poll", {
  payload: {
    client: Schema.String,
    epoch: Schema.String,
    acknowledged: Schema.Int,
    hold: Schema.Boolean
  },
  success: Schema.Struct({
    epoch: Schema.String,
    /** Number of the newest event of the session. */
    last: Schema.Int,
    events: Schema.Array(RequestEvent),
    isScarce: Schema.Boolean,
    snapshot: WireSnapshot
  })
})

/**
 * Reports the outcome of a request. If the outcome is a 429 with a reset, returns the milliseconds until the gate
 * opens.
 */
const Report = Rpc.make("report", {
  payload: { client: Schema.String, request: Schema.Int, outcome: Outcome },
  success: Schema.Struct({ opensIn: optionalNumber })
})

/** @internal */
export type AcquirePayload = typeof Acquire.payloadSchema.Type
/** @internal */
export type AcquireReply = typeof Acquire.successSchema.Type
/** @internal */
export type PollPayload = typeof Poll.payloadSchema.Type
/** @internal */
export type PollReply = typeof Poll.successSchema.Type
/** @internal */
export type ReportPayload = typeof Report.payloadSchema.Type
/** @internal */
export type ReportReply = typeof Report.successSchema.Type

/** @internal Entity that owns the gate of an API key. */
export const GateEntity = Entity.make("effect-modelroute/RateLimitGate", [Acquire, Poll, Report]).annotate(
  ClusterSchema.ClientTracingEnabled,
  false
)
