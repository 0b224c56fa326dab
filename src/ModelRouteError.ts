/**
 * Everything that a call can fail with: one tagged class per error code of the API, plus those that are born in the
 * client. The code on the wire chooses the class, never the HTTP status.
 *
 * @since 0.1.0
 */
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Execution from "./Execution.js"
import * as File from "./File.js"
import * as table from "./internal/errors/codes.js"
import { summarizeExecution } from "./internal/errors/executionSummary.js"
import { advice } from "./internal/errors/messages.js"

/**
 * Marks every error of this library.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-modelroute/ModelRouteError")

/**
 * The type of `TypeId`.
 *
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * One of the twelve codes that the API documents ("Error codes").
 *
 * @since 0.1.0
 * @category models
 */
export type Code = table.Code

/**
 * The API's table of codes ("Error codes"): for each the tag of its class, the usual HTTP status, and whether the same
 * request can succeed later. An error's own `retryable` comes from the answer where the answer says so.
 *
 * @since 0.1.0
 * @category models
 */
export const codes: typeof table.codes = table.codes

/**
 * One reason why a request was refused: `field` is a path from the root of the request body, such as `input.width`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Detail = Schema.Struct({
  field: Schema.String,
  code: Schema.String,
  message: Schema.String
})

/**
 * One reason why a request was refused.
 *
 * @since 0.1.0
 * @category models
 */
export type Detail = typeof Detail.Type

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>) =>
  Schema.propertySignature(schema).pipe(Schema.withConstructorDefault(() => value))

/** What every error says about the call that failed. */
const callFields = {
  /** The method that failed, such as `executions.create`. */
  operation: withDefault(Schema.String, "request"),
  /** How many requests were sent for it. */
  attempts: withDefault(Schema.Number, 1),
  /** Of a create: sent again with the same key, the call goes on where it stopped and costs nothing twice. */
  idempotencyKey: optional(Schema.String),
  /** The execution that the error is about, as far as it is known. */
  executionId: optional(Execution.ExecutionId),
  /** The file that the error is about: on every failure of an upload after its URL was issued, and of a download. */
  fileId: optional(File.FileId)
}

/** The wait that a response asks for. */
const retryAfterField = {
  /** How long `Retry-After` asks to wait, counted from the arrival of the response. On retryable errors only. */
  retryAfter: optional(Schema.Duration)
}

/** What every answer with a code carries. Only the constructor has defaults, so that a test can write `new ModelOverloaded({})`. */
const codedFields = (code: string, known: { readonly status: number; readonly retryable: boolean }) => ({
  /** A sentence for the log: what failed, what the API said, the request id, what to do. */
  message: withDefault(Schema.String, advice(code)),
  /** The code as it was on the wire. */
  code: withDefault(Schema.String, code),
  /** The API's own words, without anything that the request kept private. */
  apiMessage: optional(Schema.String),
  /** Whether the same request can succeed later. */
  retryable: withDefault(Schema.Boolean, known.retryable),
  /** The HTTP status; of an error out of a FAILED execution the one that the API's table gives its code. */
  status: withDefault(Schema.Number, known.status),
  /** What the API's support asks for. */
  requestId: optional(Schema.String),
  /** Of an error out of a FAILED execution, `FAILED`; absent where a request was refused. See `isExecutionEnded`. */
  executionStatus: optional(Schema.Literal("FAILED")),
  ...retryAfterField,
  ...callFields
})

const apiFields = (code: Code) => codedFields(code, table.codes[code])

const rateLimitFields = {
  /**
   * How long the answer asked to wait, counted from its arrival; of a request that was not sent (`attempts` is 0) the whole wait
   * in the queue.
   */
  retryAfter: optional(Schema.Duration),
  /** When the limit resets, on the local clock. */
  resetAt: optional(Schema.DateTimeUtc),
  /** Requests per window. */
  limit: optional(Schema.Number),
  /** Requests left in this window. */
  remaining: optional(Schema.Number)
}

