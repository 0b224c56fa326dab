/**
 * Classifies errors by their consequences, for example whether the API processed the request. Other modules do not
 * classify errors by tag, status or code. The public guards (`isExecutionEnded`, `isNotFound`, `isRetryable`) are in
 * `ModelRouteError`.
 *
 * The error of a FAILED execution does not describe a request. Of the functions in this module, only `isRateLimit` and
 * `isTransientFault` can return `true` for such an error.
 *
 * @internal
 */
import {
  type InsufficientBalance,
  isExecutionEnded,
  type ModelRouteError,
  type RateLimited,
  type TransportError,
  type Unauthorized,
  type UnexpectedResponse,
  type UnrecognizedError
} from "../../ModelRouteError.js"

/**
 * Returns the HTTP status of the response. Returns `undefined` for the error of a FAILED execution, because its status
 * comes from the table of codes.
 */
const responseStatus = (error: ModelRouteError): number | undefined =>
  "status" in error && !isExecutionEnded(error) ? error.status : undefined

const hasStatus = (error: ModelRouteError, ...statuses: ReadonlyArray<number>): boolean => {
  const status = responseStatus(error)
  return status !== undefined && statuses.includes(status)
}

/** @internal Tests whether the connection failed, broke or timed out. */
export const isTransportFailure = (error: ModelRouteError): error is TransportError => error._tag === "TransportError"

const isConnectFailure = (error: ModelRouteError): boolean => isTransportFailure(error) && error.reason === "connect"

/** @internal Tests whether the rate limit caused the error. Includes a 429 with an unknown code. */
export const isRateLimit = (error: ModelRouteError): error is RateLimited | UnrecognizedError =>
  error._tag === "RateLimited" || (error._tag === "UnrecognizedError" && error.status === 429)

/**
 * Tests whether the error is a rate limit with a status other than 429. Such an error must be reported to the gate,
 * because its status does not show the rate limit.
 *
 * @internal
 */
export const isHiddenRateLimit = (error: ModelRouteError): error is RateLimited =>
  error._tag === "RateLimited" && error.status !== 429

/** @internal Tests whether the error is retryable and is not a rate limit. */
export const isTransientFault = (error: ModelRouteError): boolean => error.retryable && !isRateLimit(error)

/** @internal Tests whether all submissions of the account fail until the balance or the API key is corrected. */
export const stopsAccount = (error: ModelRouteError): error is InsufficientBalance | Unauthorized =>
  (error._tag === "InsufficientBalance" || error._tag === "Unauthorized") && !isExecutionEnded(error)

/** @internal Tests whether the API rejected the request because of the account or the rate limit (401, 402 or 429). */
export const wasRejected = (error: ModelRouteError): boolean =>
  (isRateLimit(error) && !isExecutionEnded(error)) || stopsAccount(error) || hasStatus(error, 429)

/** @internal Tests whether the API rejects the same request every time, because its content is invalid. */
export const isPermanentRejection = (error: ModelRouteError): boolean => {
  switch (error._tag) {
    case "InputValidationError":
    case "ContentModerationRejected":
    case "FileNotFound":
    case "FileFormatUnsupported":
      return !error.retryable && !isExecutionEnded(error)
    default:
      return false
  }
}

/**
 * Tests whether a response or this client proves that the request was rejected. A failed connection is not a rejection,
 * because no response arrived.
 *
 * @internal
 */
export const isDefiniteRejection = (error: ModelRouteError): boolean =>
  error._tag === "InvalidRequest" || wasRejected(error) || isPermanentRejection(error)

/** @internal Tests whether the latest attempt did not reach the API. */
export const wasNotSent = (error: ModelRouteError): boolean =>
  error._tag === "InvalidRequest" || isConnectFailure(error)

/** @internal Tests whether the API certainly did not execute the latest attempt. */
export const wasNotProcessed = (error: ModelRouteError): boolean =>
  isDefiniteRejection(error) || isConnectFailure(error)

/**
 * Tests whether the failed request can be retried. Returns `false` for `InvalidRequest`, because the same arguments would
 * fail again. After any other error, a repeatable request can be retried, because a retry has no further effect at the
 * API. A request that is not repeatable can be retried only if the API certainly did not process the request.
 *
 * @internal
 */
export const canRepeat = (error: ModelRouteError, isRepeatable: boolean): boolean =>
  error._tag !== "InvalidRequest" && (isRepeatable || wasNotProcessed(error))

/** @internal Tests whether the API rejected the request with a 4xx other than 401 and 429. */
export const isClientError = (error: ModelRouteError): boolean => {
  const status = responseStatus(error)
  return status !== undefined && status >= 400 && status < 500 && status !== 401 && status !== 429
}

/** @internal Tests whether the execution or endpoint does not exist or was deleted (404 or 410). */
export const isMissing = (error: ModelRouteError): boolean => hasStatus(error, 404, 410)

/** @internal Tests whether the API has deleted the resource (410). */
export const isGone = (error: ModelRouteError): boolean => hasStatus(error, 410)

/** @internal Tests whether the API does not support the path or its method (404 or 405). */
export const isAbsent = (error: ModelRouteError): boolean => hasStatus(error, 404, 405)

/** @internal Tests whether the request conflicts with the current state of the resource (409). */
export const isConflict = (error: ModelRouteError): boolean => hasStatus(error, 409)

/** @internal Tests whether the result of an execution is not available yet (404, 409 or 425). */
export const isNotReady = (error: ModelRouteError): boolean => hasStatus(error, 404, 409, 425)

/**
 * Tests whether the response has no error envelope. Such a response is incomplete, or comes from object storage, a
 * proxy or a gateway.
 *
 * @internal
 */
export const hasNoEnvelope = (error: ModelRouteError): error is UnexpectedResponse =>
  error._tag === "UnexpectedResponse"

/** @internal Tests whether a proxy, a login page or a gateway responded instead of the API. */
export const isForeignResponse = (error: ModelRouteError): boolean =>
  hasNoEnvelope(error) && (error.status < 400 || error.status === 403 || error.status >= 500)

/** @internal Tests whether storage rejected the request (4xx). */
export const isStorageRejection = (error: ModelRouteError): error is UnexpectedResponse =>
  hasNoEnvelope(error) && error.status >= 400 && error.status < 500
