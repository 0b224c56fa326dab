/**
 * SHA-256 that answers at once, for names that are made of what they name. WebCrypto answers later, in real time, and
 * `TestClock` does not wait for that: what comes next would happen at other moments than it is due.
 *
 * @internal
 */
import { toHex } from "../webhooks/signature.js"

/** The fractional parts of the cube roots of the first 64 primes. */
const constants = [
  0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5, 0xd807_aa98,
  0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786,
  0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8,
  0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13,
  0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819,
  0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a,
  0x5b9c_ca4f, 0x682e_6ff3, 0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
  0xc671_78f2
]

/** The fractional parts of the square roots of the first 8 primes. */
const initial = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19]

/** @internal Bytes. */
export const blockLength = 64

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by))

/** The message, a bit that is set, zeros, and its length in bits: whole blocks. */
const padded = (message: Uint8Array): DataView => {
  const whole = new Uint8Array(Math.ceil((message.length + 9) / blockLength) * blockLength)
  whole.set(message)
  whole[message.length] = 0x80
  const view = new DataView(whole.buffer)
  view.setBigUint64(whole.length - 8, BigInt(message.length) * 8n)
  return view
}

const schedule = (view: DataView, from: number, words: Int32Array): void => {
  for (let i = 0; i < 16; i++) words[i] = view.getInt32(from + 4 * i)
  for (let i = 16; i < words.length; i++) {
    const a = words[i - 15] ?? 0
    const b = words[i - 2] ?? 0
    const low = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)
    const high = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10)
    words[i] = (words[i - 16] ?? 0) + low + (words[i - 7] ?? 0) + high
  }
}

/** @internal 32 bytes. */
export const sha256 = (message: Uint8Array): Uint8Array => {
  const view = padded(message)
  const state = Int32Array.from(initial)
  const words = new Int32Array(constants.length)
  for (let from = 0; from < view.byteLength; from += blockLength) {
    schedule(view, from, words)
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
    for (let i = 0; i < words.length; i++) {
      const choice = (e & f) ^ (~e & g)
      const first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + (constants[i] ?? 0) + (words[i] ?? 0)
      const majority = (a & b) ^ (a & c) ^ (b & c)
      const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority
      h = g
      g = f
      f = e
      e = (d + first) | 0
      d = c
      c = b
      b = a
      a = (first + second) | 0
    }
    for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) {
      state[i] = (state[i] ?? 0) + word
    }
  }
  const digest = new DataView(new ArrayBuffer(32))
  state.forEach((word, i) => digest.setInt32(4 * i, word))
  return new Uint8Array(digest.buffer)
}

/** @internal 64 lower-case hex characters, of bytes or of a text in UTF-8. */
export const sha256Hex = (message: Uint8Array | string): string =>
  toHex(sha256(typeof message === "string" ? new TextEncoder().encode(message) : message))
