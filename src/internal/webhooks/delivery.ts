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
 * Error for a delivery that was not signed with one of the secrets, is not recent, or cannot be read. The error
 * contains neither the body nor the signature of the delivery.
 *
 * @since 0.1.0
 * @category errors
 */
export class WebhookRejected extends Schema.TaggedError<WebhookRejected>("effect-modelroute/WebhookRejected")(
  "WebhookRejected",
  {
    /** Describes the problem. Also describes which settings to check if ModelRoute has sent the delivery. */
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
  /**
   * Raw body as received. Do not parse the body and encode it again, because the signature covers the received bytes.
   */
  readonly body: Uint8Array | string
  /**
   * Request headers. Names can be in upper case or lower case. A delivery is rejected if its signature header or its
   * timestamp header is repeated.
   */
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
}
