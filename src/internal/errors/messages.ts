/**
 * The sentences of the errors, written for the person who reads the log at night: what failed, what the API said, how to
 * find it again, what to do.
 *
 * @internal
 */
import { isCode, type Code } from "./codes.js"

interface Phrase {
  readonly what: string
  readonly todo: string
}

const phrases: { readonly [C in Code]: Phrase } = {
  INPUT_VALIDATION_ERROR: { what: "a parameter is wrong", todo: "Correct what the details name, then submit again." },
  CONTENT_MODERATION_REJECTED: {
    what: "the safety filter refused the content",
    todo: "Change the input: the same input is refused every time."
  },
  FILE_NOT_FOUND: {
    what: "a file is unknown or has expired",
    todo: "Upload the file again and use its new id."
  },
  FILE_FORMAT_UNSUPPORTED: {
    what: "the model does not take files of this format",
    todo: "Convert the file, or use another model."
  },
  INSUFFICIENT_BALANCE: {
    what: "the balance does not cover the hold for this execution",
    todo: "Top up the balance in the dashboard, then submit again."
  },
  RATE_LIMITED: { what: "the rate limit is used up", todo: "Send fewer requests, or wait for the reset." },
  MODEL_OVERLOADED: { what: "the model is at capacity", todo: "Try again later, or use another model." },
  MODEL_UNAVAILABLE: { what: "the model is out of service for the moment", todo: "Try again in a few minutes." },
  GENERATION_TIMEOUT: { what: "the generation took too long", todo: "Submit it again as a new execution." },
  GENERATION_FAILED: { what: "the model's provider failed", todo: "Submit it again as a new execution." },
  SERVICE_UNAVAILABLE: { what: "ModelRoute is out of service for the moment", todo: "Try again in a few minutes." },
  INTERNAL_ERROR: {
    what: "ModelRoute met an unexpected fault",
    todo: "Contact ModelRoute's support with the request id."
  }
}

const unauthorized: Phrase = {
  what: "the API key is missing, wrong or revoked",
  todo: "Check the API key and its permissions in the dashboard."
}

const unrecognized: Phrase = {
  what: "ModelRoute refused the request for a reason that this version does not know",
  todo: "Look the code up in ModelRoute's documentation."
}

/** Refusals outside the documented codes, as far as their status speaks for itself. */
const byStatus: { readonly [status: number]: Phrase } = {
  403: { what: "the API key may not do this", todo: "Use a key with full access." },
  404: { what: "there is nothing at this address for this API key", todo: "Check the id, and whose key it is." }
}

const conflict: Phrase = {
  what: "another request holds this idempotency key",
  todo: "If it is this same call, it is still being worked on: try again later. If it had another body, use a new key."
}

const wrongBaseUrl: Phrase = {
  what: "there is no such endpoint at this base URL",
  todo: "Check the base URL: it is not ModelRoute's, or has a path too many."
}

/** The operations whose path contains no id. */
const operationsWithoutId: ReadonlySet<string> = new Set([
  "executions.create",
  "files.upload",
  "webhookEndpoints.create",
  "webhookEndpoints.list"
])

