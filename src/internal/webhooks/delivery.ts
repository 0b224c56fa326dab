/**
 * Declares deliveries and their rejections.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

/**
 * Schema of the reasons for which a delivery is rejected:
 *
 * - `signature-missing`: it has no `X-Signature` header
 * - `timestamp-missing`: it has no `X-Signature-Timestamp` header in whole seconds
 * - `stale`: it was signed earlier or later than the tolerance allows
 * - `signature-mismatch`: none of the secrets has signed this body and timestamp
 * - `malformed`: it is signed, but it is not a JSON object
 * - `too-large`: its body is larger than the limit
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
 * Reason for which a delivery is rejected.
 *
 * @since 0.1.0
 * @category models
 */
export type RejectionReason = typeof RejectionReason.Type

/**
 * A delivery that is not genuine, or not readable. The error contains nothing from the delivery.
 *
 * @since 0.1.0
 * @category errors
 */
export class WebhookRejected extends Schema.TaggedError<WebhookRejected>("effect-modelroute/WebhookRejected")(
  "WebhookRejected",
  {
    /** Describes the problem, and what to check if ModelRoute did send the delivery. */
    message: Schema.String,
    reason: RejectionReason
  }
) {}

/**
 * A delivery as a server received it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery {
  /** The body, byte for byte. JSON that was parsed and encoded again does not match the signature. */
  readonly body: Uint8Array | string
  /** The headers, with names in any case. A signature or timestamp header that occurs twice is rejected. */
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
}
