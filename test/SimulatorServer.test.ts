import { NodeHttpClient } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { send } from "./utils/rawApi.js"
import { transports } from "./utils/transports.js"

const { Fault } = Simulator
const body = { model: "quick", input: { prompt: "a lighthouse", width: 256, height: 256 } }
const defaultOptions: SimulatorServer.Options = {
  rateLimit: false,
  models: { quick: { duration: 0, cost: "0.040", output: "image" } }
}

const toRequest = (method: "GET" | "POST", path: string) =>
  Effect.map(SimulatorServer.SimulatorServer, ({ url }) =>
    HttpClientRequest.make(method)(`${url}/v1${path}`).pipe(HttpClientRequest.bearerToken("k"))
  )

const create = (idempotencyKey: string) =>
  Effect.flatMap(toRequest("POST", "/executions"), (request) =>
    request.pipe(
      HttpClientRequest.setHeader("Idempotency-Key", idempotencyKey),
      HttpClientRequest.bodyUnsafeJson(body),
      send
    )
  )

const decode = <A, I>(schema: Schema.Schema<A, I>, bytes: Uint8Array): A =>
  Schema.decodeUnknownSync(Schema.parseJson(schema))(new TextDecoder().decode(bytes))

const Executions = Schema.Struct({
  executions: Schema.Array(Schema.Struct({ id: Schema.String, result: Schema.Struct({ file_id: Schema.String }) }))
})
const DownloadUrl = Schema.Struct({ url: Schema.String, size_bytes: Schema.Number })

for (const [name, client] of Object.entries(transports)) {
  describe(`SimulatorServer with ${name}`, () => {
    const test = <E>(
      title: string,
      options: SimulatorServer.Options,
      effect: Effect.Effect<void, E, HttpClient.HttpClient | Simulator.Simulator | SimulatorServer.SimulatorServer>
    ) =>
      it.scopedLive(title, () =>
        effect.pipe(Effect.provide(Layer.merge(client, SimulatorServer.layer({ ...defaultOptions, ...options }))))
      )

    test(
      "serves the output file of an execution",
      {},
      Effect.gen(function* () {
        const created = yield* create("key")
        assert.strictEqual(created.status, 202)
        assert.match(String(created.headers["date"]), /GMT$/)
        const [execution] = decode(Executions, (yield* send(yield* toRequest("GET", "/executions"))).bytes).executions
        const response = yield* send(yield* toRequest("GET", `/files/${execution?.result.file_id}/download`))
        const download = decode(DownloadUrl, response.bytes)
        const { url } = yield* SimulatorServer.SimulatorServer
        assert.isTrue(download.url.startsWith(`${url}/storage/files/`))
        const file = yield* send(HttpClientRequest.get(download.url))
        assert.strictEqual(file.status, 200)
        assert.strictEqual(file.bytes.length, download.size_bytes)
        assert.deepStrictEqual(
          [...file.bytes.subarray(1, 4)],
          [..."PNG"].map((letter) => letter.charCodeAt(0))
        )
        const withKey = yield* send(HttpClientRequest.get(download.url).pipe(HttpClientRequest.bearerToken("k")))
        assert.strictEqual(withKey.status, 400)
      })
    )

    test(
      "accepts a request after dropped connections and truncated response bodies",
      { faults: [Fault.dropBefore, Fault.dropAfter, Fault.cutBody(), Fault.cutBody({ keep: 0 })] },
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        const executed: Array<number> = []
        const tags: Array<string> = []
        for (let n = 0; n < 4; n++) {
          const error = yield* Effect.flip(Effect.timeout(create(`key-${n}`), "3 seconds"))
          tags.push(error._tag)
          executed.push((yield* simulator.ledger).executions.length)
        }
        assert.deepStrictEqual(tags, ["RequestError", "RequestError", "ResponseError", "ResponseError"])
        assert.deepStrictEqual(executed, [0, 1, 2, 3])
        assert.strictEqual((yield* create("key-4")).status, 202)
        assert.deepStrictEqual(
          (yield* simulator.requests).map((request) => request.outcome),
          ["dropped", "dropped", "cut", "cut", 202]
        )
      })
    )

    test(
      "ends a truncated chunked response without a connection error",
      { faults: [Fault.truncateCleanly({ keep: 5 })] },
      Effect.gen(function* () {
        const { bytes, headers } = yield* create("key")
        assert.strictEqual(new TextDecoder().decode(bytes), '{"id"')
        assert.notProperty(headers, "content-length")
      })
    )

    test(
      "omits the Date header if a fault removes it",
      { faults: [Fault.withoutHeaders("date")] },
      Effect.gen(function* () {
        assert.notProperty((yield* create("key")).headers, "date")
      })
    )
  })
}

describe("SimulatorServer", () => {
  it.live("closes immediately even if connections are open", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const arrived = yield* Deferred.make<void>()
      const hang = Fault.on(({ operation }) => {
        const isCreate = operation === "executions.create"
        if (isCreate) {
          Deferred.unsafeDone(arrived, Exit.void)
        }
        return isCreate
      }, Fault.hang())
      const context = yield* Layer.buildWithScope(SimulatorServer.layer({ ...defaultOptions, faults: [hang] }), scope)
      const call = <A, E>(
        effect: Effect.Effect<A, E, HttpClient.HttpClient | SimulatorServer.SimulatorServer>
      ): Effect.Effect<A, E> => effect.pipe(Effect.provide(context), Effect.provide(FetchHttpClient.layer))
      assert.strictEqual((yield* call(Effect.flatMap(toRequest("GET", "/executions"), send))).status, 200)
      const hanging = yield* Effect.fork(call(create("key")))
      yield* Deferred.await(arrived)
      const closed = yield* Effect.disconnect(Scope.close(scope, Exit.void)).pipe(Effect.timeoutOption("4 seconds"))
      assert.strictEqual(closed._tag, "Some")
      assert(Exit.isFailure(yield* Fiber.await(hanging)))
    })
  )

  it.scopedLive("fails with ServeError if the port is in use", () =>
    Effect.gen(function* () {
      const { port } = yield* SimulatorServer.SimulatorServer
      const error = yield* Effect.flip(Layer.build(SimulatorServer.layer({ port })))
      assert.strictEqual(error._tag, "ServeError")
    }).pipe(Effect.provide(SimulatorServer.layer()))
  )

  it.scopedLive("rejects a request body of more than 10 MiB with 413", () =>
    Effect.gen(function* () {
      const request = HttpClientRequest.bodyUint8Array(
        yield* toRequest("POST", "/executions"),
        new Uint8Array(10 * 2 ** 20 + 1)
      )
      assert.strictEqual((yield* send(request)).status, 413)
    }).pipe(Effect.provide(Layer.merge(NodeHttpClient.layerUndici, SimulatorServer.layer())))
  )
})
