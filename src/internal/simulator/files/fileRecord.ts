/**
 * Declares the records of uploaded files in the public API of the simulator.
 */
import * as DateTime from "effect/DateTime"
import type { Upload } from "./uploads.js"

/**
 * A file that a client started to upload.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileRecord {
  /** Id of the file. */
  readonly id: string
  /** API edition of the upload request. A `legacy` request declares the name, type and size of the file. */
  readonly edition: "current" | "legacy"
  /** Purpose of the file, `INPUT` or `UPLOAD`. `undefined` for a legacy request. */
  readonly purpose?: string | undefined
  /** Storage region. Default: `US`. `undefined` for a legacy request. */
  readonly region?: string | undefined
  /** Name of the file. `undefined` for a request of the current edition. */
  readonly filename?: string | undefined
  /** Content type that the server detected or a legacy request declared. `undefined` until the upload is complete. */
  readonly contentType?: string | undefined
  /** Size in bytes. `undefined` until the upload is complete. */
  readonly size?: number | undefined
  /** Indicates whether a confirm request has succeeded. */
  readonly confirmed: boolean
  /** Expiry time on Effect's `Clock`. `undefined` if the request had no `ttl_days`. */
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
