/**
 * The files that clients bring: each begins as a place to put bytes into.
 *
 * @internal
 */
import type { Content } from "./content.js"
import * as ContentOf from "./content.js"
import type { Ids } from "../ids.js"
import * as Sniff from "./contentType.js"
import type { UploadRequest } from "./uploadRequest.js"

/** @internal */
export interface Upload {
  readonly id: string
  readonly asked: UploadRequest
  /** On the Clock; never when undefined. */
  readonly expiresAt: number | undefined
  readonly content: Content | undefined
  readonly confirmed: boolean
}

/** @internal */
export interface Uploads {
  readonly begin: (asked: UploadRequest, now: number) => Upload
  /** Undefined for an id that nobody was given. */
  readonly get: (id: string) => Upload | undefined
  /** Keeps the bytes as they are, without a copy of their own; those that were there before are gone. */
  readonly store: (upload: Upload, bytes: Uint8Array) => Content
  /** What has arrived and is not expired, undefined otherwise. */
  readonly confirm: (id: string, now: number) => Content | undefined
  /** What an execution may have as its input. */
  readonly usable: (id: string, now: number) => Content | undefined
  /** In the order in which they were begun. */
  readonly all: () => Iterable<Upload>
}

const day = 86_400_000

/** @internal `needsConfirm`: whether the newer edition's files wait to be confirmed. */
export const make = (ids: Ids, needsConfirm: boolean): Uploads => {
  const uploads = new Map<string, Upload>()

  const arrived = (id: string, now: number): Upload | undefined => {
    const upload = uploads.get(id)
    return upload?.content !== undefined && now < (upload.expiresAt ?? Infinity) ? upload : undefined
  }

  return {
    begin: (asked, now) => {
      const ttlDays = asked.edition === "newer" ? asked.ttlDays : undefined
      const upload: Upload = {
        id: ids.upload(),
        asked,
        expiresAt: ttlDays === undefined ? undefined : now + ttlDays * day,
        content: undefined,
        confirmed: false
      }
      uploads.set(upload.id, upload)
      return upload
    },
    get: (id) => uploads.get(id),
    store: (upload, bytes) => {
      const { asked, id } = upload
      const contentType = asked.edition === "older" ? asked.contentType : Sniff.contentType(bytes)
      const content = ContentOf.ofBytes(contentType, bytes)
      uploads.set(id, { ...upload, content })
      return content
    },
    confirm: (id, now) => {
      const upload = arrived(id, now)
      if (upload !== undefined) {
        uploads.set(id, { ...upload, confirmed: true })
      }
      return upload?.content
    },
    usable: (id, now) => {
      const upload = arrived(id, now)
      const counts = upload?.confirmed === true || upload?.asked.edition === "older" || !needsConfirm
      return counts ? upload?.content : undefined
    },
    all: () => uploads.values()
  }
}
