/**
 * What an error means for the next step.
 *
 * @internal
 */
import type { ModelRouteError, RateLimited, UnrecognizedError } from "../ModelRouteError.js"

/** @internal Whether the API rejected the request because of its rate limit, whatever code it gave. */
export const isRateLimit = (error: ModelRouteError): error is RateLimited | UnrecognizedError =>
  error._tag === "RateLimited" || (error._tag === "UnrecognizedError" && error.status === 429)
