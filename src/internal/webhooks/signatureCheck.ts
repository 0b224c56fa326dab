/**
 * What can be told of a delivery before its body is read as JSON: which headers it has, and whether its signature is genuine
 * and recent.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Delivery, RejectionReason } from "./delivery.js"
import { seconds } from "../errors/messages.js"
import { isSignedBy } from "./signature.js"
import { text } from "../data/lenient.js"

/** @internal */
export interface Refusal {
  readonly reason: RejectionReason
  readonly message: string
}

/** A header that came twice reads as HTTP joins it, which neither a signature nor a timestamp survives. */
const header = (headers: Delivery["headers"], name: string): string | undefined =>
  text(
    Object.entries(headers)
      .filter(([key]) => key.toLowerCase() === name)
      .flatMap(([, value]) => value ?? [])
      .join(", ")
  )

/** @internal */
export const bytesOf = (body: Uint8Array | string): Uint8Array =>
  typeof body === "string" ? new TextEncoder().encode(body) : body

const unsigned: Refusal = {
  reason: "signature-missing",
  message:
    "The delivery has no X-Signature, so it could be anybody's. If ModelRoute did send it, check that whatever stands before this server passes the header on."
}

const undated: Refusal = {
  reason: "timestamp-missing",
  message:
    "The delivery has no X-Signature-Timestamp in whole Unix seconds. If ModelRoute did send it, check that whatever stands before this server passes the header on unchanged."
}

const forged = (secrets: number): Refusal => ({
  reason: "signature-mismatch",
  message: `The delivery's X-Signature does not fit its body under ${secrets === 1 ? "the secret" : `any of the ${secrets} secrets`}. If ModelRoute did send it, check that the secret is this endpoint's, whole with its whsec_ and without quotes or line breaks, that nothing has read the body before, and that body is the bytes as they arrived, not JSON that was parsed and written again.`
})

const stale = (age: number, tolerance: number): Refusal => ({
  reason: "stale",
  message: `The delivery is genuine, but was signed ${seconds(Math.abs(age))} ${age > 0 ? "before" : "after"} this machine's time; the tolerance is ${seconds(tolerance)}. It was held up or replayed, or a clock is wrong: correct the clock, or widen tolerance.`
})

/** @internal Signed, but not something that the API would send. */
export const malformed: Refusal = {
  reason: "malformed",
  message: "The delivery is genuine, but its body is no JSON object. Check that body is complete."
}

/** @internal `limit` is in bytes. */
export const tooLarge = (limit: number): Refusal => ({
  reason: "too-large",
  message: `The delivery's body is larger than ${limit} bytes. If ModelRoute did send it, raise maxBodySize.`
})

/**
 * `undefined` for a delivery that is genuine and recent. The signature is looked at before the time, so that "stale" is said
 * only of what the API has signed. `tolerance` is in milliseconds.
 *
 * @internal
 */
export const refusal = (
  { headers }: Delivery,
  body: Uint8Array,
  secrets: ReadonlyArray<string>,
  tolerance: number
): Effect.Effect<Refusal | undefined> =>
  Effect.gen(function* () {
    const signature = header(headers, "x-signature")
    if (signature === undefined) return unsigned
    const timestamp = header(headers, "x-signature-timestamp")
    if (timestamp === undefined || !/^\d{1,15}$/.test(timestamp)) return undated
    if (!(yield* Effect.promise(() => isSignedBy(secrets, timestamp, body, signature)))) return forged(secrets.length)
    const age = (yield* Clock.currentTimeMillis) - Number(timestamp) * 1000
    return Math.abs(age) > tolerance ? stale(age, tolerance) : undefined
  })
