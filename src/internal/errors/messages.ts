/**
 * Builds the messages of errors. A message contains the failed operation, the message from the API and advice for the
 * caller.
 *
 * @internal
 */
import { formatMillis } from "../data/durationText.js"
import { isCode, type Code } from "./codes.js"

interface Phrase {
  readonly problem: string
  readonly advice: string
}

const phrases: { readonly [C in Code]: Phrase } = {
  INPUT_VALIDATION_ERROR: {
    problem: "a parameter is wrong",
    advice: "Correct the parameters in details, then submit again."
  },
  CONTENT_MODERATION_REJECTED: {
    problem: "the safety filter rejected the content",
    advice: "Change the input. The same input is rejected every time."
  },
  FILE_NOT_FOUND: {
    problem: "a file is unknown or has expired",
    advice: "Upload the file again and use its new id."
  },
  FILE_FORMAT_UNSUPPORTED: {
    problem: "the model does not accept files of this format",
    advice: "Convert the file, or use another model."
  },
  INSUFFICIENT_BALANCE: {
    problem: "the balance does not cover the hold for this execution",
    advice: "Top up the balance in the dashboard, then submit again."
  },
  RATE_LIMITED: { problem: "the rate limit is exhausted", advice: "Send fewer requests, or wait for the reset." },
  MODEL_OVERLOADED: { problem: "the model is at capacity", advice: "Try again later, or use another model." },
  MODEL_UNAVAILABLE: { problem: "the model is temporarily out of service", advice: "Try again in a few minutes." },
  GENERATION_TIMEOUT: {
    problem: "the generation took too long",
    advice: "Submit the request again as a new execution."
  },
  GENERATION_FAILED: { problem: "the model's provider failed", advice: "Submit the request again as a new execution." },
  SERVICE_UNAVAILABLE: { problem: "ModelRoute is temporarily out of service", advice: "Try again in a few minutes." },
  INTERNAL_ERROR: {
    problem: "ModelRoute had an internal error",
    advice: "Contact ModelRoute's support with the request id."
  }
}

const unauthorized: Phrase = {
  problem: "the API key is missing, wrong or revoked",
  advice: "Check the API key and its permissions in the dashboard."
}

const unrecognized: Phrase = {
  problem: "ModelRoute rejected the request with a code that this version of the library does not support",
  advice: "Look up the code in ModelRoute's documentation."
}

/** The problem and the advice for each HTTP status. Used only if the response contains no documented error code. */
const phrasesByStatus: { readonly [status: number]: Phrase } = {
  403: { problem: "the API key does not have permission for this call", advice: "Use a key with full access." },
  404: {
    problem: "the resource does not exist for this API key",
    advice: "Check the id, and check that it belongs to the account of this API key."
  }
}

const conflict: Phrase = {
  problem: "another request already uses this idempotency key",
  advice:
    "If both requests have the same body, the first request is still in progress. Try again later. If the bodies differ, use a new key."
}

const wrongBaseUrl: Phrase = {
  problem: "the endpoint does not exist at this base URL",
  advice: "Check that the base URL is ModelRoute's and has no extra path."
}

/** The operations without an id in their path. If such an operation fails with 404, the base URL is wrong. */
const operationsWithoutId: ReadonlySet<string> = new Set([
  "executions.create",
  "files.upload",
  "webhookEndpoints.create",
  "webhookEndpoints.list"
])

const findPhrase = (code: string, status?: number, call?: Pick<CallInfo, "isKeyed" | "operation">): Phrase => {
  if (isCode(code)) return phrases[code]
  if (code === "UNAUTHORIZED") return unauthorized
  if (status === 409 && call?.isKeyed === true) return conflict
  if (status === 404 && call !== undefined && operationsWithoutId.has(call.operation)) return wrongBaseUrl
  return (status === undefined ? undefined : phrasesByStatus[status]) ?? unrecognized
}

const toSentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

/** @internal Returns the message of an error that the caller creates without a message, for example in a test. */
export const defaultMessage = (code: string): string => {
  const { advice, problem } = findPhrase(code)
  return `${toSentence(problem)} ${advice}`
}

/** @internal The facts about a call that error messages contain. */
export interface CallInfo {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: string
  /** `true` if the request contains `idempotencyKey`. */
  readonly isKeyed?: boolean
  /** `true` if the response comes from object storage. */
  readonly isStorage?: boolean
}

const describeAttempts = (attempts: number): string => (attempts > 1 ? ` after ${attempts} attempts` : "")

const joinFacts = (facts: ReadonlyArray<string | undefined>): string =>
  facts.filter((fact) => fact !== undefined && fact !== "").join(", ")

