/**
 * Creates errors from responses, from FAILED executions and from requests without a complete response. An unsuccessful
 * response without an error envelope becomes an `UnexpectedResponse`.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { Execution, ExecutionId } from "../../Execution.js"
import type { FileId } from "../../File.js"
import * as E from "../../ModelRouteError.js"
import { isRecord, omitUndefined, nonEmptyString } from "../data/lenient.js"
import * as limitHeaders from "../retry/rateLimitHeaders.js"
import { type CodedError, makeCodedError, unchecked } from "./codedError.js"
import * as codes from "./codes.js"
import type { Confidential } from "./confidential.js"
import { decodeText, parseJson, findEnvelope } from "./envelope.js"
import * as messages from "./messages.js"
import { type Redactor, makeRedactor, maxShownChars } from "./redact.js"

/** @internal The facts about a call that determine its error. */
export interface ErrorContext {
  readonly operation: string
  readonly attempts: number
  readonly idempotencyKey?: string
  readonly executionId?: ExecutionId
  readonly fileId?: FileId
  /** `true` if the request can be sent again without a further effect at the API. */
  readonly isRepeatable: boolean
  /**
   * `true` if the request contains an idempotency key. If the key is sent again, the API returns the response to the
   * first request.
   */
  readonly isKeyed?: boolean
  /** The texts that the error must not contain. */
  readonly confidential?: Confidential
  /** `true` if the response comes from object storage. Storage responses have no error envelope. */
  readonly isStorage?: boolean
}

/** @internal A response with its complete body. */
export interface ResponseData {
  readonly status: number
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: Uint8Array
  /** The arrival time of the headers, in epoch milliseconds on the local clock. */
  readonly receivedAt: number
  /**
   * The milliseconds until the gate admits requests again. Absent unless the response is rate-limited. Takes precedence
   * over the headers of the response, because the gate also considers the headers of other responses.
   */
  readonly opensIn?: number | undefined
}

/** An error from an envelope or from a FAILED execution. */
interface ReportedError {
  readonly code: string
  readonly message: string | undefined
  readonly details: unknown
}

/** A reported error without confidential texts. */
interface RedactedError {
  readonly code: string
  readonly apiMessage: string | undefined
  readonly details: ReadonlyArray<E.Detail>
}

const redactReportedError = (
  { code, details, message }: ReportedError,
  { redactIdentifiers, redactText }: Redactor
): RedactedError => {
  const list = Array.isArray(details) ? details.filter(isRecord) : []
  const textsOf = (name: string) => list.map((detail) => nonEmptyString(detail[name]) ?? "")
  const [apiMessage, ...detailMessages] = redactText([message ?? "", ...textsOf("message")])
  const fields = redactIdentifiers(textsOf("field"))
  const detailCodes = textsOf("code")
  // Each distinct code is redacted once, because an error can have ten thousand details with the same code.
  const distinctCodes = Array.from(new Set([code, ...detailCodes]))
  const redactedCodes = redactIdentifiers(distinctCodes)
  const codeByText = new Map(distinctCodes.map((text, i) => [text, redactedCodes[i] ?? ""]))
  return {
    code: codeByText.get(code) ?? "",
    apiMessage: apiMessage || undefined,
    details: list.map((_, i) => ({
      field: fields[i] ?? "",
      code: codeByText.get(detailCodes[i] ?? "") ?? "",
      message: detailMessages[i] ?? ""
    }))
  }
}

const findRequestId = (
  bodyField: unknown,
  headers: ResponseData["headers"],
  { redactIdentifiers }: Redactor
): string | undefined =>
  [bodyField, headers["x-request-id"], headers["request-id"], headers["x-amz-request-id"]]
    .filter((id) => typeof id === "string")
    .find((id) => /^[\w.:+/=-]{1,128}$/.test(id) && redactIdentifiers([id])[0] === id)

/** Converts epoch milliseconds to a date. A time after the latest valid date becomes the latest valid date. */
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

/** Converts a code to upper case, so that the code matches the table of codes. The error keeps the original text. */
const normalizeCode = (code: string): string => code.trim().toUpperCase()

