/**
 * Measures the CPU time of a batch item with the journal in memory. Without a batch, the same calls run with
 * `executions.run` and the same concurrency.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import { Effect, Layer, Logger, LogLevel, ManagedRuntime, Schedule, Stream } from "effect"
import { Batch, type Execution, ModelRouteClient } from "effect-modelroute"
import { createRequest, makeModelRoute } from "./contestants.js"
import { type Group, toDifference } from "./figure.js"
import { type Contestant, type Load, measureLoads } from "./measure.js"
import { makeMemoryApi } from "./memoryApi.js"

const run = "executions.run"
const batch = "Batch.run"
const item = "Batch.run without executions.run"

const runtime = ManagedRuntime.make(
  Layer.mergeAll(
    Layer.effect(ModelRouteClient.ModelRouteClient, makeModelRoute("https://api.example.com")),
    Batch.layerJournalMemory
  ).pipe(
    Layer.provide(Layer.succeed(HttpClient.HttpClient, makeMemoryApi(() => true).client)),
    Layer.provideMerge(Logger.minimumLogLevel(LogLevel.Warning))
  )
)

/** The first poll returns the completed execution. */
const waitOptions = { pollSchedule: Schedule.spaced("1 millis") }

/** Every request is different, as in most batches. */
const toRequest = (n: number): Execution.CreateRequest => ({
  ...createRequest,
  input: { ...createRequest.input, seed: n }
})

const numbersBelow = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)

const runContestant: Contestant = {
  name: run,
  run: (calls, concurrency) =>
    runtime.runPromise(
      Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) =>
        Effect.forEach(numbersBelow(calls), (n) => executions.run(toRequest(n), waitOptions), {
          concurrency,
          discard: true
        })
      )
    )
}

/** Each sample is a new batch. Its journal is removed, so the memory does not grow. */
const batchContestant: Contestant = {
  name: batch,
  run: (calls, concurrency) =>
    runtime.runPromise(
      Effect.zipRight(
        Batch.run(numbersBelow(calls), {
          id: "bench",
          key: String,
          request: toRequest,
          concurrency,
          wait: waitOptions
        }).pipe(Stream.runDrain),
        Effect.flatMap(Batch.Journal, (journal) => journal.remove("bench"))
      )
    )
}

export const batchItems: Group = {
  name: "batchItems",
  measure: async (rounds) => {
    const load: Load = {
      name: "batch item, 50 concurrent",
      contestants: [runContestant, batchContestant],
      calls: 500,
      samples: 3,
      concurrency: 50,
      metrics: ["CPU"]
    }
    const figures = await measureLoads([load], rounds)
    return [...figures, ...toDifference(figures, { contestant: item, minuend: batch, subtrahend: run })]
  },
  ratios: [batch, item].map((contestant) => ({ contestant, peer: run }))
}
