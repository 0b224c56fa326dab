/**
 * Handles the API's operations on API keys.
 *
 * @internal
 */
import type { ResourceHandlers } from "../http/apiCall.js"
import type { ErrorResponses } from "../http/errorResponses.js"
import { jsonResponse } from "../http/response.js"
import { iso } from "../time.js"
import type { ApiKeys } from "./apiKeys.js"

/**
 * Returns the handlers. `skew` is the time by which the server's clock is ahead of Effect's `Clock`, in milliseconds.
 *
 * @internal
 */
export const make = (apiKeys: ApiKeys, errorResponses: ErrorResponses, skew: number): ResourceHandlers<"apiKeys"> => ({
  "apiKeys.rotate": ({ id, now }) => {
    const rotation = apiKeys.rotate(id, now)
    return rotation === undefined
      ? errorResponses.resourceNotFound(`API key ${id}`)
      : jsonResponse(200, {
          id,
          new_key: rotation.newKey,
          previous_key_valid_until: iso(rotation.previousValidUntil + skew)
        })
  }
})
