/**
 * Declares the types of webhook events.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

/**
 * Type of an event. The API can add other types. To determine the outcome of an execution, use `execution.status`,
 * because the status EXPIRED has no event type. If an event has no type, this type is `"unknown"`. See the API page
 * "Webhooks overview".
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
