/**
 * What the API does with API keys.
 *
 * @internal
 */
import * as AnswerOf from "../http/response.js"
import type { ApiKeys } from "./apiKeys.js"
import type { Section } from "../http/apiCall.js"
import type { Refusals } from "../http/errorResponses.js"
import { iso } from "../time.js"

/** @internal `skew` is the server's clock less the Clock, in milliseconds. */
export const make = (apiKeys: ApiKeys, refusals: Refusals, skew: number): Section<"apiKeys"> => ({
  "apiKeys.rotate": ({ id, now }) => {
    const rotated = apiKeys.rotate(id, now)
    return rotated === undefined
      ? refusals.notFound(`API key ${id}`)
      : AnswerOf.json(200, {
          id,
          new_key: rotated.newKey,
          previous_key_valid_until: iso(rotated.previousValidUntil + skew)
        })
  }
})
