/**
 * Declares the records of webhook deliveries in the public API of the simulator.
 */
import type * as Duration from "effect/Duration"

/**
 * One attempt to deliver an event to one recipient. The server retries a failed attempt after 2, 4, 8, 16 and 30
 * minutes. Retries end 24 hours after the event. See the API page "Webhooks overview".
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryAttempt {
  /** Id of the event. All attempts to deliver an event have the same id, for all recipients. */
  readonly eventId: string
  /** Type of the event, such as `execution.completed` or `webhook.test`. */
  readonly type: string
  /** Id of the execution. `undefined` for a test event. */
  readonly executionId?: string | undefined
  /** Id of the webhook endpoint. `undefined` for the `webhook_url` of an execution. */
  readonly endpointId?: string | undefined
  /** URL of the recipient. */
  readonly url: string
  /** Number of the attempt, starting at 1. */
  readonly attempt: number
}

/**
 * One request of a delivery attempt.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryRecord extends DeliveryAttempt {
  /** Send time, in milliseconds on Effect's `Clock`. */
  readonly at: number
  /**
   * The status of the response, or one of these values:
   *
   * - `no response`: the request failed, the response was lost, or no response arrived within 30 seconds.
   * - `dropped`: the server did not send the request.
   * - `pending`: the attempt has not ended.
   */
  readonly outcome: number | "no response" | "dropped" | "pending"
}

/**
 * The fault of one delivery attempt:
 *
 * - `deliver`: no fault.
 * - `dropBefore`: the server does not send the request. The attempt fails.
 * - `dropAfter`: the recipient receives the request, but the response is lost. The attempt fails.
 * - `twice`: the server sends two requests in sequence. The second response determines the outcome.
 * - `{ delay }`: the server sends the request after a delay.
 *
 * @since 0.1.0
 * @category models
 */
export type DeliveryFault =
  "deliver" | "dropBefore" | "dropAfter" | "twice" | { readonly delay: Duration.DurationInput }
