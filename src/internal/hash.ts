/**
 * SHA-256, for names that are made of what they name.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import { toHex } from "./signature.js"

/** @internal 64 lower-case hex characters. */
export const sha256 = (bytes: Uint8Array): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => globalThis.crypto.subtle.digest("SHA-256", new Uint8Array(bytes))),
    (hash) => toHex(new Uint8Array(hash))
  )
