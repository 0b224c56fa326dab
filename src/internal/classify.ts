/**
 * Where an error is born: from what came back (status, headers, bytes) to the one error that it means. Total: whatever a
 * server sends has a place here.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { Execution, ExecutionId } from "../Execution.js"
import * as E from "../ModelRouteError.js"
import * as codes from "./codes.js"
import * as limitHeaders from "./limitHeaders.js"
import * as messages from "./messages.js"
import { privateTexts, scrubber } from "./scrub.js"
import { isRecord, present, text } from "./tolerant.js"

/** @internal What the error should tell of the call that failed. */
export interface Context {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: ExecutionId
  /** Whether sending the same request again cannot do the same thing twice. */
  readonly repeatable: boolean
  /** Whether the request carries the key, so that the API answers a repetition with what the first one did. */
  readonly keyed?: boolean
  /** The request body: none of its texts may come back in an error. */
  readonly body?: unknown
  /** Further texts that may not come back in an error, such as a signature. */
  readonly secrets?: ReadonlyArray<string>
  /** Whether it is storage that answers, which has no envelope. */
  readonly storage?: boolean
}

/** @internal An answer as it arrived. */
export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: Uint8Array
  /** Epoch milliseconds on the local clock at which the headers arrived. */
  readonly receivedAt: number
  /** Of a refusal for the rate limit: when the gate opens again, which knows more than one answer can tell. */
  readonly opensAt?: number | undefined
}

const bodyLimit = 2048

/** @internal */
export const decodeText = (body: Uint8Array, contentType: string | undefined): string => {
  const label = /charset\s*=\s*"?([\w-]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8"
  try {
    return new TextDecoder(label).decode(body)
  } catch {
    return new TextDecoder().decode(body)
  }
}

/** @internal */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The documented envelope, or one that lies flat in the body. */
const envelope = (json: unknown): { readonly [key: string]: unknown } | undefined => {
  if (!isRecord(json)) return undefined
  if (isRecord(json["error"]) && text(json["error"]["code"]) !== undefined) return json["error"]
  return text(json["code"]) !== undefined && text(json["message"]) !== undefined ? json : undefined
}

/** @internal Whether a success holds an error. An execution has an `error` of its own, which is news of it, not a failure of the call. */
export const isEnvelope = (json: unknown): boolean =>
  isRecord(json) &&
  envelope(json) !== undefined &&
  isRecord(json["error"]) &&
  json["id"] === undefined &&
  json["execution_id"] === undefined &&
  json["status"] === undefined

const details = (u: unknown, tidy: (text: string) => string): ReadonlyArray<E.Detail> =>
  Array.isArray(u)
    ? u.filter(isRecord).map((detail) => ({
        field: tidy(text(detail["field"]) ?? ""),
        code: tidy(text(detail["code"]) ?? ""),
        message: tidy(text(detail["message"]) ?? "")
      }))
    : []

const requestId = (body: unknown, headers: Answer["headers"], tidy: (text: string) => string): string | undefined =>
  [body, headers["x-request-id"], headers["request-id"], headers["x-amz-request-id"]]
    .filter((id) => typeof id === "string")
    .find((id) => /^[\w.:+/=-]{1,128}$/.test(id) && tidy(id) === id)

/** The latest moment that still is a calendar date. */
const moment = (epochMillis: number): DateTime.Utc => DateTime.unsafeMake(Math.min(epochMillis, 8.64e15))

const waits = ({ headers, opensAt, receivedAt }: Answer) => {
  const wait = opensAt === undefined ? limitHeaders.askedWait(headers, receivedAt) : opensAt - receivedAt
  const { limit, remaining } = limitHeaders.read(headers, receivedAt)
  return present({
    retryAfter: wait === undefined ? undefined : Duration.millis(wait),
    resetAt: wait === undefined ? undefined : moment(receivedAt + wait),
    limit,
    remaining
  })
}

const about = (context: Context) =>
  present({
    operation: context.operation,
    attempts: context.attempts,
    idempotencyKey: context.idempotencyKey,
    executionId: context.executionId
  })

