/** Tests the gate of a process whose calls to the owner are disturbed, on the test clock. */
import * as Entity from "@effect/cluster/Entity"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import type { RateLimitGate } from "effect-modelroute"
import { makeClusterGate } from "../../src/internal/cluster/rateLimit/clusterGate.js"
import { layerEntity } from "../../src/internal/cluster/rateLimit/owner.js"
import type { OwnerCalls } from "../../src/internal/cluster/rateLimit/ownerCalls.js"
import { GateEntity } from "../../src/internal/cluster/rateLimit/protocol.js"
import { fixedWindow } from "../../src/internal/simulator/http/rateLimiter.js"
import { sendUntilAccepted } from "../utils/gateRequests.js"
import { silent, start } from "../utils/harness.js"
import { LimitedServer } from "../utils/limitedServer.js"

/** Starts an owner. Returns the calls to the owner. */
const startOwner = Effect.gen(function* () {
  const makeClient = yield* Effect.provide(Entity.makeTestClient(GateEntity, layerEntity), ShardingConfig.layer())
  const client = yield* makeClient("gate")
  const calls: OwnerCalls = {
    acquire: (payload) => client.acquire(payload),
    poll: (payload) => client.poll(payload),
    report: (payload) => client.report(payload)
  }
  return calls
})

/** Returns a server with fixed windows of 10 seconds, which begin at `start`. */
const makeServer = (limit: number) =>
  new LimitedServer({ limiter: fixedWindow(limit, 10_000), hasDate: false, latency: { min: 50, max: 50 } })

/** Returns the seconds after `start` at which the requests were sent. */
const sentAt = (server: LimitedServer) => server.handled.map((request) => (request.sentAt - start) / 1000)

const counts = (gate: RateLimitGate.Service) =>
  Effect.map(gate.snapshot, ({ inFlight, waiting }) => ({ inFlight, waiting }))

describe("ClusterGate with disturbed calls to its owner", () => {
  it.effect("releases a request that a repeated call queues again after its end", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const owner = yield* startOwner
      let isLost = false
      const gate = yield* makeClusterGate({
        ...owner,
        acquire: (payload) =>
          Effect.suspend(() => {
            if (!isLost) return owner.acquire(payload)
            isLost = false
            return Effect.zipRight(owner.acquire(payload), Effect.fail("lost"))
          })
      })
      const server = makeServer(2)
      const send = Effect.fork(sendUntilAccepted(gate.admission, server))
      yield* Effect.replicateEffect(send, 2)
      yield* TestClock.adjust("5 seconds")
      yield* send
      yield* TestClock.adjust("4900 millis")
      isLost = true
      yield* send
      yield* TestClock.adjust("2 seconds")
      yield* Effect.replicateEffect(send, 4)
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(sentAt(server), [0, 0.05, 10, 10.05, 20, 20.05, 30, 30.05])
      assert.deepStrictEqual(yield* counts(gate), { inFlight: 0, waiting: 0 })
    }).pipe(Effect.scoped, silent)
  )

  it.effect("removes the moved requests from the queue if a reply of an earlier owner arrives late", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const earlier = yield* startOwner
      const later = yield* startOwner
      let owner = earlier
      const gate = yield* makeClusterGate({
        acquire: (payload) => Effect.suspend(() => owner.acquire(payload)),
        poll: (payload) => Effect.suspend(() => owner.poll(payload)),
        report: (payload) => Effect.suspend(() => owner.report(payload))
      })
      const server = makeServer(1)
      yield* Effect.fork(sendUntilAccepted(gate.admission, server))
      yield* TestClock.adjust("1 second")
      yield* Effect.fork(sendUntilAccepted(gate.admission, server))
      yield* TestClock.adjust("1 millis")
      // The earlier owner holds the poll until 2 s.
      owner = later
      yield* Effect.fork(sendUntilAccepted(gate.admission, server))
      yield* TestClock.adjust("4 seconds")
      yield* Effect.fork(sendUntilAccepted(gate.admission, server))
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(sentAt(server), [0, 1.001, 10, 20, 30])
      assert.deepStrictEqual(yield* counts(gate), { inFlight: 0, waiting: 0 })
    }).pipe(Effect.scoped, silent)
  )
})
