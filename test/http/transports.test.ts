/** Tests the client over real sockets with `fetch`, undici and `node:http`. */
import { assert } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { Execution, File, type ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { apiKey, image } from "../utils/harness.js"
import { serve } from "../utils/server.js"
import { makeClientAt, overEachTransport } from "../utils/transports.js"

const pollSchedule = Schedule.spaced("1 millis")
const quick = { quick: { duration: "5 millis", cost: "0.040", output: "image", result: "embedded" } } as const
const small = { model: "quick", input: { ...image.input, width: 256, height: 256 } }
const id = Execution.ExecutionId.make("exec_1")
const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

const collect = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.map(Stream.runCollect(stream), (chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)))

overEachTransport((test) => {
  /**
   * Starts a simulator on a port and returns its client. The links of the simulator point to a server that records
   * request headers.
   */
  const makeOnPort = (options: SimulatorServer.Options, client: Partial<ModelRouteClient.Options> = {}) =>
    Effect.gen(function* () {
      const stored = { size: 64 * 1024 }
      const storage = yield* serve((response) => {
        response.setHeader("content-type", "image/png")
        response.end(Buffer.concat([Buffer.from(png), Buffer.alloc(stored.size - png.length)]))
      })
      const context = yield* Layer.build(
        SimulatorServer.layer({ rateLimit: false, models: quick, storageOrigin: storage.url, ...options })
      )
      const { url } = yield* Effect.provide(SimulatorServer.SimulatorServer, context)
      const simulator = yield* Effect.provide(Simulator, context)
      return { client: yield* makeClientAt(url, client), simulator, storage, stored }
    })

  test.full(
    "does not exceed the rate limit with more concurrent requests than the limit",
    Effect.gen(function* () {
      const limit = 40
      const { client, simulator } = yield* makeOnPort({ rateLimit: { limit, window: "1 second" } })
      yield* Effect.forEach(Array.from({ length: 3 * limit }), () => client.executions.create(small), {
        concurrency: "unbounded",
        discard: true
      })
      const requests = yield* simulator.requests
      assert.deepStrictEqual(new Set(requests.map(({ outcome }) => outcome)), new Set([202]))
      const windows = requests.map(({ at }) => Math.floor(at / 1000))
      assert.isAtLeast(new Set(windows).size, 3)
      assert.lengthOf((yield* simulator.ledger).executions, 3 * limit)
    })
  )

  test(
    "creates only one execution despite lost, rejected and truncated responses",
    Effect.gen(function* () {
      const faults = [Fault.dropAfter, Fault.apiError("MODEL_OVERLOADED"), Fault.cutBody()]
      const { client, simulator } = yield* makeOnPort({
        faults: faults.map((fault) => Fault.on("executions.create", fault)),
        storageOrigin: undefined
      })
      yield* simulator.inject(
        Fault.on("executions.get", Fault.dropBefore),
        Fault.on("files.download", Fault.badGateway)
      )
      const completed = yield* client.executions.run(small, { pollSchedule })
      const [file] = completed.fileIds
      const bytes = yield* collect(client.files.download(file ?? File.FileId.make("file_none")))
      assert.deepStrictEqual([...bytes.subarray(0, 8)], png)
      assert.deepStrictEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [256, 256])
      const { charged, executions } = yield* simulator.ledger
      assert.deepStrictEqual(
        executions.map(({ executionId }) => executionId),
        [completed.id]
      )
      assert.strictEqual(charged, "0.040")
      const creates = (yield* simulator.requests).filter(({ operation }) => operation === "executions.create")
      assert.lengthOf(new Set(creates.map(({ body }) => Buffer.from(body).toString("hex"))), 1)
      assert.deepStrictEqual(
        creates.map(({ idempotencyKey, outcome }) => [idempotencyKey, outcome]),
        [
          ["key-1", "dropped"],
          ["key-1", 503],
          ["key-1", "cut"],
          ["key-1", 202]
        ]
      )
    })
  )

  for (const download of ["json", "bytes", "redirect"] as const) {
    test(
      `does not send the API key or trace headers to storage: option download ${download}`,
      Effect.gen(function* () {
        const { client, simulator, storage, stored } = yield* makeOnPort({ download }, { propagateTraceContext: true })
        const { fileIds } = yield* client.executions.run(small, { pollSchedule })
        const file = fileIds[0] ?? File.FileId.make("file_none")
        stored.size = (yield* client.files.url(file)).size ?? 0
        const bytes = yield* collect(client.files.download(file)).pipe(Effect.withSpan("caller"))
        assert.deepStrictEqual([...bytes.subarray(0, 8)], png)
        const asked = (yield* simulator.requests).filter(({ operation }) => operation === "files.download")
        assert.lengthOf(asked, 1)
        assert.strictEqual(asked[0]?.headers["authorization"], "Bearer <redacted>")
        assert.isDefined(asked[0]?.headers["traceparent"])
        assert.lengthOf(storage.received, download === "bytes" ? 0 : 1)
        for (const { headers, url } of storage.received) {
          assert.include(url, "X-Amz-Signature=")
          assert.notInclude(JSON.stringify(headers), apiKey)
          for (const private_ of ["authorization", "traceparent", "b3", "idempotency-key"]) {
            assert.notProperty(headers, private_)
          }
        }
      })
    )
  }

  test(
    "distinguishes between a failed connection, a broken connection and a timeout",
    Effect.gen(function* () {
      const closed = yield* Effect.scoped(serve(() => {}))
      const unconnected = yield* Effect.flip((yield* makeClientAt(closed.url)).request("POST", "/x", {}))
      assert.strictEqual(unconnected._tag === "TransportError" && unconnected.reason, "connect")
      // Even a POST request without a key is retried because the request was not sent.
      assert.strictEqual(unconnected.attempts, 4)
      assert.include(unconnected.message, "ECONNREFUSED")

      const broken = yield* serve((_, request) => request.socket.resetAndDestroy())
      const reset = yield* Effect.flip((yield* makeClientAt(broken.url)).executions.get(id))
      assert.strictEqual(reset._tag === "TransportError" && reset.reason, "reset")
      assert.lengthOf(broken.received, 4)

      const silentServer = yield* serve(() => {})
      const impatient = yield* makeClientAt(silentServer.url, { attemptTimeout: "50 millis" })
      const late = yield* Effect.flip(impatient.executions.get(id))
      assert.strictEqual(late._tag === "TransportError" && late.reason, "timeout")
      assert.strictEqual(late.attempts, 4)
    })
  )

  test(
    "fails with TransportError if a response body is truncated",
    Effect.gen(function* () {
      const cut = yield* serve((response) => {
        response.writeHead(200, { "content-length": "100", "content-type": "application/json" })
        response.write('{"id":"exec_1"')
        response.flushHeaders()
        response.socket?.destroySoon()
      })
      const truncated = yield* Effect.flip((yield* makeClientAt(cut.url)).executions.get(id))
      assert.strictEqual(truncated._tag === "TransportError" && truncated.reason, "truncated")
      assert.lengthOf(cut.received, 4)

      const garbled = yield* serve((response) => {
        response.writeHead(200, { "content-encoding": "gzip", "content-type": "application/json" })
        response.end("not gzip at all")
      })
      const unreadable = yield* Effect.flip((yield* makeClientAt(garbled.url)).executions.get(id))
      assert.include(["TransportError", "UnexpectedResponse"], unreadable._tag)
    })
  )

  test(
    "reads at most 1 MiB of a 50 MB error response",
    Effect.gen(function* () {
      let written = 0
      const chunk = Buffer.alloc(64 * 1024, "x")
      const large = yield* serve((response) => {
        response.writeHead(500, { "content-type": "text/plain" })
        const more = (): void => {
          while (written < 50_000_000) {
            written += chunk.length
            if (!response.write(chunk)) return void response.once("drain", more)
          }
          response.end()
        }
        more()
      })
      const client = yield* makeClientAt(large.url, { retry: RetryPolicy.none })
      globalThis.gc?.()
      const before = process.memoryUsage()
      const error = yield* Effect.flip(client.executions.get(id))
      const after = process.memoryUsage()
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.body.length, 2048)
      // The bound includes the buffers of the sockets on both sides.
      assert.isBelow(written, 16_000_000)
      assert.isBelow(after.arrayBuffers - before.arrayBuffers, 16_000_000)
    })
  )

  test(
    "closes the socket immediately after an interruption",
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const server = yield* serve((response) => {
        response.on("close", () => Deferred.unsafeDone(closed, Effect.void))
        Deferred.unsafeDone(arrived, Effect.void)
      })
      const fiber = yield* Effect.fork((yield* makeClientAt(server.url)).executions.create(small))
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(closed)
      assert.lengthOf(server.received, 1)
    })
  )
})
