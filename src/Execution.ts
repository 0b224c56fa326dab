/**
 * Models of executions. An execution is one paid run of a model.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as File from "./File.js"
import { Money } from "./internal/data/money.js"
import { Attributes, isRecord, DurationMillis, lenient } from "./internal/data/lenient.js"

/**
 * Schema of the id of an execution, such as `exec_abc123`. The id has no documented format. `ExecutionId.make(text)`
 * returns a stored id as an `ExecutionId`, and throws if the text is empty.
 *
 * @example
 * ```ts
 * import { Execution } from "effect-modelroute"
 *
 * export const id: Execution.ExecutionId = Execution.ExecutionId.make("exec_abc123")
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExecutionId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/ExecutionId"))

/**
 * The id of an execution.
 *
 * @since 0.1.0
 * @category models
 */
export type ExecutionId = typeof ExecutionId.Type

/**
 * The status of an execution. The API can add new statuses. An unknown status is not terminal, so a wait for the
 * execution continues. See the API page "Executions overview".
 *
 * @since 0.1.0
 * @category models
 */
export type Status =
  "PENDING" | "PROCESSING" | "AWAITING_WEBHOOK" | "COMPLETED" | "FAILED" | "CANCELLED" | "EXPIRED" | (string & {})

/**
 * Schema of a status. Accepts every string, because the API can add new statuses.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Status: Schema.Schema<Status> = Schema.String

/**
 * The request that creates an execution. See the API page "Creating executions".
 *
 * @example
 * ```ts
 * import type { Execution } from "effect-modelroute"
 *
 * export const request: Execution.CreateRequest = {
 *   model: "flux-1.1-pro",
 *   input: { prompt: "a red fox in snow" },
 *   metadata: { order: 7 }
 * }
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateRequest {
  /** The slug of the model, such as `flux-1.1-pro`. */
  readonly model: string
  /** The parameters of the model. The value of a file parameter is the id of an uploaded file. */
  readonly input: object
  /** The http(s) URL to which the API sends the webhook events of this execution. See `Webhook`. Default: none. */
  readonly webhookUrl?: string | undefined
  /** Custom labels. The API returns the labels with the execution. Default: none. */
  readonly metadata?: object | undefined
  /** Additional fields of the request body, which the client sends unchanged. Default: none. */
  readonly extra?: { readonly [field: string]: unknown } | undefined
}

const commonFields = {
  /** The id of the execution. */
  id: ExecutionId,
  /** The slug of the model, such as `flux-1.1-pro`. */
  model: lenient(Schema.String),
  /** The charged amount in dollars, as a decimal string. */
  cost: lenient(Money),
  /** The duration of the generation. */
  latency: lenient(DurationMillis),
  /** The time when the API created the execution. */
  createdAt: lenient(Schema.DateTimeUtc),
  /** The time when the execution ended. */
  completedAt: lenient(Schema.DateTimeUtc),
  /** The custom labels from the create request. */
  metadata: lenient(Attributes),
  /**
   * The other fields of the response. These are fields that this version of the library does not support, and amounts
   * that cannot be decoded.
   */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}

/**
 * The error of a FAILED execution, as the API returns the error. `executions.await` fails with the tagged error for
 * `code`, for example with `GenerationFailed` for `GENERATION_FAILED`.
 *
 * @example
 * ```ts
 * import { Execution } from "effect-modelroute"
 *
 * export const failure = new Execution.Failure({ code: "GENERATION_FAILED", message: "The model failed." })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class Failure extends Schema.Class<Failure>("effect-modelroute/Failure")({
  /** The error code, such as `GENERATION_FAILED`. */
  code: lenient(Schema.String),
  /** The message of the API. */
  message: lenient(Schema.String),
  /** `true` if a new execution with the same request can succeed later. */
  retryable: lenient(Schema.Boolean),
  /** The id of the request at the API. Include this id in messages to ModelRoute's support. */
  requestId: lenient(Schema.String),
  /** The details of the error, undecoded. */
  details: lenient(Schema.Array(Schema.Unknown))
}) {}

