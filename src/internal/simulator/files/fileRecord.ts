/**
 * Uploaded files as the simulator's user sees them.
 */
import * as DateTime from "effect/DateTime"
import type { Upload } from "./uploads.js"

/**
 * One file that a client started to upload.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileRecord {
  readonly id: string
  /** The edition of the upload request. A `legacy` request declares name, type and size. */
  readonly edition: "current" | "legacy"
  /** `INPUT` or `UPLOAD`. Current edition only. */
  readonly purpose?: string | undefined
  /** Default: `US`. Current edition only. */
  readonly region?: string | undefined
  /** Legacy edition only. */
  readonly filename?: string | undefined
  /** Detected from the first bytes, or declared in the legacy edition. Undefined until the bytes have arrived. */
  readonly contentType?: string | undefined
  /** In bytes. Undefined until the bytes have arrived. */
  readonly size?: number | undefined
  readonly confirmed: boolean
  /** On the Clock. Undefined without `ttl_days`. */
  readonly expiresAt?: DateTime.Utc | undefined
}

/** @internal */
export const make = ({ confirmed, content, expiresAt, id, request }: Upload): FileRecord => ({
  id,
  edition: request.edition,
  ...(request.edition === "current"
    ? { purpose: request.purpose, region: request.region }
    : { filename: request.filename }),
  ...(content === undefined ? {} : { contentType: content.contentType, size: content.size }),
  confirmed,
  ...(expiresAt === undefined ? {} : { expiresAt: DateTime.unsafeMake(expiresAt) })
})