// If a request has an idempotency key, a 409 usually means that an earlier attempt is still in progress.
const isInProgress = (status: number, context: ErrorContext): boolean => status === 409 && context.isKeyed === true

const isRetryableResponse = (status: number, context: ErrorContext): boolean =>
  status === 429 || isInProgress(status, context) || (codes.isRetryableStatus(status) && context.isRepeatable)

const fromEnvelope = (
  error: { readonly [key: string]: unknown },
  response: ResponseData,
  context: ErrorContext,
  redactor: Redactor
): CodedError => {
  const { headers, status } = response
  const wireCode = nonEmptyString(error["code"]) ?? ""
  const name = normalizeCode(wireCode)
  const retryableField = typeof error["retryable"] === "boolean" ? error["retryable"] : undefined
  const retryable = codes.isCode(name)
    ? (retryableField ?? codes.codes[name].retryable)
    : isInProgress(status, context) || (retryableField ?? isRetryableResponse(status, context))
  const { details, ...redacted } = redactReportedError(
    { code: wireCode, message: nonEmptyString(error["message"]), details: error["details"] },
    redactor
  )
  const fields = omitUndefined({
    ...redacted,
    retryable,
    retryAfter: retryAfterOf(response, retryable),
    status,
    requestId: findRequestId(error["request_id"], headers, redactor)
  })
  const rateLimitFields = rateLimitFieldsOf(response)
  const message = messages.apiError(context, {
    ...fields,
    name,
    details,
    ...(name === "RATE_LIMITED" && rateLimitFields.retryAfter
      ? { resetsInMillis: Duration.toMillis(rateLimitFields.retryAfter) }
      : {})
  })
  return makeCodedError(name, { ...callFields(context), ...fields, message }, { details, rateLimitFields })
}

/**
 * The error codes of the statuses 401 and 429. These statuses determine the error class if the response has no error
 * envelope.
 */
const codeOfStatus: { readonly [status: number]: string } = { 401: "UNAUTHORIZED", 429: "RATE_LIMITED" }

/** @internal Tests for the status 0, which a browser reports for every redirect. The browser hides the real status. */
export const isHiddenRedirect = (status: number): boolean => status === 0

const redirectProblem = "the response is a redirect, which this call does not follow"

const describeProblem = (status: number, content: string, { isStorage }: ErrorContext): string => {
  if (isHiddenRedirect(status) || (status >= 300 && status < 400)) return redirectProblem
  if (isStorage === true) return "storage rejected the request"
  return content === "" ? "the response is empty" : "the response contains no ModelRoute error envelope"
}

const contentTypePattern = /^([\w.+-]+\/[\w.+-]+)(; *charset=[\w-]{1,40})?$/

/** Redacts a content type. A media type, such as `image/png`, remains even if the request contains the same text. */
const redactContentType = (contentType: string, redactor: Redactor): string | undefined => {
  const [, mediaType, charset = ""] = contentTypePattern.exec(contentType) ?? []
  const [redacted] =
    mediaType === undefined ? redactor.redactText([contentType]) : redactor.redactIdentifiers([mediaType])
  return redacted === undefined || redacted === "" ? undefined : redacted + charset
}

/**
 * Creates the error of a complete response that has no error envelope. Also creates the error of a 2xx response without
 * a required field. `problem` describes the missing field.
 *
 * @internal
 */
export const unexpectedResponse = (
  response: ResponseData,
  context: ErrorContext,
  problem?: string
): E.UnexpectedResponse => {
  const { headers, status } = response
  const redactor = makeRedactor(context.confidential ?? {})
  const content = decodeText(response.body.subarray(0, 2 * maxShownChars), headers["content-type"])
  const [body = ""] = redactor.redactText([content])
  const retryable = isRetryableResponse(status, context)
  const fields = omitUndefined({
    status,
    retryable,
    retryAfter: retryAfterOf(response, retryable),
    contentType: redactContentType(headers["content-type"] ?? "", redactor),
    requestId: findRequestId(undefined, headers, redactor)
  })
  const message = messages.unexpectedResponse(context, {
    ...fields,
    problem: problem ?? describeProblem(status, content, context)
  })
  return new E.UnexpectedResponse({ ...callFields(context), ...fields, message, body }, unchecked)
}

