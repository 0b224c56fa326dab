/**
 * What an error means for the next step.
 *
 * @internal
 */
import type { ModelRouteError, RateLimited, RequestFailure, UnrecognizedError } from "../../ModelRouteError.js"

/** @internal Whether the API rejected the request because of its rate limit, whatever code it gave. */
export const isRateLimit = (error: ModelRouteError): error is RateLimited | UnrecognizedError =>
  error._tag === "RateLimited" || (error._tag === "UnrecognizedError" && error.status === 429)

/** @internal The API rejected the request before it looked at it. */
export const wasTurnedAway = (error: RequestFailure): boolean =>
  error._tag === "RateLimited" ||
  error._tag === "InsufficientBalance" ||
  error._tag === "Unauthorized" ||
  ("status" in error && error.status === 429)

/** @internal The API has looked at the request and never accepts it. */
export const isRefusedForGood = (error: ModelRouteError): boolean => {
  switch (error._tag) {
    case "InputValidationError":
    case "ContentModerationRejected":
    case "FileNotFound":
    case "FileFormatUnsupported":
      return !error.retryable
    default:
      return false
  }
}

/** @internal The latest attempt has certainly not been executed. */
export const wasNotProcessed = (error: RequestFailure): boolean =>
  error._tag === "InvalidRequest" ||
  wasTurnedAway(error) ||
  isRefusedForGood(error) ||
  (error._tag === "TransportError" && error.reason === "connect")

/** @internal The API does not know the execution, or not any more. */
export const isMissing = (error: ModelRouteError): boolean =>
  "status" in error && (error.status === 404 || error.status === 410)

/** @internal The API has understood the request and rejects it; whether its execution has ended, only the execution says. */
export const isRefusal = (error: RequestFailure): boolean =>
  "status" in error && error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 429
