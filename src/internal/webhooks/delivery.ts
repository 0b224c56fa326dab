/**
 * A delivery, and why one is rejected.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

/**
 * Why a delivery was refused: no signature, no timestamp in whole seconds, signed longer ago (or later) than the tolerance,
 * signed by somebody else or changed on the way, signed but no JSON object, larger than the limit.
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
 * Why a delivery was refused.
 *
 * @since 0.1.0
 * @category models
 */
export type RejectionReason = typeof RejectionReason.Type

/**
 * A delivery that is not to be believed, or not to be read. It shows nothing of what was delivered.
 *
 * @since 0.1.0
 * @category errors
 */
export class WebhookRejected extends Schema.TaggedError<WebhookRejected>("effect-modelroute/WebhookRejected")(
  "WebhookRejected",
  {
    /** A sentence for the log: what is wrong, and what to do if the delivery was ModelRoute's after all. */
    message: Schema.String,
    reason: RejectionReason
  }
) {}

/**
 * A delivery as a server got it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery {
  /** The body as it arrived, byte for byte: JSON that was parsed and written again has another signature. */
  readonly body: Uint8Array | string
  /** By their names in any case. A header that arrived more than once is not believed. */
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
}