/** What the errors born in this client have in common. */
const clientFields = (retryable: boolean) => ({
  message: Schema.String,
  retryable: withDefault(Schema.Boolean, retryable),
  ...callFields
})

/**
 * `INPUT_VALIDATION_ERROR`, HTTP 400, not retryable: a parameter is wrong; `details` names it.
 *
 * @since 0.1.0
 * @category errors
 */
export class InputValidationError extends Schema.TaggedError<InputValidationError>(
  "effect-modelroute/InputValidationError"
)("InputValidationError", { ...apiFields("INPUT_VALIDATION_ERROR"), details: withDefault(Schema.Array(Detail), []) }) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `CONTENT_MODERATION_REJECTED`, HTTP 400, not retryable: the safety filter refused the content, and always will.
 *
 * @since 0.1.0
 * @category errors
 */
export class ContentModerationRejected extends Schema.TaggedError<ContentModerationRejected>(
  "effect-modelroute/ContentModerationRejected"
)("ContentModerationRejected", apiFields("CONTENT_MODERATION_REJECTED")) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `FILE_NOT_FOUND`, HTTP 400, not retryable: a file is unknown or has expired; upload it again and use the new id.
 *
 * @since 0.1.0
 * @category errors
 */
export class FileNotFound extends Schema.TaggedError<FileNotFound>("effect-modelroute/FileNotFound")(
  "FileNotFound",
  apiFields("FILE_NOT_FOUND")
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `FILE_FORMAT_UNSUPPORTED`, HTTP 400, not retryable: this model does not take files of that format.
 *
 * @since 0.1.0
 * @category errors
 */
export class FileFormatUnsupported extends Schema.TaggedError<FileFormatUnsupported>(
  "effect-modelroute/FileFormatUnsupported"
)("FileFormatUnsupported", apiFields("FILE_FORMAT_UNSUPPORTED")) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `INSUFFICIENT_BALANCE`, HTTP 402, not retryable: the balance does not cover the hold; top it up, then submit again.
 *
 * @since 0.1.0
 * @category errors
 */
export class InsufficientBalance extends Schema.TaggedError<InsufficientBalance>(
  "effect-modelroute/InsufficientBalance"
)("InsufficientBalance", apiFields("INSUFFICIENT_BALANCE")) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `RATE_LIMITED`, HTTP 429, retryable: over the request limit. `retryAfter` says how long to wait, if the headers did. Also
 * the class of a 429 that carries no code at all, as a gateway sends it, and of a request that the client's own gate has held
 * back because its turn would come later than the retry policy waits.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimited extends Schema.TaggedError<RateLimited>("effect-modelroute/RateLimited")("RateLimited", {
  ...apiFields("RATE_LIMITED"),
  ...rateLimitFields
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `MODEL_OVERLOADED`, HTTP 503, retryable: the model is at capacity.
 *
 * @since 0.1.0
 * @category errors
 */
export class ModelOverloaded extends Schema.TaggedError<ModelOverloaded>("effect-modelroute/ModelOverloaded")(
  "ModelOverloaded",
  apiFields("MODEL_OVERLOADED")
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `MODEL_UNAVAILABLE`, HTTP 503, retryable: the model is out of service for the moment.
 *
 * @since 0.1.0
 * @category errors
 */
export class ModelUnavailable extends Schema.TaggedError<ModelUnavailable>("effect-modelroute/ModelUnavailable")(
  "ModelUnavailable",
  apiFields("MODEL_UNAVAILABLE")
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `GENERATION_TIMEOUT`, HTTP 504, retryable: the generation took too long. Out of a FAILED execution, "again" means a
 * new execution under a new key.
 *
 * @since 0.1.0
 * @category errors
 */
export class GenerationTimeout extends Schema.TaggedError<GenerationTimeout>("effect-modelroute/GenerationTimeout")(
  "GenerationTimeout",
  apiFields("GENERATION_TIMEOUT")
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `GENERATION_FAILED`, HTTP 500, retryable: the provider failed. Out of a FAILED execution, "again" means a new
 * execution under a new key.
 *
 * @since 0.1.0
 * @category errors
 */
export class GenerationFailed extends Schema.TaggedError<GenerationFailed>("effect-modelroute/GenerationFailed")(
  "GenerationFailed",
  apiFields("GENERATION_FAILED")
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `SERVICE_UNAVAILABLE`, HTTP 503, retryable: the platform is down for the moment.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>("effect-modelroute/ServiceUnavailable")(
  "ServiceUnavailable",
  apiFields("SERVICE_UNAVAILABLE")
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `INTERNAL_ERROR`, HTTP 500, not retryable: a fault of the platform; its support wants the `requestId`.
 *
 * @since 0.1.0
 * @category errors
 */
export class InternalError extends Schema.TaggedError<InternalError>("effect-modelroute/InternalError")(
  "InternalError",
  apiFields("INTERNAL_ERROR")
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `UNAUTHORIZED`, HTTP 401, not retryable: the API key is missing, wrong or revoked. Documented for files
 * ("Downloading"), outside the table of twelve. Also the class of a 401 that carries no code at all.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthorized extends Schema.TaggedError<Unauthorized>("effect-modelroute/Unauthorized")(
  "Unauthorized",
  codedFields("UNAUTHORIZED", { status: 401, retryable: false })
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * An envelope whose code this version does not know: `code`, the API's words and its `retryable` are kept. Of a 429 the
 * wait is kept too.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnrecognizedError extends Schema.TaggedError<UnrecognizedError>("effect-modelroute/UnrecognizedError")(
  "UnrecognizedError",
  { ...codedFields("", { status: 0, retryable: false }), ...rateLimitFields }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * A complete answer that is not what the API documents: a proxy's page, an empty body, storage's XML, a success without
 * the fields that make it one. Retryable for 408, 429, 502, 503 and 504.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponse extends Schema.TaggedError<UnexpectedResponse>("effect-modelroute/UnexpectedResponse")(
  "UnexpectedResponse",
  {
    ...clientFields(false),
    status: Schema.Number,
    requestId: optional(Schema.String),
    contentType: optional(Schema.String),
    ...retryAfterField,
    /** The start of the body, at most 2 KiB, without anything that the request kept private. */
    body: withDefault(Schema.String, "")
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * Why no usable answer arrived: `connect` (no connection was made), `reset` (the connection broke), `timeout` (the time limit of
 * one attempt passed), `truncated` (the answer's body ended early), `unknown`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TransportReason = Schema.Literal("connect", "reset", "timeout", "truncated", "unknown")

/**
 * Why no usable answer arrived.
 *
 * @since 0.1.0
 * @category models
 */
export type TransportReason = typeof TransportReason.Type

/**
 * No usable answer arrived. Retryable where sending again is safe: reads, and creates (they carry a key).
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportError extends Schema.TaggedError<TransportError>("effect-modelroute/TransportError")(
  "TransportError",
  {
    ...clientFields(true),
    reason: TransportReason,
    /** The transport's own words, such as `connect ECONNREFUSED 127.0.0.1:8787`. */
    detail: optional(Schema.String)
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The execution ended CANCELLED; its hold is released.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionCancelled extends Schema.TaggedError<ExecutionCancelled>("effect-modelroute/ExecutionCancelled")(
  "ExecutionCancelled",
  { ...clientFields(false), executionId: Execution.ExecutionId }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The execution ended EXPIRED: no result arrived in its time; its hold is released. "Again" means a new execution.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionExpired extends Schema.TaggedError<ExecutionExpired>("effect-modelroute/ExecutionExpired")(
  "ExecutionExpired",
  { ...clientFields(false), executionId: Execution.ExecutionId }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The wait ended before the execution did, or before the API had its output. The execution continues;
 * `executions.await(executionId)` waits for it again.
 *
 * @since 0.1.0
 * @category errors
 */
export class AwaitTimeout extends Schema.TaggedError<AwaitTimeout>("effect-modelroute/AwaitTimeout")("AwaitTimeout", {
  ...clientFields(false),
  executionId: Execution.ExecutionId,
  /** The execution as it was last seen. */
  execution: optional(Execution.Execution)
}) {
  get [TypeId](): TypeId {
    return TypeId
  }

  /** Output and metadata can quote the prompt: renderings show only which execution it is and how far it got. */
  override toJSON(): unknown {
    const { execution, ...rest } = this
    return {
      ...rest,
      message: this.message,
      ...(execution === undefined ? {} : { execution: summarizeExecution(execution) })
    }
  }

  override [NodeInspectSymbol](): unknown {
    return this.stack ?? this.toString()
  }
}

/**
 * `executions.result` was called before the execution had ended, or before the API had its output. The execution continues;
 * `executions.await(executionId)` waits for it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionNotReady extends Schema.TaggedError<ExecutionNotReady>("effect-modelroute/ExecutionNotReady")(
  "ExecutionNotReady",
  {
    ...clientFields(false),
    executionId: Execution.ExecutionId,
    /** The execution as the API has it now. */
    execution: Execution.Execution
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }

  /** Output and metadata can quote the prompt: renderings show only the execution's id and status. */
  override toJSON(): unknown {
    const { execution, ...rest } = this
    return { ...rest, message: this.message, execution: summarizeExecution(execution) }
  }

  override [NodeInspectSymbol](): unknown {
    return this.stack ?? this.toString()
  }
}

/**
 * A file is larger than the limit; nothing was sent. `size` and `limit` are bytes.
 *
 * @since 0.1.0
 * @category errors
 */
export class FileTooLarge extends Schema.TaggedError<FileTooLarge>("effect-modelroute/FileTooLarge")("FileTooLarge", {
  ...clientFields(false),
  size: Schema.Number,
  limit: Schema.Number
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * Refused before anything was sent: `field` names the option or argument, `message` the cure.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>("effect-modelroute/InvalidRequest")(
  "InvalidRequest",
  { ...clientFields(false), field: Schema.String }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * An item of a batch was submitted, nothing tells whether it was accepted, and its idempotency key has become too old to ask the
 * API: sent again, it might be paid for twice. `Batch` neither sends it again nor forgets it. See the dashboard, then
 * have it run again under a new key (the option `resubmit`) or leave it.
 *
 * @since 0.1.0
 * @category errors
 */
export class SubmissionOutcomeUnknown extends Schema.TaggedError<SubmissionOutcomeUnknown>(
  "effect-modelroute/SubmissionOutcomeUnknown"
)("SubmissionOutcomeUnknown", {
  ...clientFields(false),
  /** When it was submitted first. */
  submittedAt: Schema.DateTimeUtc
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The journal of a batch could not be read or written. Nothing is submitted that is not written down: run the batch again when
 * the journal works, and it goes on.
 *
 * @since 0.1.0
 * @category errors
 */
export class JournalError extends Schema.TaggedError<JournalError>("effect-modelroute/JournalError")("JournalError", {
  ...clientFields(false),
  /** The store's own words. */
  detail: optional(Schema.String)
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The twelve codes that the API documents, as a schema: use it to send errors between your own services.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ApiError = Schema.Union(
  InputValidationError,
  ContentModerationRejected,
  FileNotFound,
  FileFormatUnsupported,
  InsufficientBalance,
  RateLimited,
  ModelOverloaded,
  ModelUnavailable,
  GenerationTimeout,
  GenerationFailed,
  ServiceUnavailable,
  InternalError
)

/**
 * The errors of the twelve codes that the API documents.
 *
 * @since 0.1.0
 * @category errors
 */
export type ApiError = typeof ApiError.Type

/**
 * What any single call can fail with.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RequestFailure = Schema.Union(
  ...ApiError.members,
  Unauthorized,
  UnrecognizedError,
  UnexpectedResponse,
  TransportError,
  InvalidRequest
)

/**
 * What any single call can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type RequestFailure = typeof RequestFailure.Type

/**
 * What waiting for an execution can fail with.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AwaitFailure = Schema.Union(...RequestFailure.members, ExecutionCancelled, ExecutionExpired, AwaitTimeout)

/**
 * What waiting for an execution can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type AwaitFailure = typeof AwaitFailure.Type

/**
 * What `executions.result` can fail with.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ResultFailure = Schema.Union(
  ...RequestFailure.members,
  ExecutionCancelled,
  ExecutionExpired,
  ExecutionNotReady
)

/**
 * What `executions.result` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ResultFailure = typeof ResultFailure.Type

/**
 * What an upload can fail with, besides the failures of its source.
 *
 * @since 0.1.0
 * @category schemas
 */
export const UploadFailure = Schema.Union(...RequestFailure.members, FileTooLarge)

/**
 * What an upload can fail with, besides the failures of its source.
 *
 * @since 0.1.0
 * @category errors
 */
export type UploadFailure = typeof UploadFailure.Type

/**
 * Every error of this library.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ModelRouteError = Schema.Union(
  ...AwaitFailure.members,
  ExecutionNotReady,
  FileTooLarge,
  SubmissionOutcomeUnknown,
  JournalError
)

/**
 * Every error of this library.
 *
 * @since 0.1.0
 * @category errors
 */
export type ModelRouteError = typeof ModelRouteError.Type

/**
 * Whether a value is an error of this library.
 *
 * @since 0.1.0
 * @category guards
 */
export const isModelRouteError = <A>(u: A): u is A & ModelRouteError => Predicate.hasProperty(u, TypeId)

const apiTags: ReadonlySet<string> = new Set(Object.values(table.codes).map(({ tag }) => tag))

/**
 * Whether a value is the error of one of the API's twelve codes.
 *
 * @since 0.1.0
 * @category guards
 */
export const isApiError = <A>(u: A): u is A & ApiError => isModelRouteError(u) && apiTags.has(u._tag)

/**
 * Whether a value is an error of this library after which the same request can succeed later.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = <A>(u: A): u is A & ModelRouteError => isModelRouteError(u) && u.retryable

/**
 * Whether a value is an error of this library because the API knows no such execution, endpoint or path, or storage no such file (HTTP
 * 404). After a create, it means that the base URL is wrong.
 *
 * @since 0.1.0
 * @category guards
 */
export const isNotFound = <A>(u: A): u is A & (ApiError | Unauthorized | UnrecognizedError | UnexpectedResponse) =>
  isModelRouteError(u) && "status" in u && u.status === 404

/**
 * Whether a value is the error of a create whose idempotency key the API holds already (HTTP 409): the first request under the key is
 * still in progress, or it had another body.
 *
 * @since 0.1.0
 * @category guards
 */
export const isIdempotencyConflict = <A>(
  u: A
): u is A & (ApiError | Unauthorized | UnrecognizedError | UnexpectedResponse) =>
  isModelRouteError(u) &&
  "status" in u &&
  u.status === 409 &&
  u.idempotencyKey !== undefined &&
  // The errors of a wait have the key of the create, too.
  u.executionId === undefined

/**
 * Whether a value is an error of this library that tells how an execution has ended: FAILED, CANCELLED or EXPIRED. After any other
 * error of a wait the execution may go on, and `executions.await` can take the wait up again.
 *
 * @since 0.1.0
 * @category guards
 */
export const isExecutionEnded = <A>(
  u: A
): u is A & (ApiError | Unauthorized | UnrecognizedError | ExecutionCancelled | ExecutionExpired) =>
  isModelRouteError(u) &&
  (u._tag === "ExecutionCancelled" ||
    u._tag === "ExecutionExpired" ||
    ("executionStatus" in u && u.executionStatus === "FAILED"))
