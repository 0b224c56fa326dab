/**
 * Deliveries of events, seen from the server's side.
 */
import type * as Duration from "effect/Duration"

/**
 * One attempt to deliver an event to one receiver.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryAttempt {
  /** The same for all receivers of the event, and at all attempts. */
  readonly eventId: string
  readonly type: string
  /** Undefined for a test event. */
  readonly executionId?: string | undefined
  /** Undefined for the `webhook_url` of an execution. */
  readonly endpointId?: string | undefined
  readonly url: string
  /** From 1. */
  readonly attempt: number
}

/**
 * One request of a delivery.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryRecord extends DeliveryAttempt {
  /** When it went out, in milliseconds on the Clock. */
  readonly at: number
  /**
   * The status of the answer; `no answer` within 30 seconds; `dropped` when it was never sent, `pending` as long as its
   * answer is awaited.
   */
  readonly outcome: number | "no answer" | "dropped" | "pending"
}

/**
 * What becomes of an attempt: `deliver`: nothing special; `dropBefore`: the receiver never sees it, and it counts as failed;
 * `dropAfter`: the receiver does, but its answer is lost, which counts as failed, too; `twice`: two requests one after the
 * other, of which the answer to the second counts; `delay`: it goes out that much later.
 *
 * @since 0.1.0
 * @category models
 */
export type DeliveryFault =
  "deliver" | "dropBefore" | "dropAfter" | "twice" | { readonly delay: Duration.DurationInput }
