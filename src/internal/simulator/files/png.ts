/**
 * Encodes PNG images with at most sixteen colours. Uses stored deflate blocks, which are not compressed. Such blocks
 * need no compressor and have a predictable length.
 *
 * @internal
 */
import { crc32 } from "./checksums.js"

/** @internal A colour as red, green and blue, each from 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number]

/** @internal */
export interface Image {
  readonly width: number
  readonly height: number
  readonly palette: ReadonlyArray<Colour>
  /** Returns the palette index of a pixel. */
  readonly at: (x: number, y: number) => number
}

const maxBlockBytes = 65_535
const chunkOverheadBytes = 12
const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

const rowLength = (width: number): number => 1 + Math.ceil(width / 2)
const deflatedLength = (length: number): number => 2 + length + 5 * Math.ceil(length / maxBlockBytes) + 4

/** @internal Returns the length of the file that `encode` returns, in bytes. */
export const byteLength = (width: number, height: number, colours: number): number =>
  signature.length + 4 * chunkOverheadBytes + 13 + 3 * colours + deflatedLength(rowLength(width) * height)

const scanlines = (image: Image): Uint8Array => {
  const length = rowLength(image.width)
  const rows = new Uint8Array(length * image.height)
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const at = y * length + 1 + (x >> 1)
      rows[at] = (rows[at] ?? 0) | (image.at(x, y) << (x % 2 === 0 ? 4 : 0))
    }
  }
  return rows
}

const adler32 = (data: Uint8Array): number => {
  let a = 1
  let b = 0
  // Reduces the sums every 3800 bytes, because `b` would otherwise exceed 32 bits.
  for (let from = 0; from < data.length; from += 3800) {
    for (const byte of data.subarray(from, from + 3800)) {
      a += byte
      b += a
    }
    a %= 65_521
    b %= 65_521
  }
  return ((b << 16) | a) >>> 0
}

const deflateStored = (data: Uint8Array): Uint8Array => {
  const target = new Uint8Array(deflatedLength(data.length))
  const view = new DataView(target.buffer)
  view.setUint16(0, 0x7801)
  let to = 2
  for (let from = 0; from < data.length; from += maxBlockBytes) {
    const block = data.subarray(from, from + maxBlockBytes)
    view.setUint8(to, from + maxBlockBytes >= data.length ? 1 : 0)
    view.setUint16(to + 1, block.length, true)
    view.setUint16(to + 3, block.length ^ 0xffff, true)
    target.set(block, to + 5)
    to += 5 + block.length
  }
  view.setUint32(to, adler32(data))
  return target
}

const header = (image: Image): Uint8Array => {
  const data = new Uint8Array(13)
  const view = new DataView(data.buffer)
  view.setUint32(0, image.width)
  view.setUint32(4, image.height)
  data.set([4, 3], 8) // A palette of sixteen colours requires bit depth 4 and colour type 3.
  return data
}

/** @internal */
export const encode = (image: Image): Uint8Array => {
  const file = new Uint8Array(byteLength(image.width, image.height, image.palette.length))
  const view = new DataView(file.buffer)
  file.set(signature)
  let to = signature.length
  const writeChunk = (type: string, data: Uint8Array) => {
    view.setUint32(to, data.length)
    for (let i = 0; i < 4; i++) {
      view.setUint8(to + 4 + i, type.charCodeAt(i))
    }
    file.set(data, to + 8)
    view.setUint32(to + 8 + data.length, crc32(file.subarray(to + 4, to + 8 + data.length)))
    to += chunkOverheadBytes + data.length
  }
  writeChunk("IHDR", header(image))
  writeChunk("PLTE", Uint8Array.from(image.palette.flat()))
  writeChunk("IDAT", deflateStored(scanlines(image)))
  writeChunk("IEND", new Uint8Array(0))
  return file
}
