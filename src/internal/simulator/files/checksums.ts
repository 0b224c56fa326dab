/**
 * Calculates checksums as unsigned 32-bit integers. The checksums are not cryptographic.
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

/** @internal Returns the CRC-32 checksum that PNG and zip files contain. */
export const crc32 = (data: Uint8Array): number => {
  table ??= makeTable() // Creates the table on first use, because loading a module must have no side effects.
  let c = 0xffff_ffff
  for (const byte of data) {
    c = (table[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8)
  }
  return (c ^ 0xffff_ffff) >>> 0
}

/** @internal Returns a checksum based on FNV-1a. Reads four bytes at a time for speed. 150 MiB take about 50 ms. */
export const checksum = (data: Uint8Array): number => {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const words = data.length - (data.length % 4)
  let hash = 0x811c_9dc5
  const add = (value: number) => {
    hash = Math.imul(hash ^ value, 0x0100_0193)
    hash ^= hash >>> 15 // Mixes high bits into low bits, because a multiplication moves bits only upwards.
  }
  for (let at = 0; at < words; at += 4) {
    add(view.getUint32(at, true))
  }
  for (let at = words; at < data.length; at++) {
    add(view.getUint8(at))
  }
  return hash >>> 0
}
