/**
 * The types of events.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

/**
 * What an event is about (API page "Webhooks overview"). The set is open, and there is no event for EXPIRED: decide by
 * `execution.status`. An event that came without a type is `unknown`.
 *
 * @since 0.1.0
 * @category models
 */
export type EventType =
  "execution.started" | "execution.completed" | "execution.failed" | "execution.cancelled" | (string & {})

/**
 * Any event type, known or not.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventType: Schema.Schema<EventType> = Schema.String
