/**
 * Delivers the event of each durable execution at a different moment around the suspension of its workflow. The event
 * must resume the workflow, because the clock ends a wait much later.
 */
import type { ClusterError, MessageStorage } from "@effect/cluster"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Schema, TestClock } from "effect"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Simulator } from "effect-modelroute/Simulator"
import { secondsOf, simulate, until } from "../utils/durable.js"
import { layer } from "../utils/durableMemoryCluster.js"
import { completedEventOf } from "../utils/durableWorkload.js"
import { image, silent } from "../utils/harness.js"
import { numRuns } from "../utils/suite.js"

const workflows = numRuns(40, 1000)

const ids = Array.from({ length: workflows }, (_, index) => `order-${index}`)

/** Each execution is COMPLETED when the API accepts it. */
const simulator = { models: { "flux-1.1-pro": { duration: 0, cost: "0.001", output: "image" } } } as const

const deliverEvent = (workflowId: string) => DurableExecution.onEvent(completedEventOf(workflowId))

const workflowIdOf = (body: Uint8Array): string =>
  Schema.decodeUnknownSync(CreateBody)(new TextDecoder().decode(body)).metadata.durable_execution

const CreateBody = Schema.parseJson(Schema.Struct({ metadata: Schema.Struct({ durable_execution: Schema.String }) }))

/** Numbers of events that arrived before and after the suspension. */
interface Counts {
  events: number
  running: number
  suspended: number
}

/** Delivers an event up to 600 ms after the submission. Every tenth event waits for the suspension. */
const deliverLater = (workflowId: string, counts: Counts) =>
  Effect.gen(function* () {
    const index = counts.events++
    const isSuspended = Effect.map(DurableExecution.workflow.poll(workflowId), (result) => result !== undefined)
    yield* index % 10 === 9 ? until(isSuspended) : Effect.sleep(Math.round((index % 60) ** 2 / 6))
    counts[(yield* isSuspended) ? "suspended" : "running"] += 1
    yield* deliverEvent(workflowId)
  })

/** Delays the operations of the storage by the latency of a database. */
const delayOperations = (storage: MessageStorage.Encoded): Partial<MessageStorage.Encoded> => {
  const delayed =
    <Input extends ReadonlyArray<unknown>, A>(
      operation: (...input: Input) => Effect.Effect<A, ClusterError.PersistenceError>
    ) =>
    (...input: Input) =>
      Effect.delay(operation(...input), 1)
  return {
    saveEnvelope: delayed(storage.saveEnvelope),
    saveReply: delayed(storage.saveReply),
    clearReplies: delayed(storage.clearReplies),
    requestIdForPrimaryKey: delayed(storage.requestIdForPrimaryKey),
    repliesForUnfiltered: delayed(storage.repliesForUnfiltered),
    unprocessedMessages: delayed(storage.unprocessedMessages)
  }
}

describe("webhook event during the suspension of its workflow", () => {
  it.effect("resumes the workflow on the memory engine before its clock fires", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(
        ids,
        (id, index) =>
          Effect.flatMap(DurableExecution.start(id, image), (workflowId) =>
            Effect.zipRight(Effect.repeatN(Effect.yieldNow(), index % 200), deliverEvent(workflowId))
          ),
        { concurrency: "unbounded", discard: true }
      )
      yield* TestClock.adjust("29999 millis")
      const times = yield* secondsOf("result")
      assert.lengthOf(times, workflows)
      assert.deepStrictEqual(new Set(times), new Set([0]))
      yield* Effect.forEach(ids, (id) => DurableExecution.await(id), { discard: true })
    }).pipe((test) => simulate(test, { simulator }))
  )

  it.live("resumes the workflow on the cluster engine before its clock fires", () => {
    const submitted = Effect.runSync(Queue.unbounded<string>())
    const states: Counts = { events: 0, running: 0, suspended: 0 }
    return Effect.gen(function* () {
      yield* submitted.take.pipe(
        Effect.flatMap((workflowId) => Effect.fork(deliverLater(workflowId, states))),
        Effect.forever,
        Effect.fork
      )
      yield* Effect.forEach(
        ids,
        (id) => Effect.zipRight(DurableExecution.start(id, image), DurableExecution.await(id)),
        { concurrency: 50, discard: true }
      )
      const { requests } = yield* Simulator
      assert.lengthOf(
        (yield* requests).filter(({ operation }) => operation === "executions.result"),
        workflows
      )
      assert.strictEqual(states.running + states.suspended, workflows)
      // Some events must arrive before the suspension, and some after it.
      assert.isAtLeast(states.running, 1)
      assert.isAtLeast(states.suspended, 1)
    }).pipe(
      Effect.provide(
        layer({
          simulator: {
            ...simulator,
            // The workflow is suspended after the response to the create request.
            onRequest: ({ body, operation }) =>
              operation === "executions.create" ? submitted.offer(workflowIdOf(body)) : Effect.void
          },
          wrapStorage: delayOperations,
          // The test would time out if a workflow waited for its clock.
          durable: { baseDelay: "1 hour", maxDelay: "1 hour" }
        })
      ),
      silent
    )
  })
})
