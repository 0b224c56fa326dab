/** The arguments and the output lines of the worker process of the tests of the shared rate limit. */
import * as Schema from "effect/Schema"

/** Requests that all workers send concurrently to one simulator with one API key. */
export const Job = Schema.Struct({
  name: Schema.String,
  apiUrl: Schema.String,
  /** Gate of the requests. `local` creates a gate in each worker. */
  gate: Schema.Literal("local", "cluster"),
  /** Number of concurrent requests per worker. */
  concurrency: Schema.Int
})
export type Job = typeof Job.Type

export const LimitArguments = Schema.Struct({
  databaseUrl: Schema.String,
  port: Schema.Int,
  /** `false` uses the default settings of the cluster. */
  isTuned: Schema.Boolean,
  isClientOnly: Schema.Boolean,
  jobs: Schema.Array(Job)
})
export type LimitArguments = typeof LimitArguments.Type

export const LimitArgumentsText = Schema.parseJson(LimitArguments)

/** One line of the output of a worker. */
export const LimitLine = Schema.Union(
  Schema.TaggedStruct("Ready", {}),
  /** Names of the jobs whose gate is in this worker. */
  Schema.TaggedStruct("Owned", { jobs: Schema.Array(Schema.String) }),
  /** Time per request without a server, in microseconds. */
  Schema.TaggedStruct("Cost", { local: Schema.Number, cluster: Schema.Number })
)
export type LimitLine = typeof LimitLine.Type

export const LimitLineText = Schema.parseJson(LimitLine)
