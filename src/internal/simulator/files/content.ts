/**
 * What a file holds: bytes that were uploaded, or a picture that is drawn when somebody asks for it.
 *
 * @internal
 */
import * as Ids from "../ids.js"
import type { Picture } from "./picture.js"
import * as PictureOf from "./picture.js"

/** @internal */
export interface Content {
  readonly contentType: string
  readonly size: number
  readonly read: () => Uint8Array
  /** With its quotes; changes with the bytes. */
  readonly etag: () => string
}

/** @internal */
export const etag = (bytes: Uint8Array): string => `"${Ids.digest(bytes)}"`

/** @internal */
export const ofPicture = (picture: Picture): Content => ({
  contentType: "image/png",
  size: PictureOf.byteLength(picture),
  read: () => PictureOf.draw(picture),
  etag: () => etag(PictureOf.draw(picture))
})

/** @internal */
export const ofBytes = (contentType: string, bytes: Uint8Array): Content => {
  const tag = etag(bytes)
  return { contentType, size: bytes.length, read: () => bytes, etag: () => tag }
}