/**
 * The state of an execution in a response or a webhook event. Only `id`, `status` and `extra` are always present. Every
 * other field is absent if the API did not send the field or if its value is invalid. See the API page "Polling".
 *
 * The class is also a schema. The schema encodes an execution to JSON with the field names of this class. A stored
 * execution can therefore be decoded again.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Execution } from "effect-modelroute"
 *
 * const execution = new Execution.Execution({ id: Execution.ExecutionId.make("exec_abc123"), status: "PENDING" })
 *
 * export const stored = Schema.encodeSync(Schema.parseJson(Execution.Execution))(execution)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class Execution extends Schema.Class<Execution>("effect-modelroute/Execution")({
  ...commonFields,
  /** The status. See `isTerminal`. */
  status: Status,
  /** The amount in dollars that the API holds from the balance for this execution, as a decimal string. */
  holdAmount: lenient(Money),
  /** The estimated cost in dollars, as a decimal string. */
  estimatedCost: lenient(Money),
  /** The time when the execution becomes EXPIRED if the execution has not ended before. */
  expiresAt: lenient(Schema.DateTimeUtc),
  /** The field `result` of the response. The API returns the output of the model in `result` or in `output`. */
  result: lenient(Schema.Unknown),
  /** The field `output` of the response. The API returns the output of the model in `result` or in `output`. */
  output: lenient(Schema.Unknown),
  /** The error of a FAILED execution. */
  error: lenient(Failure)
}) {}

/**
 * A COMPLETED execution with its output. See the API page "Polling".
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import type { Execution } from "effect-modelroute"
 *
 * export const logCost = ({ cost, fileIds, id }: Execution.Completed) =>
 *   Effect.log(`${id} cost ${cost} and created ${fileIds.length} files`)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class Completed extends Schema.Class<Completed>("effect-modelroute/Completed")({
  ...commonFields,
  /** The status, always `COMPLETED`. */
  status: Schema.Literal("COMPLETED"),
  /**
   * The output of the model, unchanged. The client reads the output from the field `output` or `result` of the
   * response. Absent if the execution has no output. To decode the output, use `Model.decode` or a schema.
   */
  output: lenient(Schema.Unknown)
}) {
  /** Returns the ids of the files in `output`, in the order of their occurrence. */
  get fileIds(): ReadonlyArray<File.FileId> {
    return fileIds(this.output)
  }
}

const terminalStatuses: ReadonlySet<string> = new Set(["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"])

/**
 * Returns `true` if the status of an execution is COMPLETED, FAILED, CANCELLED or EXPIRED. These statuses never change.
 *
 * @example
 * ```ts
 * import { Execution } from "effect-modelroute"
 *
 * export const hasEnded: boolean = Execution.isTerminal({ status: "FAILED" })
 * ```
 *
 * @since 0.1.0
 * @category guards
 */
export const isTerminal = (execution: { readonly status: Status }): boolean => terminalStatuses.has(execution.status)

/**
 * Returns the file ids (`file_…`) that a value contains at any depth, in order and without duplicates. Works with the
 * output of every model.
 *
 * @example
 * ```ts
 * import { Execution } from "effect-modelroute"
 *
 * export const ids = Execution.fileIds({ images: [{ file_id: "file_a" }, { file_id: "file_b" }] })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const fileIds = (value: unknown): ReadonlyArray<File.FileId> => {
  const found = new Set<File.FileId>()
  // A stack replaces recursion, because a deeply nested response would overflow the call stack.
  const unread: Array<unknown> = [value]
  while (unread.length > 0) {
    const next = unread.pop()
    if (typeof next === "string") {
      if (/^file_[\w-]+$/.test(next)) found.add(File.FileId.make(next))
    } else if (Array.isArray(next)) {
      for (let i = next.length - 1; i >= 0; i--) unread.push(next[i])
    } else if (isRecord(next)) {
      const values = Object.values(next)
      for (let i = values.length - 1; i >= 0; i--) unread.push(values[i])
    }
  }
  return Array.from(found)
}

/**
 * The default schedule of the polls of an execution. The first delay is 2 seconds. Each later delay is 1.5 times the
 * previous delay, up to 15 seconds. The schedule never ends, so only the `timeout` of a wait limits the number of
 * polls. See the API page "Polling".
 *
 * @example
 * ```ts
 * import { Schedule } from "effect"
 * import { Execution, ModelRouteClient } from "effect-modelroute"
 *
 * export const ClientLive = ModelRouteClient.layerConfig({
 *   pollSchedule: Schedule.jittered(Execution.pollSchedule)
 * })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const pollSchedule: Schedule.Schedule<unknown, Execution> = Schedule.exponential("2 seconds", 1.5).pipe(
  Schedule.modifyDelay((_, delay) => Duration.min(delay, Duration.seconds(15)))
)
