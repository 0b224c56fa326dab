/**
 * Declares the types of webhook events.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

/**
 * Type of an event. The API can add types, and there is none for EXPIRED, so decide by `execution.status`. An event
 * without a type has `"unknown"`. API page "Webhooks overview".
 *
 * @since 0.1.0
 * @category models
 */
export type EventType =
  "execution.started" | "execution.completed" | "execution.failed" | "execution.cancelled" | (string & {})

/**
 * Schema of any event type, known or not.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventType: Schema.Schema<EventType> = Schema.String
