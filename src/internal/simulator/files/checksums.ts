/**
 * Checksums, as numbers of 32 bits without a sign. None of them withstands an attack.
 *
 * @internal
 */
const polynomial = 0xedb8_8320

const makeTable = (): Uint32Array =>
  Uint32Array.from({ length: 256 }, (_, index) => {
    let c = index
    for (let bit = 0; bit < 8; bit++) {
      c = c & 1 ? polynomial ^ (c >>> 1) : c >>> 1
    }
    return c
  })

let table: Uint32Array | undefined

/** @internal That of PNG and zip files. */
export const crc32 = (data: Uint8Array): number => {
  table ??= makeTable() // loading a module does nothing
  let c = 0xffff_ffff
  for (const byte of data) {
    c = (table[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8)
  }
  return (c ^ 0xffff_ffff) >>> 0
}

/** @internal One of our own, which takes 150 MiB in some 50 ms: four bytes at a time (after FNV-1a). */
export const checksum = (data: Uint8Array): number => {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const words = data.length - (data.length % 4)
  let hash = 0x811c_9dc5
  const take = (value: number) => {
    hash = Math.imul(hash ^ value, 0x0100_0193)
    hash ^= hash >>> 15 // a product carries upwards only
  }
  for (let at = 0; at < words; at += 4) {
    take(view.getUint32(at, true))
  }
  for (let at = words; at < data.length; at++) {
    take(view.getUint8(at))
  }
  return hash >>> 0
}
