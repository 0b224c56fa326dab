/**
 * Creates the error for an error code.
 *
 * @internal
 */
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type { ExecutionId } from "../../Execution.js"
import type { FileId } from "../../File.js"
import * as E from "../../ModelRouteError.js"
import * as codes from "./codes.js"

/** @internal An error with an error code, from an envelope or from a FAILED execution. */
export type CodedError = E.ApiError | E.Unauthorized | E.UnrecognizedError

/** @internal The fields of every `CodedError`. */
export interface CodedFields {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: ExecutionId
  readonly fileId?: FileId
  readonly code: string
  readonly message: string
  readonly apiMessage?: string
  readonly retryable: boolean
  readonly retryAfter?: Duration.Duration
  readonly status: number
  readonly requestId?: string
  readonly executionStatus?: "FAILED"
}

/** @internal The fields that only some classes of `CodedError` have. */
export interface ExtraFields {
  readonly details: ReadonlyArray<E.Detail>
  readonly rateLimitFields: {
    readonly retryAfter?: Duration.Duration
    readonly resetAt?: DateTime.Utc
    readonly limit?: number
    readonly remaining?: number
  }
}

/**
 * An option of the error constructors that skips the validation of the fields. The types of the fields are already
 * correct, and the validation of ten thousand details would take milliseconds.
 *
 * @internal
 */
export const unchecked = { disableValidation: true } as const

const constructors: { readonly [C in codes.Code]: (fields: CodedFields, extra: ExtraFields) => E.ApiError } = {
  INPUT_VALIDATION_ERROR: (fields, { details }) => new E.InputValidationError({ ...fields, details }, unchecked),
  CONTENT_MODERATION_REJECTED: (fields) => new E.ContentModerationRejected(fields, unchecked),
  FILE_NOT_FOUND: (fields) => new E.FileNotFound(fields, unchecked),
  FILE_FORMAT_UNSUPPORTED: (fields) => new E.FileFormatUnsupported(fields, unchecked),
  INSUFFICIENT_BALANCE: (fields) => new E.InsufficientBalance(fields, unchecked),
  RATE_LIMITED: (fields, { rateLimitFields }) => new E.RateLimited({ ...fields, ...rateLimitFields }, unchecked),
  MODEL_OVERLOADED: (fields) => new E.ModelOverloaded(fields, unchecked),
  MODEL_UNAVAILABLE: (fields) => new E.ModelUnavailable(fields, unchecked),
  GENERATION_TIMEOUT: (fields) => new E.GenerationTimeout(fields, unchecked),
  GENERATION_FAILED: (fields) => new E.GenerationFailed(fields, unchecked),
  SERVICE_UNAVAILABLE: (fields) => new E.ServiceUnavailable(fields, unchecked),
  INTERNAL_ERROR: (fields) => new E.InternalError(fields, unchecked)
}

/**
 * Creates the error for a code. `name` is the code in upper case. An unknown code results in an `UnrecognizedError`.
 *
 * @internal
 */
export const makeCodedError = (name: string, fields: CodedFields, extra: ExtraFields): CodedError => {
  if (codes.isCode(name)) return constructors[name](fields, extra)
  if (name === "UNAUTHORIZED") return new E.Unauthorized(fields, unchecked)
  return new E.UnrecognizedError({ ...fields, ...(fields.status === 429 ? extra.rateLimitFields : {}) }, unchecked)
}
