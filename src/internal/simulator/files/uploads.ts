/**
 * Stores the files that clients upload.
 *
 * @internal
 */
import type { Ids } from "../ids.js"
import * as Content from "./content.js"
import { detectContentType } from "./contentType.js"
import type { UploadRequest } from "./uploadRequest.js"

/** @internal */
export interface Upload {
  readonly id: string
  readonly request: UploadRequest
  /** Expiry time in milliseconds on Effect's `Clock`. `undefined` if the file does not expire. */
  readonly expiresAt: number | undefined
  /** The content of the file. `undefined` until the upload is complete. */
  readonly content: Content.Content | undefined
  readonly confirmed: boolean
}

/** @internal */
export interface Uploads {
  readonly start: (request: UploadRequest, now: number) => Upload
  readonly get: (id: string) => Upload | undefined
  /** Stores the bytes of a file without copying the bytes. Replaces the bytes of an earlier upload to the same file. */
  readonly store: (upload: Upload, bytes: Uint8Array) => Content.Content
  /** Confirms a file and returns its content. Returns `undefined` if the file is not uploaded or has expired. */
  readonly confirm: (id: string, now: number) => Content.Content | undefined
  /**
   * Returns the content of a file if the file is ready for use. Returns `undefined` if the file is missing, incomplete,
   * not confirmed or expired.
   */
  readonly findUsable: (id: string, now: number) => Content.Content | undefined
  /** Returns all uploads in the order of creation. */
  readonly all: () => Iterable<Upload>
}

const dayMillis = 86_400_000

/**
 * Returns an empty store. If `needsConfirm` is `true`, a file of the current edition is usable only after a confirm
 * request.
 *
 * @internal
 */
export const make = (ids: Ids, needsConfirm: boolean): Uploads => {
  const uploads = new Map<string, Upload>()

  const findReceived = (id: string, now: number): Upload | undefined => {
    const upload = uploads.get(id)
    return upload?.content !== undefined && now < (upload.expiresAt ?? Infinity) ? upload : undefined
  }

  return {
    start: (request, now) => {
      const ttlDays = request.edition === "current" ? request.ttlDays : undefined
      const upload: Upload = {
        id: ids.upload(),
        request,
        expiresAt: ttlDays === undefined ? undefined : now + ttlDays * dayMillis,
        content: undefined,
        confirmed: false
      }
      uploads.set(upload.id, upload)
      return upload
    },
    get: (id) => uploads.get(id),
    store: (upload, bytes) => {
      const { id, request } = upload
      const contentType = request.edition === "legacy" ? request.contentType : detectContentType(bytes)
      const content = Content.fromBytes(contentType, bytes)
      uploads.set(id, { ...upload, content })
      return content
    },
    confirm: (id, now) => {
      const upload = findReceived(id, now)
      if (upload !== undefined) {
        uploads.set(id, { ...upload, confirmed: true })
      }
      return upload?.content
    },
    findUsable: (id, now) => {
      const upload = findReceived(id, now)
      const isUsable = upload?.confirmed === true || upload?.request.edition === "legacy" || !needsConfirm
      return isUsable ? upload?.content : undefined
    },
    all: () => uploads.values()
  }
}
