/** The arguments and the output lines of the worker process of the tests of durable executions. */
import * as Schema from "effect/Schema"

/** The engine of a worker. */
export const Engine = Schema.Union(
  Schema.TaggedStruct("Postgres", {
    url: Schema.String,
    port: Schema.Int,
    settings: Schema.Literal("default", "detection", "tuned")
  }),
  Schema.TaggedStruct("Sqlite", {
    path: Schema.String,
    /** Port of the webhook receiver. */
    hooksPort: Schema.Int,
    secret: Schema.String,
    /** Number of durable executions that the worker starts. */
    workflows: Schema.Int
  })
)
export type Engine = typeof Engine.Type

/** The arguments of a worker. Durations are in milliseconds. */
export const WorkerArguments = Schema.Struct({
  engine: Engine,
  apiUrl: Schema.String,
  baseDelay: Schema.Number,
  maxDelay: Schema.Number
})
export type WorkerArguments = typeof WorkerArguments.Type

export const WorkerArgumentsText = Schema.parseJson(WorkerArguments)

/** One line of the output of a worker. */
export const WorkerLine = Schema.Union(
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Usage", { cpuMillis: Schema.Number, heapBytes: Schema.Number, rssBytes: Schema.Number }),
  Schema.TaggedStruct("Ended", { id: Schema.String, outcome: Schema.String })
)
export type WorkerLine = typeof WorkerLine.Type

export const WorkerLineText = Schema.parseJson(WorkerLine)
