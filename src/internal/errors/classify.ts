/**
 * Creates errors: from what a response holds (status, headers, bytes) to the one error that it means. Total: every response has an
 * error here.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { Execution, ExecutionId } from "../../Execution.js"
import type { FileId } from "../../File.js"
import * as E from "../../ModelRouteError.js"
import * as codes from "./codes.js"
import * as limitHeaders from "../retry/rateLimitHeaders.js"
import * as messages from "./messages.js"
import { type Confidential, type Redactor, redactor, shownLimit } from "./redact.js"
import { isRecord, present, text } from "../data/lenient.js"

/** @internal What an error says about the call that failed. */
export interface Context {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: ExecutionId
  readonly fileId?: FileId
  /** Whether the same request can be sent again without doing the same thing twice. */
  readonly repeatable: boolean
  /** Whether the request carries the idempotency key, so that the API replays its first response. */
  readonly keyed?: boolean
  /** What no error may show. */
  readonly confidential?: Confidential
  /** Whether the response comes from object storage, which has no envelope. */
  readonly storage?: boolean
}

/** @internal A response that was received whole. */
export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: Uint8Array
  /** Epoch milliseconds on the local clock at which the headers arrived. */
  readonly receivedAt: number
  /** Of a rate-limited response: milliseconds until the gate opens again, which accounts for more than this response. */
  readonly opensIn?: number | undefined
}

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

/** The documented envelope, or one whose fields lie flat in the body. */
const envelope = (json: unknown): { readonly [key: string]: unknown } | undefined => {
  if (!isRecord(json)) return undefined
  if (isRecord(json["error"]) && text(json["error"]["code"]) !== undefined) return json["error"]
  return text(json["code"]) !== undefined && text(json["message"]) !== undefined ? json : undefined
}

/** @internal Whether a success holds an error. The `error` of an execution is not an error of the call. */
export const isEnvelope = (json: unknown): boolean =>
  isRecord(json) &&
  envelope(json) !== undefined &&
  isRecord(json["error"]) &&
  json["id"] === undefined &&
  json["execution_id"] === undefined &&
  json["status"] === undefined

/** An error as the API reports it, in an envelope or in a FAILED execution. */
interface Reported {
  readonly code: string
  readonly message: string | undefined
  readonly details: unknown
}

/** The same, without what no error may show. */
interface Shown {
  readonly code: string
  readonly apiMessage: string | undefined
  readonly details: ReadonlyArray<E.Detail>
}

const redactReported = ({ code, details, message }: Reported, { freeText, identifiers }: Redactor): Shown => {
  const list = Array.isArray(details) ? details.filter(isRecord) : []
  const textsOf = (name: string) => list.map((detail) => text(detail[name]) ?? "")
  const [apiMessage, ...detailMessages] = freeText([message ?? "", ...textsOf("message")])
  const [shownCode = "", ...rest] = identifiers([code, ...textsOf("field"), ...textsOf("code")])
  return {
    code: shownCode,
    apiMessage: apiMessage || undefined,
    details: list.map((_, i) => ({
      field: rest[i] ?? "",
      code: rest[list.length + i] ?? "",
      message: detailMessages[i] ?? ""
    }))
  }
}

const requestId = (inBody: unknown, headers: Answer["headers"], { identifiers }: Redactor): string | undefined =>
  [inBody, headers["x-request-id"], headers["request-id"], headers["x-amz-request-id"]]
    .filter((id) => typeof id === "string")
    .find((id) => /^[\w.:+/=-]{1,128}$/.test(id) && identifiers([id])[0] === id)

/** The latest moment that still is a calendar date. */
const moment = (epochMillis: number): DateTime.Utc => DateTime.unsafeMake(Math.min(epochMillis, 8.64e15))

const waits = ({ headers, opensIn, receivedAt }: Answer) => {
  const wait = opensIn ?? limitHeaders.requestedWaitMillis(headers, receivedAt)
  const { limit, remaining } = limitHeaders.parseRateLimitHeaders(headers, receivedAt)
  return present({
    retryAfter: wait === undefined ? undefined : Duration.millis(wait),
    resetAt: wait === undefined ? undefined : moment(receivedAt + wait),
    limit,
    remaining
  })
}

