/**
 * The errors of this library: one tagged class for each error code of the API, and the classes of the client's own
 * errors. The code in the response chooses the class. The HTTP status does not.
 *
 * A test should compare fields of an error, such as `_tag` and `attempts`, instead of whole errors.
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
import { defaultMessage } from "./internal/errors/messages.js"

/**
 * The property that marks every error of this library.
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
 * One of the twelve error codes that the API documents (API page "Error codes").
 *
 * @since 0.1.0
 * @category models
 */
export type Code = table.Code

/**
 * The table of error codes (API page "Error codes"). Each code has the tag of its class, its usual HTTP status, and
 * whether the same request can succeed later. If the response has a `retryable` field, the error has that value
 * instead.
 *
 * @since 0.1.0
 * @category models
 * @example
 * ```ts
 * import { ModelRouteError } from "effect-modelroute"
 *
 * export const { retryable, status, tag } = ModelRouteError.codes.MODEL_OVERLOADED
 * ```
 */
export const codes: typeof table.codes = table.codes

/**
 * One reason why the API rejected a request. `field` is a path from the root of the request body, such as
 * `input.width`.
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
 * One reason why the API rejected a request.
 *
 * @since 0.1.0
 * @category models
 */
export type Detail = typeof Detail.Type

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>) =>
  Schema.propertySignature(schema).pipe(Schema.withConstructorDefault(() => value))

/** The fields of every error. */
const callFields = {
  /** The method that failed, such as `executions.create`. */
  operation: withDefault(Schema.String, "request"),
  /** The number of requests that the call sent. */
  attempts: withDefault(Schema.Number, 1),
  /** The key of a create. Repeat the call with this key to continue without paying twice. */
  idempotencyKey: optional(Schema.String),
  /** The execution that the error is about, if its id is known. */
  executionId: optional(Execution.ExecutionId),
  /**
   * The file that the error is about. Every failed download has it, and every upload that fails after its URL was
   * issued.
   */
  fileId: optional(File.FileId)
}

/** The wait that the response requests. */
const retryAfterField = {
  /** The wait that `Retry-After` requests, from the arrival of the response. Only retryable errors have it. */
  retryAfter: optional(Schema.Duration)
}

/**
 * The fields of every error with a code. Only the constructor has defaults. A test can then write
 * `new ModelOverloaded({})`.
 */
const codedFields = (code: string, known: { readonly status: number; readonly retryable: boolean }) => ({
  /** Text for the log: what failed, the API's message, the request id, and what to do. */
  message: withDefault(Schema.String, defaultMessage(code)),
  /** The code, exactly as the API sent it. */
  code: withDefault(Schema.String, code),
  /** The API's message. Quotes from the request and secrets are redacted. */
  apiMessage: optional(Schema.String),
  /** Whether the same request can succeed later. */
  retryable: withDefault(Schema.Boolean, known.retryable),
  /**
   * The HTTP status of the response. The error of a FAILED execution has the status that `codes` lists for its code.
   */
  status: withDefault(Schema.Number, known.status),
  /** The id of the request. ModelRoute's support asks for it. */
  requestId: optional(Schema.String),
  /**
   * `FAILED` if the error comes from a FAILED execution. Absent if the API rejected a request. See `isExecutionEnded`.
   */
  executionStatus: optional(Schema.Literal("FAILED")),
  ...retryAfterField,
  ...callFields
})

const apiFields = (code: Code) => codedFields(code, table.codes[code])

const rateLimitFields = {
  /**
   * The wait that the response requests, from its arrival. If the request was not sent (`attempts` is 0), this is the
   * whole wait in the queue.
   */
  retryAfter: optional(Schema.Duration),
  /** The time at which the limit resets, on the local clock. */
  resetAt: optional(Schema.DateTimeUtc),
  /** The number of requests per window. */
  limit: optional(Schema.Number),
  /** The number of requests that are left in this window. */
  remaining: optional(Schema.Number)
}

/** The fields of the client's own errors. */
const clientFields = (retryable: boolean) => ({
  message: Schema.String,
  retryable: withDefault(Schema.Boolean, retryable),
  ...callFields
})

/**
 * `INPUT_VALIDATION_ERROR`, HTTP 400, not retryable. A parameter is wrong, and `details` names it.
 *
 * @since 0.1.0
 * @category errors
 * @example
 * ```ts
 * import { Console, Effect } from "effect"
 * import { ModelRouteClient } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   yield* executions.create({ model: "flux-1.1-pro", input: { prompt: "a fox", width: 1 } })
 * }).pipe(
 *   Effect.catchTag("InputValidationError", ({ details }) =>
 *     Effect.forEach(details, ({ field, message }) => Console.error(`${field}: ${message}`))
 *   )
 * )
 * ```
 */
