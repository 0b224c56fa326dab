/**
 * HMAC-SHA256 that answers at once, so that under `TestClock` retries go out at the moments at which they are due.
 *
 * @internal
 */
import { join } from "../../data/bytes.js"
import { blockLength, sha256 } from "../../data/sha256.js"
import { toHex } from "../../webhooks/signature.js"

/** @internal In lower-case hex. */
export const hmacSha256 = (key: Uint8Array, message: Uint8Array): string => {
  const block = new Uint8Array(blockLength)
  block.set(key.length > blockLength ? sha256(key) : key)
  const keyed = (pad: number, text: Uint8Array) => sha256(join([block.map((byte) => byte ^ pad), text]))
  return toHex(keyed(0x5c, keyed(0x36, message)))
}