const retryAfterOf = ({ headers, receivedAt }: Answer, retryable: boolean): Duration.Duration | undefined => {
  const millis = retryable ? limitHeaders.retryAfterMillis(headers, receivedAt) : undefined
  return millis === undefined ? undefined : Duration.millis(millis)
}

const about = (context: Context) =>
  present({
    operation: context.operation,
    attempts: context.attempts,
    idempotencyKey: context.idempotencyKey,
    executionId: context.executionId,
    fileId: context.fileId
  })

type Coded = ReturnType<typeof about> & {
  readonly code: string
  readonly message: string
  readonly apiMessage?: string
  readonly retryable: boolean
  readonly retryAfter?: Duration.Duration
  readonly status: number
  readonly requestId?: string
  readonly executionStatus?: "FAILED"
}

interface More {
  readonly details: ReadonlyArray<E.Detail>
  readonly waits: ReturnType<typeof waits>
}

// The fields are created here, of the right types: validating ten thousand details would cost milliseconds.
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

/** @internal An error with a code, from an envelope or from a FAILED execution. */
export type CodedError = E.ApiError | E.Unauthorized | E.UnrecognizedError

const withCode = (name: string, coded: Coded, more: More): CodedError =>
  codes.isCode(name)
    ? byCode[name](coded, more)
    : name === "UNAUTHORIZED"
      ? new E.Unauthorized(coded, checked)
      : new E.UnrecognizedError({ ...coded, ...(coded.status === 429 ? more.waits : {}) }, checked)

/** Case and surrounding blanks are ignored, nothing else: the error's `code` keeps the text of the response. */
const nameOf = (code: string): string => code.trim().toUpperCase()

// A conflict under our own key means that the first attempt is still in progress.
const isInProgress = (status: number, context: Context): boolean => status === 409 && context.keyed === true

const isWorthRetrying = (status: number, context: Context): boolean =>
  status === 429 || isInProgress(status, context) || (codes.isRetryableStatus(status) && context.repeatable)

const fromEnvelope = (
  error: { readonly [key: string]: unknown },
  answer: Answer,
  context: Context,
  redact: Redactor
): CodedError => {
  const { headers, status } = answer
  const wireCode = text(error["code"]) ?? ""
  const name = nameOf(wireCode)
  const flag = typeof error["retryable"] === "boolean" ? error["retryable"] : undefined
  const retryable = codes.isCode(name)
    ? (flag ?? codes.codes[name].retryable)
    : isInProgress(status, context) || (flag ?? isWorthRetrying(status, context))
  const { details, ...shown } = redactReported(
    { code: wireCode, message: text(error["message"]), details: error["details"] },
    redact
  )
  const fields = present({
    ...shown,
    retryable,
    retryAfter: retryAfterOf(answer, retryable),
    status,
    requestId: requestId(error["request_id"], headers, redact)
  })
  const more = { details, waits: waits(answer) }
  const message = messages.answered(context, {
    ...fields,
    name,
    details,
    ...(name === "RATE_LIMITED" && more.waits.retryAfter ? { wait: Duration.toMillis(more.waits.retryAfter) } : {})
  })
  return withCode(name, { ...about(context), ...fields, message }, more)
}

/** The two statuses that mean the same without an envelope. */
const impliedCode: { readonly [status: number]: string } = { 401: "UNAUTHORIZED", 429: "RATE_LIMITED" }

const redirectProblem = "the response is a redirect, which this call does not follow"

const problemOf = (status: number, content: string, { storage }: Context): string => {
  if (status >= 300 && status < 400) return redirectProblem
  if (storage === true) return "storage rejected the request"
  return content === "" ? "the response is empty" : "the response is not ModelRoute's error envelope"
}

const contentTypePattern = /^[\w.+-]+\/[\w.+-]+(?:; *charset=[\w-]+)?$/

