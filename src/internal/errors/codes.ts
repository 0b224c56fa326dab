/**
 * The table of the twelve error codes of the API. The error classes, the retry rules and the simulator use this table.
 *
 * @internal
 */
export const codes = {
  INPUT_VALIDATION_ERROR: { tag: "InputValidationError", status: 400, retryable: false },
  CONTENT_MODERATION_REJECTED: { tag: "ContentModerationRejected", status: 400, retryable: false },
  FILE_NOT_FOUND: { tag: "FileNotFound", status: 400, retryable: false },
  FILE_FORMAT_UNSUPPORTED: { tag: "FileFormatUnsupported", status: 400, retryable: false },
  INSUFFICIENT_BALANCE: { tag: "InsufficientBalance", status: 402, retryable: false },
  RATE_LIMITED: { tag: "RateLimited", status: 429, retryable: true },
  MODEL_OVERLOADED: { tag: "ModelOverloaded", status: 503, retryable: true },
  MODEL_UNAVAILABLE: { tag: "ModelUnavailable", status: 503, retryable: true },
  GENERATION_TIMEOUT: { tag: "GenerationTimeout", status: 504, retryable: true },
  GENERATION_FAILED: { tag: "GenerationFailed", status: 500, retryable: true },
  SERVICE_UNAVAILABLE: { tag: "ServiceUnavailable", status: 503, retryable: true },
  INTERNAL_ERROR: { tag: "InternalError", status: 500, retryable: false }
} as const

/** @internal */
export type Code = keyof typeof codes

/** @internal Tests whether a text is one of the twelve codes. */
export const isCode = (text: string): text is Code => Object.hasOwn(codes, text)

const retryableStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

/**
 * Tests whether a response with the status is retryable. Used only for a response without a `retryable` field and
 * without one of the twelve codes. Cloudflare sends 520 to 530 if the API's server is unreachable.
 *
 * @internal
 */
export const isRetryableStatus = (status: number): boolean =>
  retryableStatuses.has(status) || (status >= 520 && status <= 530)
