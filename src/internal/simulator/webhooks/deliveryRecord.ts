/**
 * Deliveries of events as the simulator's user sees them.
 */
import type * as Duration from "effect/Duration"

/**
 * One attempt to deliver an event to one receiver. A failed attempt is retried after 2, 4, 8, 16 and 30 minutes, within
 * 24 hours of the event. API page "Webhooks overview".
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryAttempt {
  /** The same for all receivers and attempts of the event. */
  readonly eventId: string
  readonly type: string
  /** Undefined for a test event. */
  readonly executionId?: string | undefined
  /** Undefined for the `webhook_url` of an execution. */
  readonly endpointId?: string | undefined
  readonly url: string
  /** Starts at 1. */
  readonly attempt: number
}

/**
 * One request of a delivery.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryRecord extends DeliveryAttempt {
  /** The send time, in milliseconds on the Clock. */
  readonly at: number
  /**
   * The status of the response. `no response` if none arrived within 30 seconds, `dropped` if the request was not sent,
   * `pending` until the attempt ends.
   */
  readonly outcome: number | "no response" | "dropped" | "pending"
}

/**
 * The fault of one delivery attempt:
 *
 * - `deliver`: no fault.
 * - `dropBefore`: the request is not sent. The attempt fails.
 * - `dropAfter`: the receiver gets the request, but its response is lost. The attempt fails.
 * - `twice`: two requests are sent, one after the other. The second response decides.
 * - `{ delay }`: the request is sent after a delay.
 *
 * @since 0.1.0
 * @category models
 */
export type DeliveryFault =
  "deliver" | "dropBefore" | "dropAfter" | "twice" | { readonly delay: Duration.DurationInput }
