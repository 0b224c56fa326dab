/** Tests uploads with the `fetch` of Deno, Cloudflare Workers and browsers. */
import { createHash } from "node:crypto"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Stream, TestClock } from "effect"
import { File, RetryPolicy } from "effect-modelroute"
import { Simulator } from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { silent } from "../utils/harness.js"
import { layerRuntime, runtimeNames } from "../utils/runtimes.js"
import { makeClientAt } from "../utils/transports.js"

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const bytesOf = (size: number) => Uint8Array.from({ length: size }, (_, n) => (n * 31 + (n >> 8)) & 255)

const layerSimulator = SimulatorServer.layer({ rateLimit: false })
const layerOf = (name: string) => Layer.merge(layerRuntime(name), layerSimulator)

const makeClient = Effect.flatMap(SimulatorServer.SimulatorServer, ({ url }) => makeClientAt(url))

for (const name of runtimeNames) {
  describe(`files.upload over the fetch of ${name}`, () => {
    for (const size of [0, 2_000_001]) {
      it.live(`uploads ${size} bytes with their Content-Length`, () =>
        Effect.gen(function* () {
          const { files } = yield* makeClient
          const simulator = yield* Simulator
          const bytes = bytesOf(size)
          const { stream } = File.fromBytes(bytes)
          const fileId = yield* files.upload(File.fromStream(stream, { size }))
          assert.strictEqual(sha256(Option.getOrThrow(yield* simulator.fileBytes(fileId))), sha256(bytes))
          const puts = (yield* simulator.requests).filter(({ operation }) => operation === "storage.put")
          assert.lengthOf(puts, 1)
          assert.strictEqual(puts[0]?.headers["content-length"], String(size))
          assert.isUndefined(puts[0]?.headers["transfer-encoding"])
        }).pipe(silent, Effect.provide(layerOf(name)))
      )
    }

    it.live("fails with InvalidRequest if the source has more or fewer bytes than declared", () =>
      Effect.gen(function* () {
        const { files } = yield* makeClient
        const { stream } = File.fromBytes(bytesOf(200_000))
        for (const size of [199_999, 200_001]) {
          const error = yield* Effect.flip(files.upload(File.fromStream(stream, { size })))
          assert.strictEqual(error._tag === "InvalidRequest" && error.field, "source")
        }
        const stored = yield* (yield* Simulator).files
        assert.deepStrictEqual(
          stored.map(({ size }) => size),
          [undefined, undefined]
        )
      }).pipe(silent, Effect.provide(layerOf(name)))
    )

    it.live("stops the source when the upload is interrupted", () =>
      Effect.gen(function* () {
        const { files } = yield* makeClient
        const started = yield* Deferred.make<void>()
        const stopped = yield* Deferred.make<void>()
        const stream = Stream.make(new Uint8Array(100)).pipe(
          Stream.concat(Stream.execute(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))),
          Stream.ensuring(Deferred.succeed(stopped, undefined))
        )
        const fiber = yield* Effect.fork(files.upload(File.fromStream(stream, { size: 1000 })))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(stopped)
      }).pipe(silent, Effect.provide(layerOf(name)))
    )
  })
}

describe("files.upload from memory", () => {
  it.scoped("has 1 second per 64,000 bytes in addition to the attempt timeout", () =>
    Effect.gen(function* () {
      const sent = yield* Deferred.make<void>()
      const link = { file_id: "file_1", upload_url: "https://storage.example/put" }
      const fetch: typeof globalThis.fetch = async (_, init) => {
        if (init?.method === "POST") return Response.json(link)
        Deferred.unsafeDone(sent, Effect.void)
        return new Promise(() => {})
      }
      yield* Layer.build(layerRuntime("Deno"))
      const http = Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch))
      const { files } = yield* makeClientAt("https://api.example", { retry: RetryPolicy.none }).pipe(
        Effect.provide(http)
      )
      const fiber = yield* Effect.fork(Effect.flip(files.upload(File.fromBytes(new Uint8Array(640_000)))))
      yield* Deferred.await(sent)
      yield* TestClock.adjust("39999 millis")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "TransportError" && error.reason, "timeout")
    }).pipe(silent)
  )
})
