/**
 * Decides what an error means for the next step. No other module looks at a tag, status or code to decide that. The
 * public guards (`isExecutionEnded`, `isNotFound`, `isRetryable`) are in `ModelRouteError`.
 *
 * The error of a FAILED execution says nothing about a request. Only `isRateLimit` and `isTransientFault` hold for it
 * as well.
 *
 * @internal
 */
import {
  type InsufficientBalance,
  isExecutionEnded,
  type ModelRouteError,
  type RateLimited,
  type Unauthorized,
  type UnexpectedResponse,
  type UnrecognizedError
} from "../../ModelRouteError.js"

/** The HTTP status of the response. The status of a FAILED execution's error comes from the table of codes instead. */
const responseStatus = (error: ModelRouteError): number | undefined =>
  "status" in error && !isExecutionEnded(error) ? error.status : undefined

const hasStatus = (error: ModelRouteError, ...statuses: ReadonlyArray<number>): boolean => {
  const status = responseStatus(error)
  return status !== undefined && statuses.includes(status)
}

const isConnectFailure = (error: ModelRouteError): boolean =>
  error._tag === "TransportError" && error.reason === "connect"

/** @internal Whether the rate limit caused the error. A 429 with an unknown code counts. */
export const isRateLimit = (error: ModelRouteError): error is RateLimited | UnrecognizedError =>
  error._tag === "RateLimited" || (error._tag === "UnrecognizedError" && error.status === 429)

/** @internal Whether the gate cannot tell from the status that this is a rate limit. */
export const isHiddenRateLimit = (error: ModelRouteError): error is RateLimited =>
  error._tag === "RateLimited" && error.status !== 429

/** @internal Whether the same request can succeed later, and the rate limit is not the reason for the failure. */
export const isTransientFault = (error: ModelRouteError): boolean => error.retryable && !isRateLimit(error)

/** @internal Whether every other submission of the account fails as well, until a person acts. */
export const stopsAccount = (error: ModelRouteError): error is InsufficientBalance | Unauthorized =>
  (error._tag === "InsufficientBalance" || error._tag === "Unauthorized") && !isExecutionEnded(error)

/** @internal Whether the API rejected the request before it read the body: 401, 402 or 429. */
export const wasRejected = (error: ModelRouteError): boolean =>
  (isRateLimit(error) && !isExecutionEnded(error)) || stopsAccount(error) || hasStatus(error, 429)

/** @internal Whether the API read the request and will reject the same request every time. */
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
 * Whether the API, or this client, rejected the request. A failure to connect does not count, because no response
 * proves it.
 *
 * @internal
 */
export const isDefiniteRejection = (error: ModelRouteError): boolean =>
  error._tag === "InvalidRequest" || wasRejected(error) || isPermanentRejection(error)

/** @internal Whether the latest attempt did not reach the API. */
export const wasNotSent = (error: ModelRouteError): boolean =>
  error._tag === "InvalidRequest" || isConnectFailure(error)

/** @internal Whether the API certainly did not execute the latest attempt. */
export const wasNotProcessed = (error: ModelRouteError): boolean =>
  isDefiniteRejection(error) || isConnectFailure(error)

/**
 * Whether the same request may be sent again. `isRepeatable` says whether the API executes the request once, however
 * often it arrives. Any other request may be sent again only if it was certainly not processed.
 *
 * @internal
 */
export const canRepeat = (error: ModelRouteError, isRepeatable: boolean): boolean =>
  error._tag !== "InvalidRequest" && (isRepeatable || wasNotProcessed(error))

/** @internal Whether the API understood the request and rejected it: a 4xx other than 401 and 429. */
export const isClientError = (error: ModelRouteError): boolean => {
  const status = responseStatus(error)
  return status !== undefined && status >= 400 && status < 500 && status !== 401 && status !== 429
}

/** @internal Whether the API does not know the execution or endpoint, or has deleted it (404, 410). */
export const isMissing = (error: ModelRouteError): boolean => hasStatus(error, 404, 410)

/** @internal Whether the API has deleted the resource (410). */
export const isGone = (error: ModelRouteError): boolean => hasStatus(error, 410)

/** @internal Whether the API has no such path, or no such method on it (404, 405). */
export const isAbsent = (error: ModelRouteError): boolean => hasStatus(error, 404, 405)

/** @internal Whether the request contradicts the current state of the resource (409). */
export const isConflict = (error: ModelRouteError): boolean => hasStatus(error, 409)

/** @internal Whether the API can return the result of an execution later (404, 409, 425). */
export const isNotReady = (error: ModelRouteError): boolean => hasStatus(error, 404, 409, 425)

/**
 * Whether the response has no error envelope: it comes from a proxy, a gateway or storage, or it is incomplete.
 *
 * @internal
 */
export const hasNoEnvelope = (error: ModelRouteError): error is UnexpectedResponse =>
  error._tag === "UnexpectedResponse"

/** @internal Whether a proxy, a login page or a gateway responded instead of the API. */
export const isForeignResponse = (error: ModelRouteError): boolean =>
  hasNoEnvelope(error) && (error.status < 400 || error.status === 403 || error.status >= 500)

/** @internal Whether storage rejected the request (4xx). */
export const isStorageRejection = (error: ModelRouteError): error is UnexpectedResponse =>
  hasNoEnvelope(error) && error.status >= 400 && error.status < 500
