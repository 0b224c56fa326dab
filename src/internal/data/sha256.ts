/**
 * Computes SHA-256 and HMAC-SHA256 synchronously. WebCrypto is not suitable, because WebCrypto is asynchronous and
 * `TestClock` does not wait for its promises.
 *
 * @internal
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"

const bytesOf = (message: Uint8Array | string): Uint8Array =>
  typeof message === "string" ? utf8ToBytes(message) : message

/** @internal Returns the SHA-256 hash as 64 lower-case hexadecimal digits. Encodes a string as UTF-8. */
export const sha256Hex = (message: Uint8Array | string): string => bytesToHex(sha256(bytesOf(message)))

/** @internal Returns the HMAC-SHA256 as 64 lower-case hexadecimal digits. Encodes a string as UTF-8. */
export const hmacSha256Hex = (key: Uint8Array | string, message: Uint8Array | string): string =>
  bytesToHex(hmac(sha256, bytesOf(key), bytesOf(message)))
