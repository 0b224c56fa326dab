/**
 * Generates ids and secrets from a seed. Two runs with the same seed generate the same values. Each kind of value has a
 * separate random sequence. For example, an additional request id does not change the later execution ids.
 *
 * @internal
 */
import * as Hash from "effect/Hash"
import { PCGRandom } from "effect/Utils"
import { checksum, crc32 } from "./files/checksums.js"

/** @internal */
export interface Ids {
  readonly execution: () => string
  /** Returns an id for an output file of an execution. */
  readonly file: () => string
  readonly request: () => string
  readonly upload: () => string
  readonly endpoint: () => string
  readonly webhookSecret: () => string
  readonly event: () => string
  readonly apiKeyId: () => string
  readonly apiKey: () => string
  readonly organization: string
}

const randomHex = (random: PCGRandom, digits: number): string => {
  let text = ""
  while (text.length < digits) {
    text += random.integer(0x1_0000).toString(16).padStart(4, "0")
  }
  return text.slice(0, digits)
}

const randomUuid = (random: PCGRandom): string => {
  const hex = (digits: number) => randomHex(random, digits)
  const variant = (8 + random.integer(4)).toString(16)
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${variant}${hex(3)}-${hex(12)}`
}

const randomWebhookSecret = (random: PCGRandom): string =>
  `whsec_${Array.from({ length: 40 }, () => random.integer(36).toString(36)).join("")}`

const encoder = new TextEncoder()

/**
 * Returns an API key that ends with a CRC-32 checksum of its digits. The digits are an assumption, because the API's
 * documentation does not specify the input of the checksum.
 */
const randomApiKey = (random: PCGRandom): string => {
  const digits = randomHex(random, 64)
  return `sk_${digits}_${crc32(encoder.encode(digits)).toString(16).padStart(8, "0")}`
}

/** @internal */
export const make = (seed: number): Ids => {
  const sequence = (kind: number, prefix: string, draw: (random: PCGRandom) => string) => {
    const random = new PCGRandom(seed, kind)
    return () => `${prefix}${draw(random)}`
  }
  const shortId = (random: PCGRandom) => randomHex(random, 8)
  return {
    execution: sequence(1, "exec_", randomUuid),
    file: sequence(2, "file_", randomUuid),
    request: sequence(3, "req_", shortId),
    upload: sequence(4, "file_", randomUuid),
    endpoint: sequence(5, "wh_", randomUuid),
    webhookSecret: sequence(6, "", randomWebhookSecret),
    event: sequence(7, "evt_", randomUuid),
    apiKeyId: sequence(8, "key_", shortId),
    apiKey: sequence(9, "", randomApiKey),
    organization: sequence(10, "org_", shortId)()
  }
}

/**
 * Returns 64 hex digits in place of the HMAC of a presigned URL. The digits depend on the seed and the text.
 *
 * @internal
 */
export const fakeSignature = (seed: number, text: string): string =>
  randomHex(new PCGRandom(seed, Hash.string(text)), 64)

/** @internal Returns 32 hex digits in place of the MD5 of the bytes. */
export const fakeDigest = (bytes: Uint8Array): string => randomHex(new PCGRandom(checksum(bytes), bytes.length), 32)
