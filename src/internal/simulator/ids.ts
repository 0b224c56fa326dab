/**
 * Identifiers that depend on the seed alone, so that a test can be read twice. Each kind has a sequence of its own: an
 * error more does not change the ids of the executions after it.
 *
 * @internal
 */
import * as Hash from "effect/Hash"
import { PCGRandom } from "effect/Utils"

/** @internal */
export interface Ids {
  readonly execution: () => string
  readonly file: () => string
  readonly request: () => string
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

/** @internal */
export const make = (seed: number): Ids => {
  const executions = new PCGRandom(seed, 1)
  const files = new PCGRandom(seed, 2)
  const requests = new PCGRandom(seed, 3)
  return {
    execution: () => `exec_${uuid(executions)}`,
    file: () => `file_${uuid(files)}`,
    request: () => `req_${hex(requests, 8)}`
  }
}

/** @internal 64 hex digits that nobody finds by chance; a stand-in for the HMAC of a presigned URL. */
export const signature = (seed: number, text: string): string => hex(new PCGRandom(seed, Hash.string(text)), 64)
