/**
 * Represents the content of a file. The bytes of an uploaded file are kept in memory. The picture of an output file is
 * drawn on each read, so that many output files need no memory.
 *
 * @internal
 */
import * as Ids from "../ids.js"
import * as Picture from "./picture.js"

/** @internal */
export interface Content {
  readonly contentType: string
  readonly size: number
  readonly read: () => Uint8Array
  /** Returns the quoted ETag of the bytes. */
  readonly etag: () => string
}

/** @internal */
export const etag = (bytes: Uint8Array): string => `"${Ids.fakeDigest(bytes)}"`

/** @internal */
export const fromPicture = (picture: Picture.Picture): Content => ({
  contentType: "image/png",
  size: Picture.byteLength(picture),
  read: () => Picture.draw(picture),
  etag: () => etag(Picture.draw(picture))
})

/** @internal */
export const fromBytes = (contentType: string, bytes: Uint8Array): Content => {
  const tag = etag(bytes)
  return { contentType, size: bytes.length, read: () => bytes, etag: () => tag }
}
