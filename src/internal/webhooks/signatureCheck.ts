/**
 * Checks the headers and the signature of a delivery before its body is decoded.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { nonEmptyString } from "../data/lenient.js"
import { formatMillis } from "../data/durationText.js"
import type { Delivery, RejectionReason } from "./delivery.js"
import { isSignedBy } from "./signature.js"

/** @internal */
export interface Rejection {
  readonly reason: RejectionReason
  readonly message: string
}

/**
 * Returns the value of a header. Joins the values of a repeated header with commas. A joined value is never a valid
 * signature or timestamp, so that a delivery with a repeated header is rejected.
 */
const findHeader = (headers: Delivery["headers"], name: string): string | undefined =>
  nonEmptyString(
    Object.entries(headers)
      .filter(([key]) => key.toLowerCase() === name)
      .flatMap(([, value]) => value ?? [])
      .join(", ")
  )

/** @internal */
export const toBytes = (body: Uint8Array | string): Uint8Array =>
  typeof body === "string" ? new TextEncoder().encode(body) : body

const signatureMissing: Rejection = {
  reason: "signature-missing",
  message:
    "The delivery has no X-Signature, so anyone could have sent it. If ModelRoute sent the delivery, check that every proxy in front of this server forwards the header."
}

const timestampMissing: Rejection = {
  reason: "timestamp-missing",
  message:
    "The delivery has no X-Signature-Timestamp in whole Unix seconds. If ModelRoute sent the delivery, check that every proxy in front of this server forwards the header unchanged."
}

const signatureMismatch = (secretCount: number): Rejection => ({
  reason: "signature-mismatch",
  message: `The delivery's X-Signature does not match its body with ${secretCount === 1 ? "the secret" : `any of the ${secretCount} secrets`}. If ModelRoute sent the delivery, check the secret and the body. The secret must belong to this endpoint, start with whsec_ and contain no quotes or line breaks. The body must be the bytes as received. No other code may read, parse or encode the body first.`
})

const stale = (ageMillis: number, toleranceMillis: number): Rejection => ({
  reason: "stale",
  message: `The signature is valid, but the delivery was signed ${formatMillis(Math.abs(ageMillis))} ${ageMillis > 0 ? "before" : "after"} this machine's time. The tolerance is ${formatMillis(toleranceMillis)}. The delivery was delayed or replayed, or a clock is wrong. Correct the clock, or increase tolerance.`
})

/** @internal */
export const malformed: Rejection = {
  reason: "malformed",
  message: "The signature is valid, but the body is not a JSON object. Check that the body is complete."
}

/** @internal */
export const tooLarge = (limitBytes: number): Rejection => ({
  reason: "too-large",
  message: `The delivery's body is larger than ${limitBytes} bytes. If ModelRoute sent the delivery, raise maxBodySize.`
})

/**
 * Returns the reason for the rejection of a delivery. Returns `undefined` if the signature is valid and recent. Checks
 * the signature before the age, because the timestamp of an invalid signature has no meaning.
 *
 * @internal
 */
export const findRejection = (
  { headers }: Delivery,
  body: Uint8Array,
  secrets: ReadonlyArray<string>,
  toleranceMillis: number
): Effect.Effect<Rejection | undefined> =>
  Effect.gen(function* () {
    const signature = findHeader(headers, "x-signature")
    if (signature === undefined) return signatureMissing
    const timestamp = findHeader(headers, "x-signature-timestamp")
    if (timestamp === undefined || !/^\d{1,15}$/.test(timestamp)) return timestampMissing
    const isGenuine = yield* Effect.promise(() => isSignedBy(secrets, timestamp, body, signature))
    if (!isGenuine) return signatureMismatch(secrets.length)
    const ageMillis = (yield* Clock.currentTimeMillis) - Number(timestamp) * 1000
    return Math.abs(ageMillis) > toleranceMillis ? stale(ageMillis, toleranceMillis) : undefined
  })
