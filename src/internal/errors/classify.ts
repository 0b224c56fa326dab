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
import { type Confidential, type Redactor, makeRedactor, maxShownChars } from "./redact.js"
import { isRecord, omitUndefined, nonEmptyString } from "../data/lenient.js"

/** @internal What an error says about the call that failed. */
export interface ErrorContext {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: ExecutionId
  readonly fileId?: FileId
  /** Whether the same request can be sent again without doing the same thing twice. */
  readonly isRepeatable: boolean
  /** Whether the request carries the idempotency key, so that the API replays its first response. */
  readonly isKeyed?: boolean
  /** What no error may show. */
  readonly confidential?: Confidential
  /** Whether the response comes from object storage, which has no envelope. */
  readonly isStorage?: boolean
}

/** @internal A response that was received whole. */
export interface ResponseData {
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
const findEnvelope = (json: unknown): { readonly [key: string]: unknown } | undefined => {
  if (!isRecord(json)) return undefined
  if (isRecord(json["error"]) && nonEmptyString(json["error"]["code"]) !== undefined) return json["error"]
  return nonEmptyString(json["code"]) !== undefined && nonEmptyString(json["message"]) !== undefined ? json : undefined
}

/** @internal Whether a success holds an error. The `error` of an execution is not an error of the call. */
export const isErrorEnvelope = (json: unknown): boolean =>
  isRecord(json) &&
  findEnvelope(json) !== undefined &&
  isRecord(json["error"]) &&
  json["id"] === undefined &&
  json["execution_id"] === undefined &&
  json["status"] === undefined

/** An error as the API reports it, in an envelope or in a FAILED execution. */
interface ReportedError {
  readonly code: string
  readonly message: string | undefined
  readonly details: unknown
}

/** The same, without what no error may show. */
interface RedactedError {
  readonly code: string
  readonly apiMessage: string | undefined
  readonly details: ReadonlyArray<E.Detail>
}

const redactReportedError = (
  { code, details, message }: ReportedError,
  { redactText: freeText, redactIdentifiers: identifiers }: Redactor
): RedactedError => {
  const list = Array.isArray(details) ? details.filter(isRecord) : []
  const textsOf = (name: string) => list.map((detail) => nonEmptyString(detail[name]) ?? "")
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

const findRequestId = (
  inBody: unknown,
  headers: ResponseData["headers"],
  { redactIdentifiers: identifiers }: Redactor
): string | undefined =>
  [inBody, headers["x-request-id"], headers["request-id"], headers["x-amz-request-id"]]
    .filter((id) => typeof id === "string")
    .find((id) => /^[\w.:+/=-]{1,128}$/.test(id) && identifiers([id])[0] === id)

/** The latest moment that still is a calendar date. */
const toDateTime = (epochMillis: number): DateTime.Utc => DateTime.unsafeMake(Math.min(epochMillis, 8.64e15))

const rateLimitFieldsOf = ({ headers, opensIn, receivedAt }: ResponseData) => {
  const wait = opensIn ?? limitHeaders.requestedWaitMillis(headers, receivedAt)
  const { limit, remaining } = limitHeaders.parseRateLimitHeaders(headers, receivedAt)
  return omitUndefined({
    retryAfter: wait === undefined ? undefined : Duration.millis(wait),
    resetAt: wait === undefined ? undefined : toDateTime(receivedAt + wait),
    limit,
    remaining
  })
}

const retryAfterOf = ({ headers, receivedAt }: ResponseData, retryable: boolean): Duration.Duration | undefined => {
  const millis = retryable ? limitHeaders.retryAfterMillis(headers, receivedAt) : undefined
  return millis === undefined ? undefined : Duration.millis(millis)
}

const callFields = (context: ErrorContext) =>
  omitUndefined({
    operation: context.operation,
    attempts: context.attempts,
    idempotencyKey: context.idempotencyKey,
    executionId: context.executionId,
    fileId: context.fileId
  })

type CodedFields = ReturnType<typeof callFields> & {
  readonly code: string
  readonly message: string
  readonly apiMessage?: string
  readonly retryable: boolean
  readonly retryAfter?: Duration.Duration
  readonly status: number
  readonly requestId?: string
  readonly executionStatus?: "FAILED"
}

interface ExtraFields {
  readonly details: ReadonlyArray<E.Detail>
  readonly rateLimitFields: ReturnType<typeof rateLimitFieldsOf>
}

// The fields are created here, of the right types: validating ten thousand details would cost milliseconds.
const unchecked = { disableValidation: true } as const

const constructors: { readonly [C in codes.Code]: (coded: CodedFields, more: ExtraFields) => E.ApiError } = {
  INPUT_VALIDATION_ERROR: (coded, { details }) => new E.InputValidationError({ ...coded, details }, unchecked),
  CONTENT_MODERATION_REJECTED: (coded) => new E.ContentModerationRejected(coded, unchecked),
  FILE_NOT_FOUND: (coded) => new E.FileNotFound(coded, unchecked),
  FILE_FORMAT_UNSUPPORTED: (coded) => new E.FileFormatUnsupported(coded, unchecked),
  INSUFFICIENT_BALANCE: (coded) => new E.InsufficientBalance(coded, unchecked),
  RATE_LIMITED: (coded, { rateLimitFields }) => new E.RateLimited({ ...coded, ...rateLimitFields }, unchecked),
  MODEL_OVERLOADED: (coded) => new E.ModelOverloaded(coded, unchecked),
  MODEL_UNAVAILABLE: (coded) => new E.ModelUnavailable(coded, unchecked),
  GENERATION_TIMEOUT: (coded) => new E.GenerationTimeout(coded, unchecked),
  GENERATION_FAILED: (coded) => new E.GenerationFailed(coded, unchecked),
  SERVICE_UNAVAILABLE: (coded) => new E.ServiceUnavailable(coded, unchecked),
  INTERNAL_ERROR: (coded) => new E.InternalError(coded, unchecked)
}

/** @internal An error with a code, from an envelope or from a FAILED execution. */
export type CodedError = E.ApiError | E.Unauthorized | E.UnrecognizedError

const makeCodedError = (name: string, coded: CodedFields, more: ExtraFields): CodedError =>
  codes.isCode(name)
    ? constructors[name](coded, more)
    : name === "UNAUTHORIZED"
      ? new E.Unauthorized(coded, unchecked)
      : new E.UnrecognizedError({ ...coded, ...(coded.status === 429 ? more.rateLimitFields : {}) }, unchecked)

/** Case and surrounding blanks are ignored, nothing else: the error's `code` keeps the text of the response. */
const normalizeCode = (code: string): string => code.trim().toUpperCase()

// A conflict under our own key means that the first attempt is still in progress.
const isInProgress = (status: number, context: ErrorContext): boolean => status === 409 && context.isKeyed === true

const isWorthRetrying = (status: number, context: ErrorContext): boolean =>
  status === 429 || isInProgress(status, context) || (codes.isRetryableStatus(status) && context.isRepeatable)

const fromEnvelope = (
  error: { readonly [key: string]: unknown },
  answer: ResponseData,
  context: ErrorContext,
  redact: Redactor
): CodedError => {
  const { headers, status } = answer
  const wireCode = nonEmptyString(error["code"]) ?? ""
  const name = normalizeCode(wireCode)
  const flag = typeof error["retryable"] === "boolean" ? error["retryable"] : undefined
  const retryable = codes.isCode(name)
    ? (flag ?? codes.codes[name].retryable)
    : isInProgress(status, context) || (flag ?? isWorthRetrying(status, context))
  const { details, ...shown } = redactReportedError(
    { code: wireCode, message: nonEmptyString(error["message"]), details: error["details"] },
    redact
  )
  const fields = omitUndefined({
    ...shown,
    retryable,
    retryAfter: retryAfterOf(answer, retryable),
    status,
    requestId: findRequestId(error["request_id"], headers, redact)
  })
  const rateLimitFields = rateLimitFieldsOf(answer)
  const message = messages.apiError(context, {
    ...fields,
    name,
    details,
    ...(name === "RATE_LIMITED" && rateLimitFields.retryAfter
      ? { wait: Duration.toMillis(rateLimitFields.retryAfter) }
      : {})
  })
  return makeCodedError(name, { ...callFields(context), ...fields, message }, { details, rateLimitFields })
}

/** The two statuses that mean the same without an envelope. */
const impliedCode: { readonly [status: number]: string } = { 401: "UNAUTHORIZED", 429: "RATE_LIMITED" }

const redirectProblem = "the response is a redirect, which this call does not follow"

const describeProblem = (status: number, content: string, { isStorage: storage }: ErrorContext): string => {
  if (status >= 300 && status < 400) return redirectProblem
  if (storage === true) return "storage rejected the request"
  return content === "" ? "the response is empty" : "the response is not ModelRoute's error envelope"
}

const contentTypePattern = /^[\w.+-]+\/[\w.+-]+(?:; *charset=[\w-]+)?$/

/** @internal A complete response without an envelope, or a success without the fields that make it one. */
export const unexpectedResponse = (
  answer: ResponseData,
  context: ErrorContext,
  problem?: string
): E.UnexpectedResponse => {
  const { headers, status } = answer
  const redact = makeRedactor(context.confidential ?? {})
  const content = decodeText(answer.body.subarray(0, 2 * maxShownChars), headers["content-type"])
  const [body = "", type = ""] = redact.redactText([content, headers["content-type"] ?? ""])
  const retryable = isWorthRetrying(status, context)
  const fields = omitUndefined({
    status,
    retryable,
    retryAfter: retryAfterOf(answer, retryable),
    contentType: contentTypePattern.test(headers["content-type"] ?? "") ? headers["content-type"] : type || undefined,
    requestId: findRequestId(undefined, headers, redact)
  })
  const message = messages.unexpectedResponse(context, {
    ...fields,
    problem: problem ?? describeProblem(status, content, context)
  })
  return new E.UnexpectedResponse({ ...callFields(context), ...fields, message, body }, unchecked)
}

/** @internal A redirect that the transport reports as an error, without its status. */
export const redirectError = (context: ErrorContext): E.UnexpectedResponse =>
  unexpectedResponse({ status: 0, headers: {}, body: new Uint8Array(0), receivedAt: 0 }, context, redirectProblem)

/** @internal The error that an unsuccessful response means, or a success that holds an envelope. */
export const fromResponse = (answer: ResponseData, context: ErrorContext): E.RequestFailure => {
  if (context.isStorage === true) return unexpectedResponse(answer, context)
  const json = parseJson(decodeText(answer.body, answer.headers["content-type"]))
  const error = findEnvelope(json) ?? (impliedCode[answer.status] && { code: impliedCode[answer.status] })
  return error
    ? fromEnvelope(error, answer, context, makeRedactor(context.confidential ?? {}))
    : unexpectedResponse(answer, context)
}

/** @internal The error that a FAILED execution means: the same classes, with the status that the table gives the code. */
export const fromExecution = (execution: Execution, context: ErrorContext): CodedError => {
  const failure = execution.error
  const wireCode = failure?.code ?? "FAILED"
  const name = normalizeCode(wireCode)
  const known = codes.isCode(name) ? codes.codes[name] : { status: 200, retryable: false }
  const redact = makeRedactor(context.confidential ?? {})
  const whole = { ...context, executionId: execution.id }
  const { details, ...shown } = redactReportedError(
    { code: wireCode, message: failure?.message, details: failure?.details },
    redact
  )
  const fields = omitUndefined({
    ...shown,
    retryable: failure?.retryable ?? known.retryable,
    status: known.status,
    requestId: findRequestId(failure?.requestId, {}, redact),
    executionStatus: "FAILED" as const
  })
  const message = messages.apiError(whole, { ...fields, name, details, failedExecution: true })
  return makeCodedError(name, { ...callFields(whole), ...fields, message }, { details, rateLimitFields: {} })
}

/** @internal A request that the gate holds back for longer than the retry policy waits. */
export const rateLimitedByGate = (
  closed: {
    readonly opensIn: number
    readonly wait: number
    readonly limit: number | undefined
    readonly remaining: number | undefined
  },
  /** Epoch milliseconds. */
  now: number,
  context: ErrorContext
): E.RateLimited => {
  const { limit, opensIn, remaining, wait } = closed
  const fields = omitUndefined({
    limit,
    remaining,
    retryAfter: Duration.millis(wait),
    resetAt: toDateTime(now + opensIn)
  })
  return new E.RateLimited(
    { ...callFields(context), ...fields, message: messages.rateLimitedByGate(context, wait) },
    unchecked
  )
}

const transportProblems: { readonly [R in E.TransportReason]: string } = {
  connect: "no connection could be made",
  reset: "the connection broke before a response arrived",
  timeout: "no complete response arrived in time",
  truncated: "the response ended early",
  unknown: "the transport failed before a response arrived"
}

/** @internal Storage has answered a success before it had taken the whole file. */
export const incompleteUpload = (context: ErrorContext, detail: string): E.TransportError => {
  const fields = { reason: "truncated" as const, retryable: context.isRepeatable, detail }
  const message = messages.transportError(context, {
    ...fields,
    problem: "storage responded before it had the whole file"
  })
  return new E.TransportError({ ...callFields(context), ...fields, message }, unchecked)
}

/** @internal No usable response. Without a connection nothing was sent, so every call can be sent again. */
export const transportError = (reason: E.TransportReason, context: ErrorContext, words?: string): E.TransportError => {
  const [detail] = words ? makeRedactor(context.confidential ?? {}).redactText([words]) : []
  const fields = omitUndefined({ reason, retryable: context.isRepeatable || reason === "connect", detail })
  const message = messages.transportError(context, { ...fields, problem: transportProblems[reason] })
  return new E.TransportError({ ...callFields(context), ...fields, message }, unchecked)
}
