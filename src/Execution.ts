/**
 * Executions: one paid run of one model, from the request to its result.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as File from "./File.js"
import { Money } from "./internal/data/money.js"
import { Attributes, isRecord, Millis, tolerant } from "./internal/data/lenient.js"

/**
 * The id of an execution, `exec_…`: opaque. `ExecutionId.make(text)` makes one of an id that was stored as text.
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
 * How far an execution has come (API page "Executions overview"). The set is open: an unknown status means "not yet".
 *
 * @since 0.1.0
 * @category models
 */
export type Status =
  "PENDING" | "PROCESSING" | "AWAITING_WEBHOOK" | "COMPLETED" | "FAILED" | "CANCELLED" | "EXPIRED" | (string & {})

/**
 * Any status, known or not.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Status: Schema.Schema<Status> = Schema.String

/**
 * What to run (API page "Creating executions").
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateRequest {
  /** The model's slug, such as `flux-1.1-pro`. */
  readonly model: string
  /** The model's own parameters; files are given by their id. */
  readonly input: object
  /** An http(s) URL to which the API posts the events of this execution, see `Webhook`. */
  readonly webhookUrl?: string | undefined
  /** Labels of your own. */
  readonly metadata?: object | undefined
  /** Further fields of the request body, sent as they are. */
  readonly extra?: { readonly [field: string]: unknown } | undefined
}

const common = {
  id: ExecutionId,
  model: tolerant(Schema.String, "model"),
  /** What was charged, a decimal string. */
  cost: tolerant(Money, "cost"),
  /** How long the generation took. */
  latency: tolerant(Millis, "latency_ms"),
  createdAt: tolerant(Schema.DateTimeUtc, "created_at"),
  completedAt: tolerant(Schema.DateTimeUtc, "completed_at"),
  metadata: tolerant(Attributes, "metadata"),
  /** Fields of the response that this version does not know, and amounts that it could not read. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}

/**
 * Why an execution is FAILED, as the API put it. `executions.await` turns it into the tagged error of its code.
 *
 * @since 0.1.0
 * @category models
 */
export class Failure extends Schema.Class<Failure>("effect-modelroute/Failure")({
  code: tolerant(Schema.String, "code"),
  message: tolerant(Schema.String, "message"),
  retryable: tolerant(Schema.Boolean, "retryable"),
  requestId: tolerant(Schema.String, "request_id"),
  details: tolerant(Schema.Array(Schema.Unknown), "details")
}) {}

/**
 * An execution as the API last told of it. Only `id` and `status` are certain.
 *
 * @since 0.1.0
 * @category models
 */
export class Execution extends Schema.Class<Execution>("effect-modelroute/Execution")({
  ...common,
  status: Status,
  /** What the balance holds back for it, a decimal string. */
  holdAmount: tolerant(Money, "hold_amount"),
  /** A decimal string. */
  estimatedCost: tolerant(Money, "estimated_cost"),
  /** When it becomes EXPIRED unless it has ended before. */
  expiresAt: tolerant(Schema.DateTimeUtc, "expires_at"),
  /** The model's output, where the answer has it under this name. */
  result: tolerant(Schema.Unknown, "result"),
  /** The model's output, where the answer has it under this name. */
  output: tolerant(Schema.Unknown, "output"),
  error: tolerant(Failure, "error")
}) {}

/**
 * A COMPLETED execution with its output, from wherever the API gave it.
 *
 * @since 0.1.0
 * @category models
 */
export class Completed extends Schema.Class<Completed>("effect-modelroute/Completed")({
  ...common,
  status: Schema.Literal("COMPLETED"),
  /** The model's own shape; decode it with a schema of yours. Absent where the API has none. */
  output: tolerant(Schema.Unknown, "output")
}) {
  /** The files in `output`, in its order. */
  get fileIds(): ReadonlyArray<File.FileId> {
    return fileIds(this.output)
  }
}

const terminal: ReadonlySet<string> = new Set(["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"])

/**
 * Whether an execution has ended: a terminal status never changes again.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTerminal = (execution: { readonly status: Status }): boolean => terminal.has(execution.status)

/**
 * Every file id (`file_…`) found in a value at any depth, in order, each once: works for every model's output.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fileIds = (value: unknown): ReadonlyArray<File.FileId> => {
  const found = new Set<File.FileId>()
  // A list of what is still to be read, not recursion: the depth of an answer is not ours to trust.
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
 * When to look at an execution that is not ready: first after 2 s, then each time 1.5 times later, at most 15 s apart,
 * without an end of its own (the wait has its own bound). API page "Polling".
 *
 * @since 0.1.0
 * @category models
 */
export const pollSchedule: Schedule.Schedule<unknown, Execution> = Schedule.exponential("2 seconds", 1.5).pipe(
  Schedule.modifyDelay((_, delay) => Duration.min(delay, Duration.seconds(15)))
)
