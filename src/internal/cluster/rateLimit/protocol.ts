/**
 * Defines the entity that owns the gate of an API key, and its protocol. All calls end within about a second, so that a
 * runner can hand over its entities quickly. The database stores none of the calls.
 *
 * All times are in milliseconds. Each process has its own monotonic clock. Messages therefore contain only durations
 * and times of the server.
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
 * Event of a request. `index` counts the events of the request from 0. A repeated call can return an event again.
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
 * - `RateLimited`: the body of the response contains a rejection with a status other than 429.
 * - `Unsent`: the request was not sent.
 * - `Lost`: the request failed without a response.
 * - `Interrupted`: the caller was interrupted after the request was sent.
 * - `Withdrawn`: the caller no longer waits for its permit.
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

/** @internal Snapshot of the gate with times that any process can convert. */
export const WireSnapshot = Schema.Struct({
  limit: optionalNumber,
  remaining: optionalNumber,
  /** Milliseconds until the reset. */
  resetIn: optionalNumber,
  /** Milliseconds until the end of the block. */
  blockedIn: optionalNumber,
  waiting: Schema.Int,
  inFlight: Schema.Int,
  rateLimited: Schema.Int,
  /** Bounds of the current time of the server, in epoch milliseconds. */
  serverNow: Schema.optionalWith(Schema.Struct({ min: Schema.Number, max: Schema.Number }), { exact: true }),
  hasOtherClients: Schema.Boolean
})

/** @internal */
export type WireSnapshot = typeof WireSnapshot.Type

/**
 * Queues a request. Returns the events of the request so far. A repeated call has no further effect.
 *
 * `epoch` identifies the queue of the process at the owner. The epoch changes if the queue is lost.
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
 * Returns the new events of a process and the state of the gate. With `hold`, waits up to a second for an event. Deletes
 * the events up to `acknowledged`.
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
    /** Number of the last event. */
    last: Schema.Int,
    events: Schema.Array(RequestEvent),
    isScarce: Schema.Boolean,
    snapshot: WireSnapshot
  })
})

/** Reports the outcome of a request. Returns the milliseconds until the gate opens after a 429 with a reset. */
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
