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
 * Schema of the id of an execution, such as `exec_abc123`. The id is opaque. `ExecutionId.make(text)` brands a stored
 * id and throws if the text is empty.
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
 * The status of an execution. The API can add new statuses. An unknown status is not terminal, so a wait continues. See
 * the API page "Executions overview".
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
  /** The parameters of the model. A file parameter contains the id of the file. */
  readonly input: object
  /** The http(s) URL that receives the events of this execution. See `Webhook`. Default: none. */
  readonly webhookUrl?: string | undefined
  /** Custom labels. The API returns the labels with the execution. Default: none. */
  readonly metadata?: object | undefined
  /** Additional fields of the request body. The client sends the fields unchanged. Default: none. */
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
  /** Response fields that this version of the library does not support, and amounts that cannot be decoded. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}

/**
 * The error of a FAILED execution, as the API returns it. `executions.await` fails with the tagged error of the same
 * code.
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
  /** Indicates whether a new execution can succeed later. */
  retryable: lenient(Schema.Boolean),
  /** The request id. Include the id in requests to ModelRoute's support. */
  requestId: lenient(Schema.String),
  /** The details of the error, undecoded. */
  details: lenient(Schema.Array(Schema.Unknown))
}) {}

/**
 * The latest state of an execution. Only `id`, `status` and `extra` are always present. A field is absent if the API
 * did not send the field or if the field cannot be decoded. The schema encodes an execution to JSON with these field
 * names, so a stored execution can be decoded again. See the API page "Polling".
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
  /** The time when the execution becomes EXPIRED, unless the execution ends earlier. */
  expiresAt: lenient(Schema.DateTimeUtc),
  /** The output of the model, if the response contains the output in the field `result`. */
  result: lenient(Schema.Unknown),
  /** The output of the model, if the response contains the output in the field `output`. */
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
   * The unchanged output of the model, from the field `output` or `result` of the response. Decode the output with a
   * schema for the model. Absent if the response contains no output.
   */
  output: lenient(Schema.Unknown)
}) {
  /** Returns the ids of the files in `output`, in the order of the output. */
  get fileIds(): ReadonlyArray<File.FileId> {
    return fileIds(this.output)
  }
}

const terminalStatuses: ReadonlySet<string> = new Set(["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"])

/**
 * Returns `true` if an execution has ended. A terminal status never changes.
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
 * Returns every file id (`file_…`) in a value, at any depth. The ids are in order and without duplicates. The function
 * works with the output of every model.
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
  // Uses a stack instead of recursion, because a deeply nested response would overflow the call stack.
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
 * The default poll schedule. The first delay is 2 seconds. Each later delay is 1.5 times the previous delay, up to 15
 * seconds. The schedule never ends, so the `timeout` of a wait limits the polls. See the API page "Polling".
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
