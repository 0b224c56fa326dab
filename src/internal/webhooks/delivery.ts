/**
 * Declares webhook deliveries and the reasons for their rejection.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

/**
 * Schema of the reason for the rejection of a delivery:
 *
 * - `signature-missing`: the `X-Signature` header is missing
 * - `timestamp-missing`: the `X-Signature-Timestamp` header is missing or is not in whole seconds
 * - `stale`: the timestamp is earlier or later than the tolerance allows
 * - `signature-mismatch`: the signature does not match any of the secrets
 * - `malformed`: the signature is valid, but the body is not a JSON object
 * - `too-large`: the body is larger than the limit
 *
 * @since 0.1.0
 * @category schemas
 */
export const RejectionReason = Schema.Literal(
  "signature-missing",
  "timestamp-missing",
  "stale",
  "signature-mismatch",
  "malformed",
  "too-large"
)

/**
 * Reason for the rejection of a delivery.
 *
 * @since 0.1.0
 * @category models
 */
export type RejectionReason = typeof RejectionReason.Type

/**
 * Error for a delivery that is not genuine, not recent or not readable. The error contains neither the body nor the
 * signature of the delivery.
 *
 * @since 0.1.0
 * @category errors
 */
export class WebhookRejected extends Schema.TaggedError<WebhookRejected>("effect-modelroute/WebhookRejected")(
  "WebhookRejected",
  {
    /** Describes the problem and the settings to check if ModelRoute sent the delivery. */
    message: Schema.String,
    /** Reason for the rejection. */
    reason: RejectionReason
  }
) {}

/**
 * HTTP delivery of a webhook event.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery {
  /** Raw body. JSON that was parsed and encoded again does not match the signature. */
  readonly body: Uint8Array | string
  /** Request headers with names in any case. A repeated signature or timestamp header is rejected. */
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
}