const resumeAdvice = (call: CallInfo, retryable: boolean): string =>
  retryable && call.isKeyed === true
    ? ` To continue later without paying twice, use the idempotency key ${call.idempotencyKey}.`
    : ""

/**
 * Returns the advice to use a new idempotency key, or an empty text if the failure is not retryable. The API may return
 * the same failure again for the old key.
 */
const newKeyAdvice = (retryable: boolean): string => (retryable ? " Use a new idempotency key." : "")

/** @internal Returns the message of an error with an error code. */
export const apiError = (
  call: CallInfo,
  error: {
    /** The error code in upper case, as in the table of codes. */
    readonly name: string
    /** The error code exactly as in the response. */
    readonly code: string
    readonly status: number
    readonly retryable: boolean
    readonly apiMessage?: string
    readonly requestId?: string
    readonly details?: ReadonlyArray<{ readonly field: string; readonly code: string; readonly message: string }>
    /** The milliseconds until the rate limit resets. Absent if the headers contain no reset. */
    readonly resetsInMillis?: number
    /** `true` if the error describes a FAILED execution instead of a rejected request. */
    readonly isExecutionFailure?: boolean
  }
): string => {
  const { advice, problem } = findPhrase(error.name, error.status, call)
  const subject = error.isExecutionFailure
    ? `Execution ${call.executionId} failed`
    : `${call.operation} failed${describeAttempts(call.attempts)}`
  const reason = error.apiMessage ? ` ModelRoute's message: "${error.apiMessage}"` : " ModelRoute sent no message"
  const facts = joinFacts([
    error.code,
    error.isExecutionFailure ? undefined : `HTTP ${error.status}`,
    error.requestId && `request ${error.requestId}`
  ])
  const details = error.details ?? []
  const shownDetails = details.slice(0, 3).map(({ code, field, message }) => ` ${field}: ${message} (${code}).`)
  const otherDetails = details.length > 3 ? ` See details for ${details.length - 3} more.` : ""
  const reset = error.resetsInMillis === undefined ? "" : ` The limit resets in ${formatMillis(error.resetsInMillis)}.`
  const keyAdvice = (): string => {
    if (error.isExecutionFailure) return newKeyAdvice(error.retryable)
    return error.status === 409 ? "" : resumeAdvice(call, error.retryable)
  }
  return `${subject}: ${problem}.${reason} (${facts}).${shownDetails.join("")}${otherDetails}${reset} ${advice}${keyAdvice()}`
}

/** @internal Returns the message of a complete response without an error envelope. */
export const unexpectedResponse = (
  call: CallInfo,
  response: {
    readonly status: number
    readonly problem: string
    readonly retryable: boolean
    readonly contentType?: string
    readonly requestId?: string
  }
): string => {
  const facts = joinFacts([
    `HTTP ${response.status}`,
    response.contentType ?? "no content type",
    response.requestId && `request ${response.requestId}`
  ])
  const advice = (): string => {
    if (response.retryable)
      return "ModelRoute, or a proxy in front of it, may be temporarily out of service. Try again later."
    return call.isStorage === true
      ? "The field body contains the message from storage, if storage sent a message."
      : "Check the base URL, and any proxy between you and ModelRoute. The field body contains the start of the response."
  }
  return `${call.operation} failed${describeAttempts(call.attempts)}: ${response.problem} (${facts}). ${advice()}${resumeAdvice(call, response.retryable)}`
}

/** @internal Returns the message for a request that was not sent, because its wait in the queue would be too long. */
export const rateLimitedByGate = (call: CallInfo, waitMillis: number): string => {
  const again = call.attempts > 0 ? " again" : ""
  return `${call.operation} was not sent${again}: the rate limit is exhausted. The request would have waited ${formatMillis(waitMillis)}, longer than the retry policy allows. Try again after that time, send fewer requests, or raise maxWait in RetryPolicy.rateLimit.${resumeAdvice(call, call.attempts > 0)}`
}

/** @internal Returns the message of a call without a complete response. */
export const transportError = (
  call: CallInfo,
  failure: { readonly problem: string; readonly retryable: boolean; readonly detail?: string }
): string => {
  const detail = failure.detail === undefined ? "" : ` (${failure.detail})`
  const advice = failure.retryable
    ? "Try again later."
    : "The request may have been executed. Check whether it was executed before you send the request again."
  return `${call.operation} failed${describeAttempts(call.attempts)}: ${failure.problem}${detail}. ${advice}${resumeAdvice(call, failure.retryable)}`
}
