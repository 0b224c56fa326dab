/**
 * The sentences of the errors, written for the person who reads the log at night: what failed, what the API said, how to
 * find it again, what to do.
 *
 * @internal
 */
import { formatMillis } from "../data/durationText.js"
import { isCode, type Code } from "./codes.js"

interface Phrase {
  readonly problem: string
  readonly defaultMessage: string
}

const phrases: { readonly [C in Code]: Phrase } = {
  INPUT_VALIDATION_ERROR: {
    problem: "a parameter is wrong",
    defaultMessage: "Correct what the details name, then submit again."
  },
  CONTENT_MODERATION_REJECTED: {
    problem: "the safety filter refused the content",
    defaultMessage: "Change the input: the same input is refused every time."
  },
  FILE_NOT_FOUND: {
    problem: "a file is unknown or has expired",
    defaultMessage: "Upload the file again and use its new id."
  },
  FILE_FORMAT_UNSUPPORTED: {
    problem: "the model does not take files of this format",
    defaultMessage: "Convert the file, or use another model."
  },
  INSUFFICIENT_BALANCE: {
    problem: "the balance does not cover the hold for this execution",
    defaultMessage: "Top up the balance in the dashboard, then submit again."
  },
  RATE_LIMITED: { problem: "the rate limit is used up", defaultMessage: "Send fewer requests, or wait for the reset." },
  MODEL_OVERLOADED: { problem: "the model is at capacity", defaultMessage: "Try again later, or use another model." },
  MODEL_UNAVAILABLE: {
    problem: "the model is out of service for the moment",
    defaultMessage: "Try again in a few minutes."
  },
  GENERATION_TIMEOUT: {
    problem: "the generation took too long",
    defaultMessage: "Submit it again as a new execution."
  },
  GENERATION_FAILED: { problem: "the model's provider failed", defaultMessage: "Submit it again as a new execution." },
  SERVICE_UNAVAILABLE: {
    problem: "ModelRoute is out of service for the moment",
    defaultMessage: "Try again in a few minutes."
  },
  INTERNAL_ERROR: {
    problem: "ModelRoute met an unexpected fault",
    defaultMessage: "Contact ModelRoute's support with the request id."
  }
}

const unauthorized: Phrase = {
  problem: "the API key is missing, wrong or revoked",
  defaultMessage: "Check the API key and its permissions in the dashboard."
}

const unrecognized: Phrase = {
  problem: "ModelRoute refused the request for a reason that this version does not know",
  defaultMessage: "Look the code up in ModelRoute's documentation."
}

/** Refusals outside the documented codes, as far as their status speaks for itself. */
const phrasesByStatus: { readonly [status: number]: Phrase } = {
  403: { problem: "the API key may not do this", defaultMessage: "Use a key with full access." },
  404: {
    problem: "there is nothing at this address for this API key",
    defaultMessage: "Check the id, and whose key it is."
  }
}

const conflict: Phrase = {
  problem: "another request holds this idempotency key",
  defaultMessage:
    "If it is this same call, it is still being worked on: try again later. If it had another body, use a new key."
}

const wrongBaseUrl: Phrase = {
  problem: "there is no such endpoint at this base URL",
  defaultMessage: "Check the base URL: it is not ModelRoute's, or has a path too many."
}

/** The operations whose path contains no id. */
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

/** @internal What an error says that was made without an answer behind it. */
export const advice = (code: string): string =>
  `${toSentence(findPhrase(code).problem)} ${findPhrase(code).defaultMessage}`

/** @internal The call as far as its error tells of it. */
export interface CallInfo {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: string
  /** Whether the request carries the key. */
  readonly isKeyed?: boolean
  /** Whether it is storage that answers. */
  readonly isStorage?: boolean
}

const describeAttempts = (attempts: number): string => (attempts > 1 ? ` after ${attempts} attempts` : "")

const joinFacts = (parts: ReadonlyArray<string | undefined>): string =>
  parts.filter((part) => part !== undefined && part !== "").join(", ")

