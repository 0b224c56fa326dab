/** Tests durable executions on the cluster engine with one runner and a storage in memory. */
import { ClusterError, MessageStorage } from "@effect/cluster"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Simulator } from "effect-modelroute/Simulator"
import { ledger, receiveEvents, stateOf, until, withWebhook } from "../utils/durable.js"
import { layer } from "../utils/durableMemoryCluster.js"
import { image, silent } from "../utils/harness.js"

/** Provides a storage whose reads fail for a time, as those of a database that restarts. */
const makeUnreadable = () => {
  let until = 0
  const failing = <A>(read: Effect.Effect<A, ClusterError.PersistenceError>) =>
    Effect.clockWith((clock) =>
      clock.unsafeCurrentTimeMillis() < until
        ? Effect.fail(new ClusterError.PersistenceError({ cause: "the database is not available" }))
        : read
    )
  return {
    failFor: (millis: number) =>
      Effect.clockWith((clock) => Effect.sync(() => void (until = clock.unsafeCurrentTimeMillis() + millis))),
    failing
  }
}

const isSuspension = Schema.is(
  Schema.Struct({
    exit: Schema.Struct({
      _tag: Schema.Literal("Success"),
      value: Schema.Struct({ _tag: Schema.Literal("Suspended") })
    })
  })
)

const slow = { duration: "4 minutes", cost: "0.010", output: "image" } as const

const fast = { models: { "flux-1.1-pro": { duration: "1 second", cost: "0.010", output: "image" } } } as const

describe("DurableExecution on the cluster engine", { concurrent: true }, () => {
  it.live("continues a workflow after failed reads of the storage", () => {
    const { failFor, failing } = makeUnreadable()
    return Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      const { status } = yield* DurableExecution.await("order-7")
      assert.strictEqual(status, "COMPLETED")
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe(
      Effect.provide(
        layer({
          simulator: {
            ...fast,
            // The reads fail when the workflow continues after the submission.
            onRequest: ({ operation }) => (operation === "executions.create" ? failFor(4000) : Effect.void)
          },
          wrapStorage: ({ repliesForUnfiltered, requestIdForPrimaryKey }) => ({
            repliesForUnfiltered: (ids) => failing(repliesForUnfiltered(ids)),
            requestIdForPrimaryKey: (key) => failing(requestIdForPrimaryKey(key))
          })
        })
      ),
      silent
    )
  })

  it.live("suspends the workflow once after a rejected submission, and once until the end of the execution", () => {
    let suspensions = 0
    return Effect.gen(function* () {
      yield* receiveEvents
      yield* DurableExecution.start("order-7", withWebhook)
      yield* until(Effect.map(stateOf("order-7"), (state) => state === "Suspended"))
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("1.00"))
      yield* DurableExecution.resume("order-7")
      yield* DurableExecution.await("order-7")
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
      assert.strictEqual(suspensions, 2)
    }).pipe(
      Effect.provide(
        layer({
          simulator: { ...fast, balance: "0.00" },
          durable: { baseDelay: "1 hour", maxDelay: "1 hour" },
          // The engine stores a reply after each run.
          wrapStorage: ({ saveReply }) => ({
            saveReply: (reply) =>
              Effect.suspend(() => {
                if (isSuspension(reply)) suspensions += 1
                return saveReply(reply)
              })
          })
        })
      ),
      silent
    )
  })

  it.live("cancels an execution that is started after the call of cancel", () =>
    Effect.gen(function* () {
      yield* DurableExecution.cancel("order-7")
      yield* DurableExecution.start("order-7", image)
      const failure = yield* Effect.flip(DurableExecution.await("order-7"))
      assert.strictEqual(failure._tag, "DurableExecutionCancelled")
      assert.deepStrictEqual(yield* ledger, { statuses: ["CANCELLED"], keys: 1 })
    }).pipe(Effect.provide(layer({ simulator: { models: { "flux-1.1-pro": slow } } })), silent)
  )

  it.live("removes the DurableClock of a cancelled execution", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* until(Effect.map(stateOf("order-7"), (state) => state === "Suspended"))
      yield* DurableExecution.cancel("order-7")
      const failure = yield* Effect.flip(DurableExecution.await("order-7"))
      assert.strictEqual(failure._tag, "DurableExecutionCancelled")
      assert.deepStrictEqual((yield* ledger).statuses, ["CANCELLED"])
      const { journal } = yield* MessageStorage.MemoryDriver
      assert.notInclude(
        journal.map(({ address }) => address.entityType),
        "Workflow/-/DurableClock"
      )
    }).pipe(
      Effect.provide(layer({ simulator: { models: { "flux-1.1-pro": slow } }, durable: { baseDelay: "1 hour" } })),
      silent
    )
  )
})