/** @internal Creates the error of a redirect that the HTTP client reports as a failure without a status. */
export const redirectError = (context: ErrorContext): E.UnexpectedResponse =>
  unexpectedResponse({ status: 0, headers: {}, body: new Uint8Array(0), receivedAt: 0 }, context, redirectProblem)

/** @internal Creates the error of an unsuccessful response, or of a 2xx response with an error envelope. */
export const fromResponse = (response: ResponseData, context: ErrorContext): E.RequestFailure => {
  if (context.isStorage === true) return unexpectedResponse(response, context)
  const json = parseJson(decodeText(response.body, response.headers["content-type"]))
  const error = findEnvelope(json) ?? (codeOfStatus[response.status] && { code: codeOfStatus[response.status] })
  return error
    ? fromEnvelope(error, response, context, makeRedactor(context.confidential ?? {}))
    : unexpectedResponse(response, context)
}

/** @internal Creates the error of a FAILED execution. The status of the error comes from the table of codes. */
export const fromExecution = (execution: Execution, context: ErrorContext): CodedError => {
  const failure = execution.error
  const wireCode = failure?.code ?? "FAILED"
  const name = normalizeCode(wireCode)
  const known = codes.isCode(name) ? codes.codes[name] : { status: 200, retryable: false }
  const redactor = makeRedactor(context.confidential ?? {})
  const executionContext = { ...context, executionId: execution.id }
  const { details, ...redacted } = redactReportedError(
    { code: wireCode, message: failure?.message, details: failure?.details },
    redactor
  )
  const fields = omitUndefined({
    ...redacted,
    retryable: failure?.retryable ?? known.retryable,
    status: known.status,
    requestId: findRequestId(failure?.requestId, {}, redactor),
    executionStatus: "FAILED" as const
  })
  const message = messages.apiError(executionContext, { ...fields, name, details, isExecutionFailure: true })
  return makeCodedError(name, { ...callFields(executionContext), ...fields, message }, { details, rateLimitFields: {} })
}

/**
 * Creates the error of a request that the gate did not admit. The retry policy rejected the wait for the rate limit.
 *
 * @internal
 */
export const rateLimitedByGate = (
  delay: {
    readonly opensIn: number
    readonly wait: number
    readonly limit: number | undefined
    readonly remaining: number | undefined
  },
  /** The current time in epoch milliseconds. */
  now: number,
  context: ErrorContext
): E.RateLimited => {
  const { limit, opensIn, remaining, wait } = delay
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
  connect: "could not connect",
  reset: "the connection was reset before a response arrived",
  timeout: "no complete response arrived in time",
  truncated: "the response ended early",
  unknown: "the HTTP client failed before a response arrived"
}

/** @internal Creates the error of an upload if storage reports success before the arrival of the complete file. */
export const incompleteUpload = (context: ErrorContext, detail: string): E.TransportError => {
  const fields = { reason: "truncated" as const, retryable: context.isRepeatable, detail }
  const message = messages.transportError(context, {
    ...fields,
    problem: "storage responded before it received the whole file"
  })
  return new E.TransportError({ ...callFields(context), ...fields, message }, unchecked)
}

/** @internal Creates the error of a call without a complete response. A failure to connect is always retryable. */
export const transportError = (
  reason: E.TransportReason,
  context: ErrorContext,
  clientMessage?: string
): E.TransportError => {
  const [detail] = clientMessage ? makeRedactor(context.confidential ?? {}).redactText([clientMessage]) : []
  const fields = omitUndefined({ reason, retryable: context.isRepeatable || reason === "connect", detail })
  const message = messages.transportError(context, { ...fields, problem: transportProblems[reason] })
  return new E.TransportError({ ...callFields(context), ...fields, message }, unchecked)
}
