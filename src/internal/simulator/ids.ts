/**
 * Identifiers and secrets that depend on the seed alone, so that a test can be read twice. Each kind has a sequence of its
 * own: an error more does not change the ids of the executions after it.
 *
 * @internal
 */
import * as Hash from "effect/Hash"
import { PCGRandom } from "effect/Utils"
import { checksum, crc32 } from "./files/checksums.js"

/** @internal */
export interface Ids {
  readonly execution: () => string
  /** Of a file that an execution makes. */
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

const hex = (random: PCGRandom, digits: number): string => {
  let text = ""
  while (text.length < digits) {
    text += random.integer(0x1_0000).toString(16).padStart(4, "0")
  }
  return text.slice(0, digits)
}

const uuid = (random: PCGRandom): string => {
  const variant = (8 + random.integer(4)).toString(16)
  return `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-${variant}${hex(random, 3)}-${hex(random, 12)}`
}

const secret = (random: PCGRandom): string =>
  `whsec_${Array.from({ length: 40 }, () => random.integer(36).toString(36)).join("")}`

const encoder = new TextEncoder()

/** Over which text the API makes its checksum is not documented; here it is over the digits. */
const apiKey = (random: PCGRandom): string => {
  const digits = hex(random, 64)
  return `sk_${digits}_${crc32(encoder.encode(digits)).toString(16).padStart(8, "0")}`
}

/** @internal */
export const make = (seed: number): Ids => {
  const sequence =
    (kind: number, prefix: string, draw: (random: PCGRandom) => string, random = new PCGRandom(seed, kind)) =>
    () =>
      `${prefix}${draw(random)}`
  const short = (random: PCGRandom) => hex(random, 8)
  return {
    execution: sequence(1, "exec_", uuid),
    file: sequence(2, "file_", uuid),
    request: sequence(3, "req_", short),
    upload: sequence(4, "file_", uuid),
    endpoint: sequence(5, "wh_", uuid),
    webhookSecret: sequence(6, "", secret),
    event: sequence(7, "evt_", uuid),
    apiKeyId: sequence(8, "key_", short),
    apiKey: sequence(9, "", apiKey),
    organization: sequence(10, "org_", short)()
  }
}

/** @internal 64 hex digits that nobody finds by chance; a stand-in for the HMAC of a presigned URL. */
export const signature = (seed: number, text: string): string => hex(new PCGRandom(seed, Hash.string(text)), 64)

/** @internal 32 hex digits that are others for other contents; a stand-in for their MD5. */
export const digest = (bytes: Uint8Array): string => hex(new PCGRandom(checksum(bytes), bytes.length), 32)