const resumeAdvice = (call: CallInfo, retryable: boolean): string =>
  retryable && call.isKeyed === true
    ? ` To go on later without paying twice, use the idempotency key ${call.idempotencyKey}.`
    : ""

/** Under the old key the API may answer with the failure again. */
const newKeyAdvice = (retryable: boolean): string => (retryable ? " A new execution takes a new idempotency key." : "")

/** @internal An answer with a code. */
export const apiError = (
  call: CallInfo,
  answer: {
    /** The code as the table writes it. */
    readonly name: string
    /** The code as it came. */
    readonly code: string
    readonly status: number
    readonly retryable: boolean
    readonly apiMessage?: string
    readonly requestId?: string
    readonly details?: ReadonlyArray<{ readonly field: string; readonly code: string; readonly message: string }>
    /** The wait until the reset in milliseconds, where the headers tell it. */
    readonly wait?: number
    /** Whether it came out of a FAILED execution rather than as the answer to a request. */
    readonly failedExecution?: boolean
  }
): string => {
  const { problem: what, defaultMessage: todo } = findPhrase(answer.name, answer.status, call)
  const subject = answer.failedExecution
    ? `Execution ${call.executionId} failed`
    : `${call.operation} failed${describeAttempts(call.attempts)}`
  const said = answer.apiMessage ? ` ModelRoute says: "${answer.apiMessage}"` : " ModelRoute gave no reason"
  const facts = joinFacts([
    answer.code,
    answer.failedExecution ? undefined : `HTTP ${answer.status}`,
    answer.requestId && `request ${answer.requestId}`
  ])
  const details = answer.details ?? []
  const named = details.slice(0, 3).map(({ code, field, message }) => ` ${field}: ${message} (${code}).`)
  const more = details.length > 3 ? ` And ${details.length - 3} more in details.` : ""
  const reset = answer.wait === undefined ? "" : ` The limit resets in ${formatMillis(answer.wait)}.`
  const next = answer.failedExecution
    ? newKeyAdvice(answer.retryable)
    : answer.status === 409
      ? ""
      : resumeAdvice(call, answer.retryable)
  return `${subject}: ${what}.${said} (${facts}).${named.join("")}${more}${reset} ${todo}${next}`
}

/** @internal A complete answer without an envelope. */
export const unexpectedResponse = (
  call: CallInfo,
  answer: {
    readonly status: number
    readonly problem: string
    readonly retryable: boolean
    readonly contentType?: string
    readonly requestId?: string
  }
): string => {
  const facts = joinFacts([
    `HTTP ${answer.status}`,
    answer.contentType ?? "no content type",
    answer.requestId && `request ${answer.requestId}`
  ])
  const todo = answer.retryable
    ? "Something between you and ModelRoute may be out of service for the moment: try again later."
    : call.isStorage === true
      ? "See body for what storage says about it, if anything."
      : "Check the base URL and what stands between you and ModelRoute; body holds the start of the answer."
  return `${call.operation} failed${describeAttempts(call.attempts)}: ${answer.problem} (${facts}). ${todo}${resumeAdvice(call, answer.retryable)}`
}

/** @internal Held back by the gate. */
export const rateLimitedByGate = (call: CallInfo, wait: number): string => {
  const again = call.attempts > 0 ? " again" : ""
  return `${call.operation} was not sent${again}: the rate limit is used up, its turn would have come after ${formatMillis(wait)}, and the retry policy does not wait so long. Try again then, send fewer requests, or allow a longer maxWait in RetryPolicy.rateLimit.${resumeAdvice(call, call.attempts > 0)}`
}

/** @internal No usable answer. */
export const transportError = (
  call: CallInfo,
  failure: { readonly problem: string; readonly retryable: boolean; readonly detail?: string }
): string => {
  const detail = failure.detail === undefined ? "" : ` (${failure.detail})`
  const todo = failure.retryable
    ? "Try again later."
    : "It may have been carried out all the same: look before you send it again."
  return `${call.operation} failed${describeAttempts(call.attempts)}: ${failure.problem}${detail}. ${todo}${resumeAdvice(call, failure.retryable)}`
}
