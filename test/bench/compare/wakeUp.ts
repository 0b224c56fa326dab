/**
 * Measures the CPU time of one wake-up of a wait for an execution, without the call. A wake-up is the end of the delay,
 * the start of the poll and the start of the next delay. The group compares a wake-up with a fiber that sleeps in a
 * loop.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import { Effect, Layer, Logger, LogLevel, ManagedRuntime, Schedule } from "effect"
import { Execution } from "effect-modelroute"
import { makeModelRoute } from "./contestants.js"
import { type Group, toDifference } from "./figure.js"
import { type Contestant, type Load, measureLoads } from "./measure.js"
import { makeMemoryApi } from "./memoryApi.js"

const sleep = "Effect.sleep"
const get = "executions.get"
const awaitPoll = "executions.await"
const wakeUp = "executions.await without executions.get"

/** The number of polls of each wait. */
const pollsPerWait = 10

const delay = "5 millis"

const counts = new Map<string, number>()

/** Counts the polls of an execution. Returns `true` for the last poll. */
const isLastPoll = (id: string): boolean => {
  const count = (counts.get(id) ?? 0) + 1
  counts.set(id, count)
  return count % pollsPerWait === 0
}

/** The calls have no spans, because only `executions.get` has a span for each request. */
const runtime = ManagedRuntime.make(
  Layer.mergeAll(
    Layer.succeed(HttpClient.HttpClient, makeMemoryApi(isLastPoll).client),
    Layer.setTracerEnabled(false),
    Logger.minimumLogLevel(LogLevel.Warning)
  )
)

/** Runs `concurrency` fibers. Each fiber makes `pollsPerWait` calls. */
const contestant = (name: string, run: (id: Execution.ExecutionId) => Effect.Effect<unknown, unknown>): Contestant => ({
  name,
  run: (calls, concurrency) =>
    runtime.runPromise(
      Effect.forEach(
        Array.from({ length: calls / pollsPerWait }, (_, n) => Execution.ExecutionId.make(`exec_${n}`)),
        (id) => Effect.suspend(() => run(id)),
        { concurrency, discard: true }
      )
    )
})

const repeat = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<void, E> =>
  Effect.asVoid(Effect.repeatN(effect, pollsPerWait - 1))

export const wakeUps: Group = {
  name: "wakeUps",
  measure: async (rounds) => {
    const { executions } = await runtime.runPromise(makeModelRoute("https://api.example.com"))
    const load: Load = {
      name: "wake-up of a wait, 200 concurrent",
      contestants: [
        contestant(sleep, () => repeat(Effect.sleep(delay))),
        contestant(get, (id) => repeat(executions.get(id))),
        contestant(awaitPoll, (id) => executions.await(id, { pollSchedule: Schedule.spaced(delay) }))
      ],
      calls: 2000,
      samples: 2,
      concurrency: 200,
      metrics: ["CPU"]
    }
    const figures = await measureLoads([load], rounds)
    return [...figures, ...toDifference(figures, { contestant: wakeUp, minuend: awaitPoll, subtrahend: get })]
  },
  ratios: [wakeUp, awaitPoll].map((contestant) => ({ contestant, peer: sleep }))
}