export class InputValidationError extends Schema.TaggedError<InputValidationError>(
  "effect-modelroute/InputValidationError"
)("InputValidationError", { ...apiFields("INPUT_VALIDATION_ERROR"), details: withDefault(Schema.Array(Detail), []) }) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * `CONTENT_MODERATION_REJECTED`, HTTP 400, not retryable. The safety filter rejected the content, and will reject it
 * every time.
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
 * `FILE_NOT_FOUND`, HTTP 400, not retryable. A file is unknown or has expired. Upload it again and use the new id.
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
 * `FILE_FORMAT_UNSUPPORTED`, HTTP 400, not retryable. The model does not accept files of this format.
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
 * `INSUFFICIENT_BALANCE`, HTTP 402, not retryable. The balance does not cover the hold. Top it up, then submit again.
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
 * `RATE_LIMITED`, HTTP 429, retryable. The request limit is used up. `retryAfter` is the wait that the headers request,
 * if they do.
 *
 * A 429 without a code, such as a gateway sends, has this class too. So has a request that was not sent because its
 * wait in the client's queue would be longer than the retry policy allows.
 *
 * @since 0.1.0
 * @category errors
 * @example
 * ```ts
 * import { Duration, Effect } from "effect"
 * import { Execution, ModelRouteClient } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   return yield* executions.get(Execution.ExecutionId.make("exec_1"))
 * }).pipe(
 *   Effect.tapErrorTag("RateLimited", ({ retryAfter }) =>
 *     Effect.logWarning(`Try again in ${Duration.format(retryAfter ?? Duration.seconds(1))}`)
 *   )
 * )
 * ```
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
 * `MODEL_OVERLOADED`, HTTP 503, retryable. The model is at capacity.
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
 * `MODEL_UNAVAILABLE`, HTTP 503, retryable. The model is temporarily out of service.
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
 * `GENERATION_TIMEOUT`, HTTP 504, retryable. The generation took too long. To retry a FAILED execution, create a new
 * execution with a new idempotency key.
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
 * `GENERATION_FAILED`, HTTP 500, retryable. The model's provider failed. To retry a FAILED execution, create a new
 * execution with a new idempotency key.
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
 * `SERVICE_UNAVAILABLE`, HTTP 503, retryable. ModelRoute is temporarily out of service.
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
 * `INTERNAL_ERROR`, HTTP 500, not retryable. An internal error of ModelRoute. Contact support with the `requestId`.
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
 * `UNAUTHORIZED`, HTTP 401, not retryable. The API key is missing, wrong or revoked. A 401 without a code has this
 * class too. The API documents this code on the page "Downloading", not in the table of twelve codes.
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
 * An error whose code this version of the library does not know. It keeps `code`, the API's message and `retryable`.
 * With status 429 it has the fields of `RateLimited` too.
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
 * A complete response that the API does not document: a page of a proxy, an empty body, XML of storage, or a success
 * without a required field. Retryable for 429. If the call can be repeated, it is also retryable for 408, 500, 502,
 * 503, 504 and 520 to 530. A 409 is retryable if the request has an idempotency key.
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
    /** The start of the body, at most 2 KiB. Quotes from the request and secrets are redacted. */
    body: withDefault(Schema.String, "")
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The reason why no complete response arrived: `connect` (could not connect), `reset` (the connection broke), `timeout`
 * (the time limit of one attempt passed), `truncated` (the body ended early), or `unknown`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TransportReason = Schema.Literal("connect", "reset", "timeout", "truncated", "unknown")

/**
 * The reason why no complete response arrived.
 *
 * @since 0.1.0
 * @category models
 */
export type TransportReason = typeof TransportReason.Type