type Coded = ReturnType<typeof about> & {
  readonly code: string
  readonly message: string
  readonly apiMessage?: string
  readonly retryable: boolean
  readonly status: number
  readonly requestId?: string
  readonly executionStatus?: "FAILED"
}

interface More {
  readonly details: ReadonlyArray<E.Detail>
  readonly waits: ReturnType<typeof waits>
}

// The fields are made here, of the right types: checking ten thousand details once more would cost milliseconds.
const checked = { disableValidation: true } as const

const byCode: { readonly [C in codes.Code]: (coded: Coded, more: More) => E.ApiError } = {
  INPUT_VALIDATION_ERROR: (coded, { details }) => new E.InputValidationError({ ...coded, details }, checked),
  CONTENT_MODERATION_REJECTED: (coded) => new E.ContentModerationRejected(coded, checked),
  FILE_NOT_FOUND: (coded) => new E.FileNotFound(coded, checked),
  FILE_FORMAT_UNSUPPORTED: (coded) => new E.FileFormatUnsupported(coded, checked),
  INSUFFICIENT_BALANCE: (coded) => new E.InsufficientBalance(coded, checked),
  RATE_LIMITED: (coded, { waits }) => new E.RateLimited({ ...coded, ...waits }, checked),
  MODEL_OVERLOADED: (coded) => new E.ModelOverloaded(coded, checked),
  MODEL_UNAVAILABLE: (coded) => new E.ModelUnavailable(coded, checked),
  GENERATION_TIMEOUT: (coded) => new E.GenerationTimeout(coded, checked),
  GENERATION_FAILED: (coded) => new E.GenerationFailed(coded, checked),
  SERVICE_UNAVAILABLE: (coded) => new E.ServiceUnavailable(coded, checked),
  INTERNAL_ERROR: (coded) => new E.InternalError(coded, checked)
}

/** @internal An error with a code, out of an answer's envelope or out of a FAILED execution. */
export type CodedError = E.ApiError | E.Unauthorized | E.UnrecognizedError

const withCode = (name: string, coded: Coded, more: More): CodedError =>
  codes.isCode(name)
    ? byCode[name](coded, more)
    : name === "UNAUTHORIZED"
      ? new E.Unauthorized(coded, checked)
      : new E.UnrecognizedError({ ...coded, ...(coded.status === 429 ? more.waits : {}) }, checked)

/** Case and blanks around it are forgiven, nothing else: the error's `code` keeps what came. */
const nameOf = (code: string): string => code.trim().toUpperCase()

// Under our own key a conflict means that the first attempt is still being worked on.
const isInProgress = (status: number, context: Context): boolean => status === 409 && context.keyed === true

const worthRepeating = (status: number, context: Context): boolean =>
  status === 429 || isInProgress(status, context) || (codes.isRetryableStatus(status) && context.repeatable)

const fromEnvelope = (
  error: { readonly [key: string]: unknown },
  answer: Answer,
  context: Context,
  tidy: (text: string) => string
): CodedError => {
  const { headers, status } = answer
  const code = text(error["code"]) ?? ""
  const name = nameOf(code)
  const told = typeof error["retryable"] === "boolean" ? error["retryable"] : undefined
  const retryable = codes.isCode(name)
    ? (told ?? codes.codes[name].retryable)
    : isInProgress(status, context) || (told ?? worthRepeating(status, context))
  const said = present({
    code: tidy(code),
    apiMessage: text(error["message"]) && tidy(String(error["message"])),
    retryable,
    status,
    requestId: requestId(error["request_id"], headers, tidy)
  })
  const more = { details: details(error["details"], tidy), waits: waits(answer) }
  const message = messages.answered(context, {
    ...said,
    name,
    details: more.details,
    ...(name === "RATE_LIMITED" && more.waits.retryAfter ? { wait: Duration.toMillis(more.waits.retryAfter) } : {})
  })
  return withCode(name, { ...about(context), ...said, message }, more)
}

/** An envelope that was not there, for the two statuses that say as much by themselves. */
const impliedCode: { readonly [status: number]: string } = { 401: "UNAUTHORIZED", 429: "RATE_LIMITED" }

