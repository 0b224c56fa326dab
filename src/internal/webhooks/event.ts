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
 * Schema of an event id, for example `evt_…`. The id is opaque. All deliveries of an event have the same id. If the
 * body of a delivery has no id, the event id is `sha256_` followed by the body's SHA-256 hash.
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
 * Event from a verified delivery. The fields `id`, `type` and `extra` are always present. Another field is absent if
 * the API did not send the field or if the value cannot be decoded. Events can arrive in any order. After a terminal
 * status of an execution, ignore later events with another status.
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
  /** Id of the execution that the event belongs to. Absent if the event belongs to no execution. */
  executionId: lenient(Execution.ExecutionId),
  /** Execution in `data`. The API omits some fields of the execution, for example a large output. */
  execution: lenient(Execution.Execution),
  /** Value of the field `data` of the event, as undecoded JSON. */
  data: lenient(Schema.Unknown),
  /** Fields that this version of the library does not decode. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}) {}