/** @internal A complete response without an envelope, or a success without the fields that make it one. */
export const unexpected = (answer: Answer, context: Context, problem?: string): E.UnexpectedResponse => {
  const { headers, status } = answer
  const redact = redactor(context.confidential ?? {})
  const content = decodeText(answer.body.subarray(0, 2 * shownLimit), headers["content-type"])
  const [body = "", type = ""] = redact.freeText([content, headers["content-type"] ?? ""])
  const retryable = isWorthRetrying(status, context)
  const fields = present({
    status,
    retryable,
    retryAfter: retryAfterOf(answer, retryable),
    contentType: contentTypePattern.test(headers["content-type"] ?? "") ? headers["content-type"] : type || undefined,
    requestId: requestId(undefined, headers, redact)
  })
  const message = messages.unexpected(context, { ...fields, problem: problem ?? problemOf(status, content, context) })
  return new E.UnexpectedResponse({ ...about(context), ...fields, message, body }, checked)
}

/** @internal A redirect that the transport reports as an error, without its status. */
export const redirected = (context: Context): E.UnexpectedResponse =>
  unexpected({ status: 0, headers: {}, body: new Uint8Array(0), receivedAt: 0 }, context, redirectProblem)

/** @internal The error that an unsuccessful response means, or a success that holds an envelope. */
export const classify = (answer: Answer, context: Context): E.RequestFailure => {
  if (context.storage === true) return unexpected(answer, context)
  const json = parseJson(decodeText(answer.body, answer.headers["content-type"]))
  const error = envelope(json) ?? (impliedCode[answer.status] && { code: impliedCode[answer.status] })
  return error
    ? fromEnvelope(error, answer, context, redactor(context.confidential ?? {}))
    : unexpected(answer, context)
}

/** @internal The error that a FAILED execution means: the same classes, with the status that the table gives the code. */
export const fromExecution = (execution: Execution, context: Context): CodedError => {
  const failure = execution.error
  const wireCode = failure?.code ?? "FAILED"
  const name = nameOf(wireCode)
  const known = codes.isCode(name) ? codes.codes[name] : { status: 200, retryable: false }
  const redact = redactor(context.confidential ?? {})
  const whole = { ...context, executionId: execution.id }
  const { details, ...shown } = redactReported(
    { code: wireCode, message: failure?.message, details: failure?.details },
    redact
  )
  const fields = present({
    ...shown,
    retryable: failure?.retryable ?? known.retryable,
    status: known.status,
    requestId: requestId(failure?.requestId, {}, redact),
    executionStatus: "FAILED" as const
  })
  const message = messages.answered(whole, { ...fields, name, details, failedExecution: true })
  return withCode(name, { ...about(whole), ...fields, message }, { details, waits: {} })
}

/** @internal A request that the gate holds back for longer than the retry policy waits. */
export const unsent = (
  closed: {
    readonly opensIn: number
    readonly wait: number
    readonly limit: number | undefined
    readonly remaining: number | undefined
  },
  /** Epoch milliseconds. */
  now: number,
  context: Context
): E.RateLimited => {
  const { limit, opensIn, remaining, wait } = closed
  const fields = present({ limit, remaining, retryAfter: Duration.millis(wait), resetAt: moment(now + opensIn) })
  return new E.RateLimited({ ...about(context), ...fields, message: messages.unsent(context, wait) }, checked)
}

const transportProblems: { readonly [R in E.TransportReason]: string } = {
  connect: "no connection could be made",
  reset: "the connection broke before a response arrived",
  timeout: "no complete response arrived in time",
  truncated: "the response ended early",
  unknown: "the transport failed before a response arrived"
}

/** @internal Storage has answered a success before it had taken the whole file. */
export const incomplete = (context: Context, detail: string): E.TransportError => {
  const fields = { reason: "truncated" as const, retryable: context.repeatable, detail }
  const message = messages.transport(context, { ...fields, problem: "storage responded before it had the whole file" })
  return new E.TransportError({ ...about(context), ...fields, message }, checked)
}

/** @internal No usable response. Without a connection nothing was sent, so every call can be sent again. */
export const unanswered = (reason: E.TransportReason, context: Context, words?: string): E.TransportError => {
  const [detail] = words ? redactor(context.confidential ?? {}).freeText([words]) : []
  const fields = present({ reason, retryable: context.repeatable || reason === "connect", detail })
  const message = messages.transport(context, { ...fields, problem: transportProblems[reason] })
  return new E.TransportError({ ...about(context), ...fields, message }, checked)
}