const problemOf = (status: number, content: string, { storage }: Context): string =>
  storage === true
    ? "storage refused it"
    : content === ""
      ? "the answer is empty"
      : status >= 300 && status < 400
        ? "the answer points elsewhere, which this call does not follow"
        : "the answer is not ModelRoute's error envelope"

/** @internal A complete answer without an envelope, or a success without its essence. */
export const unexpected = (answer: Answer, context: Context, problem?: string): E.UnexpectedResponse => {
  const { headers, status } = answer
  const tidy = tidier(context)
  const content = decodeText(answer.body.subarray(0, 2 * bodyLimit), headers["content-type"])
  const said = present({
    status,
    retryable: worthRepeating(status, context),
    contentType: headers["content-type"] && tidy(headers["content-type"]),
    requestId: requestId(undefined, headers, tidy)
  })
  const message = messages.unexpected(context, { ...said, problem: problem ?? problemOf(status, content, context) })
  return new E.UnexpectedResponse(
    { ...about(context), ...said, message, body: tidy(content.slice(0, bodyLimit)) },
    checked
  )
}

const tidier = (context: Context): ((text: string) => string) => {
  const scrub = scrubber([...privateTexts(context.body), ...(context.secrets ?? [])])
  return (text) => scrub(text.slice(0, bodyLimit)).slice(0, bodyLimit)
}

/** @internal The error that an unsuccessful answer means, or a success that holds an envelope. */
export const classify = (answer: Answer, context: Context): E.RequestFailure => {
  const json = parseJson(decodeText(answer.body, answer.headers["content-type"]))
  const error = envelope(json) ?? (impliedCode[answer.status] && { code: impliedCode[answer.status] })
  return error ? fromEnvelope(error, answer, context, tidier(context)) : unexpected(answer, context)
}

/** @internal The error that a FAILED execution means: the same classes, with the status that the table gives the code. */
export const fromExecution = (execution: Execution, context: Context): CodedError => {
  const failure = execution.error
  const code = failure?.code ?? "FAILED"
  const name = nameOf(code)
  const known = codes.isCode(name) ? codes.codes[name] : { status: 200, retryable: false }
  const tidy = tidier(context)
  const whole = { ...context, executionId: execution.id }
  const said = present({
    code: tidy(code),
    apiMessage: failure?.message && tidy(failure.message),
    retryable: failure?.retryable ?? known.retryable,
    status: known.status,
    requestId: requestId(failure?.requestId, {}, tidy),
    executionStatus: "FAILED" as const
  })
  const more = { details: details(failure?.details, tidy), waits: {} }
  const message = messages.answered(whole, { ...said, name, details: more.details, failedExecution: true })
  return withCode(name, { ...about(whole), ...said, message }, more)
}

/** @internal A request that the gate has held back, from a caller who does not wait as long as it would have taken. */
export const unsent = (
  closed: {
    readonly opensAt: number
    readonly wait: number
    readonly limit: number | undefined
    readonly remaining: number | undefined
  },
  context: Context
): E.RateLimited => {
  const { limit, opensAt, remaining, wait } = closed
  const said = present({ limit, remaining, retryAfter: Duration.millis(wait), resetAt: moment(opensAt) })
  return new E.RateLimited({ ...about(context), ...said, message: messages.unsent(context, wait) }, checked)
}

const transportProblems: { readonly [R in E.TransportReason]: string } = {
  connect: "no connection could be made",
  reset: "the connection broke before an answer arrived",
  timeout: "no complete answer arrived in time",
  truncated: "the answer ended early",
  unknown: "the transport failed before an answer arrived"
}

/** @internal No usable answer. Without a connection nothing was sent, so sending again is safe for every call. */
export const unanswered = (reason: E.TransportReason, context: Context, words?: string): E.TransportError => {
  const said = present({
    reason,
    retryable: context.repeatable || reason === "connect",
    detail: words && tidier(context)(words)
  })
  const message = messages.transport(context, { ...said, problem: transportProblems[reason] })
  return new E.TransportError({ ...about(context), ...said, message }, checked)
}