/**
 * No complete response arrived. Retryable if the request can be repeated safely: reads, and creates, which have an
 * idempotency key. A failure to connect is always retryable, because nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportError extends Schema.TaggedError<TransportError>("effect-modelroute/TransportError")(
  "TransportError",
  {
    ...clientFields(true),
    reason: TransportReason,
    /** The message of the HTTP client, such as `connect ECONNREFUSED 127.0.0.1:8787`. */
    detail: optional(Schema.String)
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The execution was cancelled. Its hold is released.
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
 * The execution expired before it had a result. Its hold is released. To retry, create a new execution.
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
 * The wait ended before the execution did, or before the API had its output. The execution continues.
 * `executions.await(executionId)` waits for it again.
 *
 * @since 0.1.0
 * @category errors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ModelRouteClient } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   const request = { model: "flux-1.1-pro", input: { prompt: "a fox" } }
 *   return yield* executions
 *     .run(request, { timeout: "1 minute" })
 *     .pipe(Effect.catchTag("AwaitTimeout", ({ executionId }) => executions.await(executionId)))
 * })
 * ```
 */
export class AwaitTimeout extends Schema.TaggedError<AwaitTimeout>("effect-modelroute/AwaitTimeout")("AwaitTimeout", {
  ...clientFields(false),
  executionId: Execution.ExecutionId,
  /** The execution as of the last poll or notification. */
  execution: optional(Execution.Execution)
}) {
  get [TypeId](): TypeId {
    return TypeId
  }

  /** Shows only the id, status, model and times of the execution, because output and metadata can quote the prompt. */
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
 * `executions.result` was called before the execution had ended, or before the API had its output. The execution
 * continues. `executions.await(executionId)` waits for it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionNotReady extends Schema.TaggedError<ExecutionNotReady>("effect-modelroute/ExecutionNotReady")(
  "ExecutionNotReady",
  {
    ...clientFields(false),
    executionId: Execution.ExecutionId,
    /** The latest state of the execution. */
    execution: Execution.Execution
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }

  /** Shows only the id, status, model and times of the execution, because output and metadata can quote the prompt. */
  override toJSON(): unknown {
    const { execution, ...rest } = this
    return { ...rest, message: this.message, execution: summarizeExecution(execution) }
  }

  override [NodeInspectSymbol](): unknown {
    return this.stack ?? this.toString()
  }
}

/**
 * The file is larger than the limit. Nothing was sent. `size` and `limit` are in bytes.
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
 * This client rejected the call before it sent anything. An upload also fails with it if the source has another size
 * than it declares. `field` is the option or argument that is wrong. `message`
 * says how to correct it.
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
 * An item of a batch was submitted, and it is unknown whether the API accepted it. Its idempotency key is too old: a
 * repeated request might be paid for twice. `Batch` does not send the item again and keeps it in the journal. Look for
 * the execution in the dashboard. If there is none, use the option `resubmit` to run the item with a new key.
 *
 * @since 0.1.0
 * @category errors
 */
export class SubmissionOutcomeUnknown extends Schema.TaggedError<SubmissionOutcomeUnknown>(
  "effect-modelroute/SubmissionOutcomeUnknown"
)("SubmissionOutcomeUnknown", {
  ...clientFields(false),
  /** The time of the first submission. */
  submittedAt: Schema.DateTimeUtc
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The journal of a batch could not be read or written. A batch submits nothing that the journal does not hold. Run the
 * batch again when the journal works. It then continues.
 *
 * @since 0.1.0
 * @category errors
 */
export class JournalError extends Schema.TaggedError<JournalError>("effect-modelroute/JournalError")("JournalError", {
  ...clientFields(false),
  /** The message of the store. */
  detail: optional(Schema.String)
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The schema of the errors of the twelve codes that the API documents. Use it to send errors between your own services.
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
 * An error of one of the twelve codes that the API documents.
 *
 * @since 0.1.0
 * @category errors
 */
export type ApiError = typeof ApiError.Type

/**
 * The schema of the errors of a single call.
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
 * An error of a single call.
 *
 * @since 0.1.0
 * @category errors
 */
export type RequestFailure = typeof RequestFailure.Type

/**
 * The schema of the errors of a wait for an execution.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AwaitFailure = Schema.Union(...RequestFailure.members, ExecutionCancelled, ExecutionExpired, AwaitTimeout)

/**
 * An error of a wait for an execution.
 *
 * @since 0.1.0
 * @category errors
 */
export type AwaitFailure = typeof AwaitFailure.Type

/**
 * The schema of the errors of `executions.result`.
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
 * An error of `executions.result`.
 *
 * @since 0.1.0
 * @category errors
 */
export type ResultFailure = typeof ResultFailure.Type

/**
 * The schema of the errors of an upload. The errors of its source are not included.
 *
 * @since 0.1.0
 * @category schemas
 */
export const UploadFailure = Schema.Union(...RequestFailure.members, FileTooLarge)

/**
 * An error of an upload. The errors of its source are not included.
 *
 * @since 0.1.0
 * @category errors
 */
export type UploadFailure = typeof UploadFailure.Type

/**
 * The schema of every error of this library.
 *
 * @since 0.1.0
 * @category schemas
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { ModelRouteError } from "effect-modelroute"
 *
 * export const encode = Schema.encode(ModelRouteError.ModelRouteError)
 * ```
 */
