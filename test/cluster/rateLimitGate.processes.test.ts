/** Tests the gate of a cluster with processes, sockets and PostgreSQL. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { ownerOf, startJob, startWorkers, waitUntil } from "../utils/limitProcesses.js"
import { database, isSkipped, suiteName } from "../utils/postgres.js"
import { isFull } from "../utils/suite.js"

describe.skipIf(isSkipped || !isFull)(`ClusterRateLimitGate on ${suiteName}`, () => {
  it.scopedLive(
    "shares the limit between processes, even after the owner is killed",
    () =>
      Effect.gen(function* () {
        const shared = yield* startJob(
          { name: "shared", gate: "cluster", concurrency: 20 },
          { limit: 20, windowMillis: 2000, kind: "fixed" }
        )
        const workers = yield* startWorkers({
          databaseUrl: yield* database,
          isTuned: true,
          jobs: [shared.job],
          workers: 3,
          clientOnly: 1
        })
        const owner = yield* ownerOf(workers, "shared")
        yield* Effect.forEach(workers, ({ send }) => send("go"))
        const countAccepted = (from: number) =>
          Effect.map(shared.requests, (all) => all.filter(({ at, outcome }) => at >= from && outcome !== 429).length)
        yield* waitUntil(Effect.map(countAccepted(0), (accepted) => accepted >= 60))
        // A process that is starved of CPU time for 5 seconds uses its own gate, which can cause a 429.
        const isStarved = workers.some(({ log }) => log().includes("has not replied"))
        const rejected = (yield* shared.requests).filter(({ outcome }) => outcome === 429).length
        if (!isStarved) assert.strictEqual(rejected, 0)
        yield* owner.kill
        yield* owner.exited
        const killedAt = yield* Clock.currentTimeMillis
        const next = yield* ownerOf(
          workers.filter((worker) => worker !== owner),
          "shared"
        )
        assert.notStrictEqual(next, owner)
        const ownedAt = yield* Clock.currentTimeMillis
        assert.isAtLeast(ownedAt, killedAt)
        yield* waitUntil(Effect.map(countAccepted(ownedAt), (accepted) => accepted >= 60))
      }),
    { timeout: 300_000 }
  )
})
