/**
 * Declares the types of webhook events.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

/**
 * Type of an event. The API can add types, and EXPIRED has no event type. Use `execution.status` to determine the
 * outcome of an execution. If an event has no type, its type is `"unknown"`. See the API page "Webhooks overview".
 *
 * @since 0.1.0
 * @category models
 */
export type EventType =
  "execution.started" | "execution.completed" | "execution.failed" | "execution.cancelled" | (string & {})

/**
 * Schema of an event type. Accepts unknown types.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventType: Schema.Schema<EventType> = Schema.String
