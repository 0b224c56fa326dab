/**
 * SHA-256 and HMAC-SHA256 as synchronous functions. WebCrypto is asynchronous and completes in real time, which
 * `TestClock` does not wait for.
 *
 * @internal
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"

const bytesOf = (message: Uint8Array | string): Uint8Array =>
  typeof message === "string" ? utf8ToBytes(message) : message

/** @internal Returns 64 lower-case hex characters. A text is hashed as UTF-8. */
export const sha256Hex = (message: Uint8Array | string): string => bytesToHex(sha256(bytesOf(message)))

/** @internal Returns 64 lower-case hex characters. A text is hashed as UTF-8. */
export const hmacSha256Hex = (key: Uint8Array | string, message: Uint8Array | string): string =>
  bytesToHex(hmac(sha256, bytesOf(key), bytesOf(message)))
