/**
 * The errors of the API and of the client, as tagged classes. Each error code of the API has its own class. The class
 * of an error depends on the error code in the response, not on the HTTP status.
 *
 * In tests, compare fields of an error, such as `_tag` and `attempts`, instead of whole errors. The library can add
 * fields to an error.
 *
 * @since 0.1.0
 */
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Execution from "./Execution.js"
import * as File from "./File.js"
import { omitUndefined } from "./internal/data/lenient.js"
import * as table from "./internal/errors/codes.js"
import { summarizeExecution } from "./internal/errors/executionSummary.js"
import { defaultMessage } from "./internal/errors/messages.js"

/**
 * The property key that identifies the errors of this library.
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
 * An error code of the API. The API documents twelve codes. See the API page "Error codes".
 *
 * @since 0.1.0
 * @category models
 */
export type Code = table.Code

/**
 * The table of the twelve error codes. Each entry contains the tag of the error class, the usual HTTP status and the
 * default of `retryable`. If a response contains the field `retryable`, the error has the value of this field instead.
 * See the API page "Error codes".
 *
 * @example
 * ```ts
 * import { ModelRouteError } from "effect-modelroute"
 *
 * export const { retryable, status, tag } = ModelRouteError.codes.MODEL_OVERLOADED
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const codes: typeof table.codes = table.codes

/**
 * Schema of one reason why the API rejected a request. If the response omits a field, the field is an empty string.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Detail = Schema.Struct({
  /** The path of the parameter in the request body, such as `input.width`. */
  field: Schema.String,
  /** The code of the reason, such as `OUT_OF_RANGE`. */
  code: Schema.String,
  /** The message of the API. */
  message: Schema.String
})

/**
 * One reason why the API rejected a request. If the response omits a field, the field is an empty string.
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
  /** The idempotency key of the create request. To continue without a second payment, repeat the call with this key. */
  idempotencyKey: optional(Schema.String),
  /**
   * The id of the execution. Absent if the client did not receive the id, or if the call does not concern an execution.
   */
  executionId: optional(Execution.ExecutionId),
  /**
   * The id of the file that the call downloads or uploads. An upload error contains the id only after the API has
   * created the upload URL.
   */
  fileId: optional(File.FileId)
}

const retryAfterField = {
  /**
   * The delay that the `Retry-After` header requests, measured from the arrival of the response. Absent if the error is
   * not retryable or the response has no such header.
   */
  retryAfter: optional(Schema.Duration)
}

/**
 * Returns the fields of every error with an error code. The defaults apply only to the constructor, so that a test can
 * write `new ModelOverloaded({})`. Decoded errors must contain all required fields.
 */
const codedFields = (code: string, known: { readonly status: number; readonly retryable: boolean }) => ({
  /** The message for logs. Contains the failed operation, the message of the API, the request id and advice. */
  message: withDefault(Schema.String, defaultMessage(code)),
  /** The error code, exactly as in the response. */
  code: withDefault(Schema.String, code),
  /** The message of the API. Secrets and quotes from the request are replaced by a placeholder. */
  apiMessage: optional(Schema.String),
  /** `true` if the same request can succeed later. */
  retryable: withDefault(Schema.Boolean, known.retryable),
  /**
   * The HTTP status of the response. If the error describes a FAILED execution, `status` is the usual status of the
   * error code, as in `codes`.
   */
  status: withDefault(Schema.Number, known.status),
  /** The request id from the response. Include this id in messages to ModelRoute's support. */
  requestId: optional(Schema.String),
  /**
   * `FAILED` if the error describes a FAILED execution. Absent if the error describes a rejected request. See
   * `isExecutionEnded`.
   */
  executionStatus: optional(Schema.Literal("FAILED")),
  ...retryAfterField,
  ...callFields
})

const apiFields = (code: Code) => codedFields(code, table.codes[code])

const rateLimitFields = {
  /**
   * The delay that the headers of the response request, measured from the arrival of the response. If the gate did not
   * admit the request, `retryAfter` is the expected wait in the queue of the gate.
   */
  retryAfter: optional(Schema.Duration),
  /** The time when the rate limit resets, on the local clock. */
  resetAt: optional(Schema.DateTimeUtc),
  /** The maximum number of requests per window of the rate limit. */
  limit: optional(Schema.Number),
  /** The number of requests that remain in the current window of the rate limit. */
  remaining: optional(Schema.Number)
}