export const ModelRouteError = Schema.Union(
  ...AwaitFailure.members,
  ExecutionNotReady,
  FileTooLarge,
  SubmissionOutcomeUnknown,
  JournalError
)

/**
 * Any error of this library.
 *
 * @since 0.1.0
 * @category errors
 */
export type ModelRouteError = typeof ModelRouteError.Type

/**
 * Tests whether a value is an error of this library.
 *
 * @since 0.1.0
 * @category guards
 * @example
 * ```ts
 * import { ModelRouteError } from "effect-modelroute"
 *
 * export const describe = (error: unknown): string =>
 *   ModelRouteError.isModelRouteError(error) ? `${error.operation}: ${error.message}` : String(error)
 * ```
 */
export const isModelRouteError = <A>(u: A): u is A & ModelRouteError => Predicate.hasProperty(u, TypeId)

const apiTags: ReadonlySet<string> = new Set(Object.values(table.codes).map(({ tag }) => tag))

/**
 * Tests whether a value is an error of one of the twelve codes that the API documents.
 *
 * @since 0.1.0
 * @category guards
 * @example
 * ```ts
 * import { ModelRouteError } from "effect-modelroute"
 *
 * export const codeOf = (error: unknown): string | undefined =>
 *   ModelRouteError.isApiError(error) ? error.code : undefined
 * ```
 */
export const isApiError = <A>(u: A): u is A & ApiError => isModelRouteError(u) && apiTags.has(u._tag)

/**
 * Tests whether a value is an error of this library after which the same request can succeed later.
 *
 * @since 0.1.0
 * @category guards
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ModelRouteClient, ModelRouteError } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   return yield* executions.create({ model: "flux-1.1-pro", input: { prompt: "a fox" } })
 * }).pipe(Effect.retry({ times: 2, while: ModelRouteError.isRetryable }))
 * ```
 */
export const isRetryable = <A>(u: A): u is A & ModelRouteError => isModelRouteError(u) && u.retryable

/**
 * Tests whether a value is an error of this library with HTTP status 404. The API does not know the execution, endpoint
 * or path, or storage does not have the file. After a create, the base URL is wrong.
 *
 * @since 0.1.0
 * @category guards
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Execution, ModelRouteClient, ModelRouteError } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   return yield* Effect.asSome(executions.get(Execution.ExecutionId.make("exec_1")))
 * }).pipe(Effect.catchIf(ModelRouteError.isNotFound, () => Effect.succeedNone))
 * ```
 */
export const isNotFound = <A>(u: A): u is A & (ApiError | Unauthorized | UnrecognizedError | UnexpectedResponse) =>
  isModelRouteError(u) && "status" in u && u.status === 404

/**
 * Tests whether a value is the error of a create whose idempotency key is already in use (HTTP 409). The first request
 * with the key is still in progress, or it had another body.
 *
 * @since 0.1.0
 * @category guards
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ModelRouteClient, ModelRouteError } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   return yield* executions.create({ model: "flux-1.1-pro", input: { prompt: "a fox" } }, { idempotencyKey: "order-7" })
 * }).pipe(Effect.catchIf(ModelRouteError.isIdempotencyConflict, () => Effect.logWarning("Already submitted")))
 * ```
 */
export const isIdempotencyConflict = <A>(
  u: A
): u is A & (ApiError | Unauthorized | UnrecognizedError | UnexpectedResponse) =>
  isModelRouteError(u) &&
  "status" in u &&
  u.status === 409 &&
  u.idempotencyKey !== undefined &&
  // The errors of a wait also have the key of the create.
  u.executionId === undefined

/**
 * Tests whether a value is the error of an execution that has ended: FAILED, CANCELLED or EXPIRED. After any other
 * error of a wait the execution can still be running. `executions.await` then waits for it again.
 *
 * @since 0.1.0
 * @category guards
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Execution, ModelRouteClient, ModelRouteError } from "effect-modelroute"
 *
 * const id = Execution.ExecutionId.make("exec_1")
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   return yield* executions.await(id)
 * }).pipe(
 *   Effect.tapError((error) =>
 *     ModelRouteError.isExecutionEnded(error)
 *       ? Effect.logError("The execution has ended", error)
 *       : Effect.logWarning("The execution can still be running", error)
 *   )
 * )
 * ```
 */
export const isExecutionEnded = <A>(
  u: A
): u is A & (ApiError | Unauthorized | UnrecognizedError | ExecutionCancelled | ExecutionExpired) =>
  isModelRouteError(u) &&
  (u._tag === "ExecutionCancelled" ||
    u._tag === "ExecutionExpired" ||
    ("executionStatus" in u && u.executionStatus === "FAILED"))
