/**
 * Creates and verifies the signatures of deliveries. A signature is the HMAC-SHA256 of `{timestamp}.{raw body}` in
 * lowercase hexadecimal digits. The HMAC key is the complete secret, including the prefix `whsec_`. WebCrypto compares
 * signatures in constant time. See the API page "Verifying webhooks".
 *
 * @internal
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"

const algorithm = { name: "HMAC", hash: "SHA-256" }
const encoder = new TextEncoder()

const importKey = (secret: string, usage: "sign" | "verify"): Promise<CryptoKey> =>
  globalThis.crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [usage])

const signedMessage = (timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> => {
  const prefix = encoder.encode(`${timestamp}.`)
  const message = new Uint8Array(prefix.length + body.length)
  message.set(prefix)
  message.set(body, prefix.length)
  return message
}

/**
 * Signs a body. `timestamp` is the text of the `X-Signature-Timestamp` header. The promise rejects if the secret is
 * empty.
 *
 * @internal
 */
export const sign = async (secret: string, timestamp: string, body: Uint8Array): Promise<string> => {
  const key = await importKey(secret, "sign")
  return bytesToHex(new Uint8Array(await globalThis.crypto.subtle.sign(algorithm, key, signedMessage(timestamp, body))))
}

/**
 * Returns `true` if a signature matches one of the secrets. Always checks all secrets, so that the duration of the
 * check does not reveal which secret matches.
 *
 * @internal
 */
export const isSignedBy = async (
  secrets: ReadonlyArray<string>,
  timestamp: string,
  body: Uint8Array,
  signature: string
): Promise<boolean> => {
  if (!/^[0-9a-f]{64}$/.test(signature)) return false
  const signatureBytes = hexToBytes(signature)
  const message = signedMessage(timestamp, body)
  const matches = await Promise.all(
    secrets.map(async (secret) =>
      globalThis.crypto.subtle.verify(algorithm, await importKey(secret, "verify"), signatureBytes, message)
    )
  )
  return matches.includes(true)
}
