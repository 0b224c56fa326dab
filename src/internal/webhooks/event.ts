/**
 * Declares webhook events.
 *
 * @internal
 */
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import { Attributes, lenient } from "../data/lenient.js"
import { EventType } from "./eventType.js"

/**
 * Schema of an event id, for example `evt_…`. The id is opaque. All deliveries of an event have the same id. If an
 * event has no id, its id is `sha256_…`, the SHA-256 hash of its body.
 *
 * @example
 * ```ts
 * import { Webhook } from "effect-modelroute"
 *
 * export const id = Webhook.EventId.make("evt_abc123")
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/EventId"))

/**
 * Id of an event.
 *
 * @since 0.1.0
 * @category models
 */
export type EventId = typeof EventId.Type

/**
 * Event from a verified delivery. Only `id`, `type` and `extra` are always present. Any other field is absent if the
 * API did not send the field or if the field cannot be decoded. Events can arrive in any order. A terminal status of an
 * execution is final, even if another event arrives later.
 *
 * @since 0.1.0
 * @category models
 */
export class Event extends Schema.Class<Event>("effect-modelroute/WebhookEvent")({
  /** Id of the event. All deliveries of the event have the same id. */
  id: EventId,
  /** Type of the event, such as `execution.completed`. */
  type: EventType,
  /** Time of the event. */
  timestamp: lenient(Schema.DateTimeUtc),
  /** Version of the event format, such as `1.0`. */
  version: lenient(Schema.String),
  /** Id of the organization. */
  organizationId: lenient(Schema.String),
  /** Id of the execution, from the event or from its `data`. Absent if the event belongs to no execution. */
  executionId: lenient(Execution.ExecutionId),
  /** Execution in `data`. The API omits some of its fields, for example a large output. */
  execution: lenient(Execution.Execution),
  /** Undecoded `data` of the event. */
  data: lenient(Schema.Unknown),
  /** Fields that this version of the library does not decode. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}) {}
