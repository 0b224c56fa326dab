/**
 * Interrupts calls over real sockets at random moments, and runs calls for an hour of virtual time. Nothing may be left
 * afterwards. `npm run bench:leaks` interrupts more calls.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { File, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { findLeaks, heapGrowth, interruptCalls, type TransportName, transports } from "../utils/leaks.js"
import { apiKey } from "../utils/harness.js"
import { soak } from "../utils/soak.js"
import { isFull } from "../utils/suite.js"

const callsPerTransport = 1000
/** Maximum growth of the heap. A leak of one fiber per call would use several megabytes. */
const maxGrowthBytes = 4_000_000

const isTransport = (name: string): name is TransportName => name in transports

/** Accepts the upload. Converts the body of the storage request like `fetch`, but never reads or closes the body. */
const unreadBody = HttpClient.make((request) => {
  if (request.body._tag === "Stream")
    return Effect.zipRight(Stream.toReadableStreamEffect(request.body.stream), Effect.never)
  const link = { file_id: "file_1", upload_url: "https://storage.example/put" }
  return Effect.sync(() => HttpClientResponse.fromWeb(request, Response.json(link)))
})

describe("an interrupted upload", () => {
  it.live("leaves no fiber if the transport never reads the body", () =>
    Effect.gen(function* () {
      const { files } = yield* ModelRouteClient.make({ apiKey: Redacted.make(apiKey) })
      const before = (yield* Fiber.roots).length
      const source = File.fromStream(Stream.make(new Uint8Array(10), new Uint8Array(10)), { size: 20 })
      const fiber = yield* Effect.forkDaemon(files.upload(source))
      // The body has a fiber of its own when the storage request waits.
      yield* Effect.map(Fiber.roots, (roots) => roots.length).pipe(
        Effect.delay(5),
        Effect.repeat({ until: (count) => count >= before + 2, times: 400 })
      )
      yield* Effect.sleep(20)
      yield* Fiber.interrupt(fiber)
      const after = yield* Effect.map(Fiber.roots, (roots) => roots.length).pipe(
        Effect.delay(5),
        Effect.repeat({ until: (count) => count <= before, times: 400 })
      )
      assert.isAtMost(after, before)
    }).pipe(Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, unreadBody), IdempotencyKey.layer)))
  )
})

describe.runIf(isFull)("interruptions at random moments", () => {
  for (const transport of Object.keys(transports).filter(isTransport)) {
    it.live(`of calls over ${transport} leave no permit, fiber, timer, listener or socket`, () => {
      const options = { transport, seed: 1, until: { calls: callsPerTransport }, concurrency: 20 }
      return Effect.map(interruptCalls(options), (report) => {
        assert.deepStrictEqual(findLeaks(report, options), [])
        assert.isBelow(heapGrowth(report), maxGrowthBytes)
        assert.isAtLeast(report.interrupted, callsPerTransport / 4)
        assert.isAtLeast(report.requests, callsPerTransport / 4)
        assert.strictEqual(report.operations.size, 8)
      })
    })
  }
})

describe.runIf(isFull)("an hour of virtual time", () => {
  it.live("with waits, rate limits, faults and interruptions leaves no permit, fiber or timer", () =>
    Effect.map(soak(60, 1), ({ calls, defects, fibersLeft, interrupted, permitsLeft, requests, virtualMillis }) => {
      assert.deepStrictEqual({ defects, fibersLeft, permitsLeft }, { defects: [], fibersLeft: 0, permitsLeft: 0 })
      assert.isAtLeast(virtualMillis, 3_600_000)
      assert.isAtLeast(calls, 1000)
      assert.isAtLeast(interrupted, 100)
      assert.isAtLeast(requests, 2 * calls)
    })
  )
})
