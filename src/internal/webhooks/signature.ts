/**
 * The signature of a webhook delivery (API page "Verifying webhooks"): HMAC-SHA256 over `{timestamp}.{raw body}`, in lower-case
 * hex, under the whole secret, its `whsec_` included. WebCrypto compares in constant time.
 *
 * @internal
 */

import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"

const algorithm = { name: "HMAC", hash: "SHA-256" }
const encoder = new TextEncoder()

const keyOf = (secret: string, usage: "sign" | "verify"): Promise<CryptoKey> =>
  globalThis.crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [usage])

const messageOf = (timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> => {
  const prefix = encoder.encode(`${timestamp}.`)
  const message = new Uint8Array(prefix.length + body.length)
  message.set(prefix)
  message.set(body, prefix.length)
  return message
}

/** @internal `timestamp` is the text of the header. The secret may not be empty. */
export const sign = async (secret: string, timestamp: string, body: Uint8Array): Promise<string> => {
  const key = await keyOf(secret, "sign")
  return bytesToHex(new Uint8Array(await globalThis.crypto.subtle.sign(algorithm, key, messageOf(timestamp, body))))
}

/** @internal Whether one of the secrets has made this signature; all of them are tried, whichever fits. */
export const isSignedBy = async (
  secrets: ReadonlyArray<string>,
  timestamp: string,
  body: Uint8Array,
  signature: string
): Promise<boolean> => {
  if (!/^[0-9a-f]{64}$/.test(signature)) return false
  const claimed = hexToBytes(signature)
  const message = messageOf(timestamp, body)
  const fits = await Promise.all(
    secrets.map(async (secret) =>
      globalThis.crypto.subtle.verify(algorithm, await keyOf(secret, "verify"), claimed, message)
    )
  )
  return fits.includes(true)
}
