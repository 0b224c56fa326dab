/**
 * Uploaded files, seen from the server's side.
 */
import * as DateTime from "effect/DateTime"
import type { Upload } from "./uploads.js"

/**
 * One file that a client has begun to upload.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileRecord {
  readonly id: string
  /** `legacy`: announced with its name, type and size. */
  readonly edition: "newer" | "older"
  /** Of the newer edition: `INPUT` or `UPLOAD`. */
  readonly purpose?: string | undefined
  /** Of the newer edition. `US` unless another was asked for. */
  readonly region?: string | undefined
  /** Of the older edition. */
  readonly filename?: string | undefined
  /** What its first bytes tell; in the older edition as declared. Undefined until the bytes have arrived. */
  readonly contentType?: string | undefined
  /** In bytes; undefined until they have arrived. */
  readonly size?: number | undefined
  readonly confirmed: boolean
  /** On the Clock; undefined without a `ttl_days`. */
  readonly expiresAt?: DateTime.Utc | undefined
}

/** @internal */
export const make = ({ asked, confirmed, content, expiresAt, id }: Upload): FileRecord => ({
  id,
  edition: asked.edition,
  ...(asked.edition === "newer" ? { purpose: asked.purpose, region: asked.region } : { filename: asked.filename }),
  ...(content === undefined ? {} : { contentType: content.contentType, size: content.size }),
  confirmed,
  ...(expiresAt === undefined ? {} : { expiresAt: DateTime.unsafeMake(expiresAt) })
})