const phrase = (code: string, status?: number, call?: Pick<Call, "keyed" | "operation">): Phrase => {
  if (isCode(code)) return phrases[code]
  if (code === "UNAUTHORIZED") return unauthorized
  if (status === 409 && call?.keyed === true) return conflict
  if (status === 404 && call !== undefined && operationsWithoutId.has(call.operation)) return wrongBaseUrl
  return (status === undefined ? undefined : byStatus[status]) ?? unrecognized
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

/** @internal What an error says that was made without an answer behind it. */
export const advice = (code: string): string => `${sentence(phrase(code).what)} ${phrase(code).todo}`

/** @internal "7.3 s", "2 min 5 s": lengths of waits as people say them. */
export const seconds = (millis: number): string => {
  const total = Math.max(0, millis) / 1000
  if (total < 120) return `${Math.round(total * 10) / 10} s`
  if (total < 7200) return `${Math.floor(total / 60)} min ${Math.round(total % 60)} s`
  return `${Math.round(total / 360) / 10} h`
}

/** @internal The call as far as its error tells of it. */
export interface Call {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: string
  /** Whether the request carries the key. */
  readonly keyed?: boolean
  /** Whether it is storage that answers. */
  readonly storage?: boolean
}

const after = (attempts: number): string => (attempts > 1 ? ` after ${attempts} attempts` : "")

const listed = (parts: ReadonlyArray<string | undefined>): string =>
  parts.filter((part) => part !== undefined && part !== "").join(", ")

const goOn = (call: Call, retryable: boolean): string =>
  retryable && call.keyed === true
    ? ` To go on later without paying twice, use the idempotency key ${call.idempotencyKey}.`
    : ""

/** Under the old key the API may answer with the failure again. */
const newKey = (retryable: boolean): string => (retryable ? " A new execution takes a new idempotency key." : "")

/** @internal An answer with a code. */
export const answered = (
  call: Call,
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
  const { what, todo } = phrase(answer.name, answer.status, call)
  const subject = answer.failedExecution
    ? `Execution ${call.executionId} failed`
    : `${call.operation} failed${after(call.attempts)}`
  const said = answer.apiMessage ? ` ModelRoute says: "${answer.apiMessage}"` : " ModelRoute gave no reason"
  const facts = listed([
    answer.code,
    answer.failedExecution ? undefined : `HTTP ${answer.status}`,
    answer.requestId && `request ${answer.requestId}`
  ])
  const details = answer.details ?? []
  const named = details.slice(0, 3).map(({ code, field, message }) => ` ${field}: ${message} (${code}).`)
  const more = details.length > 3 ? ` And ${details.length - 3} more in details.` : ""
  const reset = answer.wait === undefined ? "" : ` The limit resets in ${seconds(answer.wait)}.`
  const next = answer.failedExecution
    ? newKey(answer.retryable)
    : answer.status === 409
      ? ""
      : goOn(call, answer.retryable)
  return `${subject}: ${what}.${said} (${facts}).${named.join("")}${more}${reset} ${todo}${next}`
}

/** @internal A complete answer without an envelope. */
export const unexpected = (
  call: Call,
  answer: {
    readonly status: number
    readonly problem: string
    readonly retryable: boolean
    readonly contentType?: string
    readonly requestId?: string
  }
): string => {
  const facts = listed([
    `HTTP ${answer.status}`,
    answer.contentType ?? "no content type",
    answer.requestId && `request ${answer.requestId}`
  ])
  const todo = answer.retryable
    ? "Something between you and ModelRoute may be out of service for the moment: try again later."
    : call.storage === true
      ? "See body for what storage says about it, if anything."
      : "Check the base URL and what stands between you and ModelRoute; body holds the start of the answer."
  return `${call.operation} failed${after(call.attempts)}: ${answer.problem} (${facts}). ${todo}${goOn(call, answer.retryable)}`
}

/** @internal Held back by the gate. */
export const unsent = (call: Call, wait: number): string => {
  const again = call.attempts > 0 ? " again" : ""
  return `${call.operation} was not sent${again}: the rate limit is used up, its turn would have come after ${seconds(wait)}, and the retry policy does not wait so long. Try again then, send fewer requests, or allow a longer maxWait in RetryPolicy.rateLimit.${goOn(call, call.attempts > 0)}`
}

/** @internal No usable answer. */
export const transport = (
  call: Call,
  failure: { readonly problem: string; readonly retryable: boolean; readonly detail?: string }
): string => {
  const detail = failure.detail === undefined ? "" : ` (${failure.detail})`
  const todo = failure.retryable
    ? "Try again later."
    : "It may have been carried out all the same: look before you send it again."
  return `${call.operation} failed${after(call.attempts)}: ${failure.problem}${detail}. ${todo}${goOn(call, failure.retryable)}`
}