/** Returns the fields of an error that has no error code. `retryable` is the default of the field `retryable`. */
const clientFields = (retryable: boolean) => ({
  /** The message for logs. Contains the failed operation, the reason for the failure and advice. */
  message: Schema.String,
  /** `true` if the same request can succeed later. */
  retryable: withDefault(Schema.Boolean, retryable),
  ...callFields
})

/**
 * The error for code `INPUT_VALIDATION_ERROR` (HTTP 400, not retryable). A parameter of the request is invalid.
 * `details` contains the invalid parameters.
 *
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
 *
 * @since 0.1.0
 * @category errors
 */
export class InputValidationError extends Schema.TaggedError<InputValidationError>(
  "effect-modelroute/InputValidationError"
)("InputValidationError", {
  ...apiFields("INPUT_VALIDATION_ERROR"),
  /** The invalid parameters. Empty if the response does not list the parameters. */
  details: withDefault(Schema.Array(Detail), [])
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The error for code `CONTENT_MODERATION_REJECTED` (HTTP 400, not retryable). The safety filter of the API rejected the
 * content of the request. The filter rejects the same content every time, so change the input.
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
 * The error for code `FILE_NOT_FOUND` (HTTP 400, not retryable). A file in the request does not exist or has expired.
 * Upload the file again and use the new id.
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
 * The error for code `FILE_FORMAT_UNSUPPORTED` (HTTP 400, not retryable). The model does not accept the format of a
 * file in the request.
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
 * The error for code `INSUFFICIENT_BALANCE` (HTTP 402, not retryable). The balance does not cover the amount that the
 * API holds for an execution. Top up the balance, then submit the request again.
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
 * The error for code `RATE_LIMITED` (HTTP 429, retryable). The rate limit is exhausted. `retryAfter` contains the delay
 * that the headers of the response request. Two other failures also have this class:
 *
 * - a 429 without an error code, for example from a gateway
 * - a request that was not sent, because the retry policy rejected its wait for the rate limit
 *
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
 * The error for code `MODEL_OVERLOADED` (HTTP 503, retryable). The model is at capacity.
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
 * The error for code `MODEL_UNAVAILABLE` (HTTP 503, retryable). The model is temporarily out of service.
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
 * The error for code `GENERATION_TIMEOUT` (HTTP 504, retryable). The model took too long to generate the output. If the
 * execution is FAILED, create a new execution with a new idempotency key.
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
 * The error for code `GENERATION_FAILED` (HTTP 500, retryable). The provider of the model failed. If the execution is
 * FAILED, create a new execution with a new idempotency key.
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
 * The error for code `SERVICE_UNAVAILABLE` (HTTP 503, retryable). ModelRoute is temporarily out of service.
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
 * The error for code `INTERNAL_ERROR` (HTTP 500, not retryable). ModelRoute failed with an internal error. Contact
 * ModelRoute's support and include the `requestId`.
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
 * The error for code `UNAUTHORIZED` (HTTP 401, not retryable). The API key is missing, wrong or revoked. A 401 without
 * an error code also has this class. `UNAUTHORIZED` is not one of the twelve codes in `codes`. See the API page
 * "Downloading files".
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
 * The error for a code that this version of the library does not support. `code`, `apiMessage` and `retryable` come
 * from the response. If the status is 429, the error also has the rate limit fields of `RateLimited`.
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
 * A response arrived completely, but its format is not documented. Examples are a page of a proxy, an empty body, and a
 * 2xx response without a required field. Every unsuccessful response of object storage also has this class.
 *
 * A 429 is retryable. A 409 is retryable if the request has an idempotency key. The statuses 408, 500, 502, 503, 504
 * and 520 to 530 are retryable if the request is safe to repeat.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponse extends Schema.TaggedError<UnexpectedResponse>("effect-modelroute/UnexpectedResponse")(
  "UnexpectedResponse",
  {
    ...clientFields(false),
    /** The HTTP status of the response. */
    status: Schema.Number,
    /** The request id from the response. Include this id in messages to ModelRoute's support. */
    requestId: optional(Schema.String),
    /** The header `Content-Type` of the response. */
    contentType: optional(Schema.String),
    ...retryAfterField,
    /**
     * The beginning of the response body, at most 2 KiB. Secrets and quotes from the request are replaced by a
     * placeholder.
     */
    body: withDefault(Schema.String, "")
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * Schema of the reason for a `TransportError`:
 *
 * - `connect`: the client could not connect, so that the request was not sent
 * - `reset`: the connection ended before a response arrived
 * - `timeout`: no complete response arrived within the timeout of the attempt
 * - `truncated`: the connection ended before the end of the response body
 * - `unknown`: the client could not determine the reason
 *
 * @since 0.1.0
 * @category schemas
 */
export const TransportReason = Schema.Literal("connect", "reset", "timeout", "truncated", "unknown")

/**
 * The reason for a `TransportError`.
 *
 * @since 0.1.0
 * @category models
 */
export type TransportReason = typeof TransportReason.Type

/**
 * No complete response arrived. The error is retryable if the request is safe to repeat. Reads and requests with an
 * idempotency key are safe to repeat. A failure to connect is always retryable, because the request was not sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportError extends Schema.TaggedError<TransportError>("effect-modelroute/TransportError")(
  "TransportError",
  {
    ...clientFields(true),
    /** The reason for the failure. */
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
 * The execution was cancelled. The API has released the amount that was held for the execution.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionCancelled extends Schema.TaggedError<ExecutionCancelled>("effect-modelroute/ExecutionCancelled")(
  "ExecutionCancelled",
  {
    ...clientFields(false),
    /** The id of the cancelled execution. */
    executionId: Execution.ExecutionId
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The execution expired before a result was available. The API has released the amount that was held for the execution.
 * To retry, create a new execution with a new idempotency key.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionExpired extends Schema.TaggedError<ExecutionExpired>("effect-modelroute/ExecutionExpired")(
  "ExecutionExpired",
  {
    ...clientFields(false),
    /** The id of the expired execution. */
    executionId: Execution.ExecutionId
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The time limit of a wait elapsed before the execution had ended or before the output was available. The execution
 * continues. Call `executions.await(executionId)` to wait again.
 *
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
 *
 * @since 0.1.0
 * @category errors
 */
export class AwaitTimeout extends Schema.TaggedError<AwaitTimeout>("effect-modelroute/AwaitTimeout")("AwaitTimeout", {
  ...clientFields(false),
  /** The id of the execution. To wait again, pass the id to `executions.await`. */
  executionId: Execution.ExecutionId,
  /**
   * The state of the execution after the latest poll or notification. Absent if the client received no state during the
   * wait.
   */
  execution: optional(Execution.Execution)
}) {
  get [TypeId](): TypeId {
    return TypeId
  }

  /**
   * Returns the fields for logs. The execution contains only its id, status, model and times, because its output and
   * metadata can quote the prompt.
   */
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
 * `executions.result` was called before the execution had ended or before the output was available. The execution
 * continues. Call `executions.await(executionId)` to wait for the result.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionNotReady extends Schema.TaggedError<ExecutionNotReady>("effect-modelroute/ExecutionNotReady")(
  "ExecutionNotReady",
  {
    ...clientFields(false),
    /** The id of the execution. Pass the id to `executions.await` to wait for the result. */
    executionId: Execution.ExecutionId,
    /** The state of the execution in the response. */
    execution: Execution.Execution
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }

  /**
   * Returns the fields for logs. The execution contains only its id, status, model and times, because its output and
   * metadata can quote the prompt.
   */
  override toJSON(): unknown {
    const { execution, ...rest } = this
    return { ...rest, message: this.message, execution: summarizeExecution(execution) }
  }

  override [NodeInspectSymbol](): unknown {
    return this.stack ?? this.toString()
  }
}

/**
 * Schema of one reason why an output does not match the output schema of its model.
 *
 * @since 0.1.0
 * @category schemas
 */
export const OutputIssue = Schema.Struct({
  /** The path of the value that does not match, such as `output.images[0].file_id`. */
  path: Schema.String,
  /** The expected type or the message of the schema, without any part of the output. */
  message: Schema.String
})

/**
 * One reason why an output does not match the output schema of its model.
 *
 * @since 0.1.0
 * @category models
 */
export type OutputIssue = typeof OutputIssue.Type

/**
 * The execution is COMPLETED and charged, but its output does not match the output schema of the model. `completed`
 * contains the result with the unchanged output.
 *
 * Do not create a new execution, because the API would charge again. Correct the schema, then decode the result with
 * `Model.decode` or with `executions.await(executionId, { model })`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Model, ModelRouteClient } from "effect-modelroute"
 *
 * const TextModel = Model.make({
 *   id: "text-generation-standard",
 *   input: Schema.Struct({ prompt: Schema.String }),
 *   output: Schema.Struct({ text: Schema.String })
 * })
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   const { output } = yield* executions.run({ model: TextModel, input: { prompt: "a haiku" } })
 *   return output.text
 * }).pipe(Effect.catchTag("OutputDecodeError", ({ completed }) => Effect.succeed(JSON.stringify(completed.output))))
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class OutputDecodeError extends Schema.TaggedError<OutputDecodeError>("effect-modelroute/OutputDecodeError")(
  "OutputDecodeError",
  {
    ...clientFields(false),
    /** The id of the execution. To decode the result, pass the id and a corrected model to `executions.await`. */
    executionId: Execution.ExecutionId,
    /** The slug of the model whose output schema does not match. */
    model: Schema.String,
    /** The first 20 reasons why the output does not match. */
    issues: Schema.Array(OutputIssue),
    /** The result of the execution, with the unchanged output. */
    completed: Execution.Completed
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }

  /**
   * Returns the fields for logs. The result contains only its id, status, model and times, because its output and
   * metadata can quote the prompt.
   */
  override toJSON(): unknown {
    const { completed, ...rest } = this
    return { ...rest, message: this.message, completed: summarizeExecution(completed) }
  }

  override [NodeInspectSymbol](): unknown {
    return this.stack ?? this.toString()
  }
}

/**
 * The file is larger than the size limit of the upload. The client sent no request.
 *
 * @since 0.1.0
 * @category errors
 */
export class FileTooLarge extends Schema.TaggedError<FileTooLarge>("effect-modelroute/FileTooLarge")("FileTooLarge", {
  ...clientFields(false),
  /** The size of the file in bytes. */
  size: Schema.Number,
  /** The maximum size in bytes. */
  limit: Schema.Number
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The client rejected the call before the first request. `field` is the name of the invalid option or argument, and
 * `message` contains advice. Two failures after the first request also have this class:
 *
 * - the source of an upload has more or fewer bytes than its `size`
 * - a callback of the caller, such as `onAccepted`, does not return an Effect
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>("effect-modelroute/InvalidRequest")(
  "InvalidRequest",
  {
    ...clientFields(false),
    /**
     * The name of the invalid option or argument, such as `maxSize`. If a part of an argument is invalid, `field` is
     * the path of this part, such as `input.width`.
     */
    field: Schema.String
  }
) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * The outcome of a submission is unknown, and its idempotency key is too old for a retry. The submission belongs to a
 * batch or to a durable execution, and the API may have accepted the submission. The library does not submit the
 * request again, because this could create a second, paid execution. In a batch, the item stays in the journal.
 *
 * Search for the execution in the dashboard. If the execution does not exist, submit the request with a new key. For a
 * batch, use the option `resubmit`. For a durable execution, call `start` with a new id.
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
 * The journal of a batch could not be read or written. No paid execution is lost, because a batch submits an item only
 * after the journal has recorded the item. To continue, run the batch again when the journal is available.
 *
 * @since 0.1.0
 * @category errors
 */
export class JournalError extends Schema.TaggedError<JournalError>("effect-modelroute/JournalError")("JournalError", {
  ...clientFields(false),
  /** The error message of the store that contains the journal. */
  detail: optional(Schema.String)
}) {
  get [TypeId](): TypeId {
    return TypeId
  }
}

/**
 * Schema of the errors with one of the twelve documented codes. Use this schema to send errors between services.
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
 * An error with one of the twelve documented codes.
 *
 * @since 0.1.0
 * @category errors
 */
export type ApiError = typeof ApiError.Type

/**
 * Schema of the errors of a call that sends one request, apart from retries.
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
 * An error of a call that sends one request, apart from retries:
 *
 * - an `ApiError`, `Unauthorized` or `UnrecognizedError`, if the API responds with an error
 * - `UnexpectedResponse`, if the format of the response is not documented
 * - `TransportError`, if no complete response arrives
 * - `InvalidRequest`, if the client rejects the call
 *
 * @since 0.1.0
 * @category errors
 */
export type RequestFailure = typeof RequestFailure.Type

/**
 * Schema of the errors of a wait for an execution.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AwaitFailure = Schema.Union(...RequestFailure.members, ExecutionCancelled, ExecutionExpired, AwaitTimeout)

/**
 * An error of a wait for an execution. A `RequestFailure` with the `executionStatus` `FAILED` describes a FAILED
 * execution. Any other `RequestFailure` describes a request of the wait.
 *
 * @since 0.1.0
 * @category errors
 */
export type AwaitFailure = typeof AwaitFailure.Type

/**
 * Schema of the errors of `executions.result`.
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
 * Schema of the errors of an upload, except the errors of its source.
 *
 * @since 0.1.0
 * @category schemas
 */
export const UploadFailure = Schema.Union(...RequestFailure.members, FileTooLarge)

/**
 * An error of an upload, except an error of its source.
 *
 * @since 0.1.0
 * @category errors
 */
export type UploadFailure = typeof UploadFailure.Type

/**
 * Schema of every error of this library.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { ModelRouteError } from "effect-modelroute"
 *
 * export const encode = Schema.encode(ModelRouteError.ModelRouteError)
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const ModelRouteError = Schema.Union(
  ...AwaitFailure.members,
  ExecutionNotReady,
  OutputDecodeError,
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
 * Tests whether a value is an error with one of the twelve documented codes.
 *
 * @example
 * ```ts
 * import { ModelRouteError } from "effect-modelroute"
 *
 * export const codeOf = (error: unknown): string | undefined =>
 *   ModelRouteError.isApiError(error) ? error.code : undefined
 * ```
 *
 * @since 0.1.0
 * @category guards
 */
export const isApiError = <A>(u: A): u is A & ApiError => isModelRouteError(u) && apiTags.has(u._tag)

/**
 * Tests whether a value is an error of this library with `retryable: true`. After such an error, the same request can
 * succeed later.
 *
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
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = <A>(u: A): u is A & ModelRouteError => isModelRouteError(u) && u.retryable

/**
 * Tests whether a value is an error of this library with HTTP status 404. The execution, webhook endpoint, file or path
 * of the request does not exist. For a create request, a 404 means that the base URL is wrong.
 *
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
 *
 * @since 0.1.0
 * @category guards
 */
export const isNotFound = <A>(u: A): u is A & (ApiError | Unauthorized | UnrecognizedError | UnexpectedResponse) =>
  isModelRouteError(u) && "status" in u && u.status === 404

/**
 * Tests whether a value is the error of an idempotency conflict (HTTP 409). An earlier request with the same
 * idempotency key is still in progress, or had a different body.
 *
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
  // The error of a wait can also have the key and the status 409. Such an error does not describe a create request.
  u.executionId === undefined

/**
 * Tests whether a value is the error of a FAILED, CANCELLED or EXPIRED execution. Returns `false` for
 * `OutputDecodeError`, because its execution is COMPLETED. After any other error of a wait, the execution can still be
 * running. Call `executions.await` to wait again.
 *
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

/**
 * The facts about a failed call that ModelRoute's support needs. A field is absent if the error does not contain the
 * field.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  /** The tag of the error. */
  readonly tag: ModelRouteError["_tag"]
  /** The method that failed, such as `executions.create`. */
  readonly operation: string
  /** The message of the error. The message contains no secret and no part of the input. */
  readonly message: string
  /** The number of requests that were sent. */
  readonly attempts: number
  /** The error code of the API. */
  readonly code?: string
  /** The HTTP status. */
  readonly status?: number
  /** The request id from the response. */
  readonly requestId?: string
  /** The id of the execution. */
  readonly executionId?: string
  /** The idempotency key of the create request. */
  readonly idempotencyKey?: string
}

/**
 * Returns the facts about a failed call that ModelRoute's support needs. Accepts every error of this library, although
 * each error class has only some of these fields.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ModelRouteClient, ModelRouteError } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   return yield* executions.run({ model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } })
 * }).pipe(Effect.tapError((error) => Effect.logError("Report this failure", ModelRouteError.toReport(error))))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const toReport = (error: ModelRouteError): Report => {
  const { _tag: tag, attempts, executionId, idempotencyKey, message, operation } = error
  return {
    tag,
    operation,
    message,
    attempts,
    ...omitUndefined({
      code: "code" in error ? error.code : undefined,
      status: "status" in error ? error.status : undefined,
      requestId: "requestId" in error ? error.requestId : undefined,
      executionId,
      idempotencyKey
    })
  }
}
