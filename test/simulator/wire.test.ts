/** Tests the simulator on a port: uploads and webhook deliveries. */
import * as Http from "node:http"
import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { isSigned } from "../utils/eventReceiver.js"
import { describeStorageError, Json } from "../utils/rawApi.js"
import { serve } from "../utils/server.js"

interface WireResponse {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly bytes: Buffer
}

/** Sends a request. The body is chunked unless the headers contain `content-length`. */
const sendRequest = (
  method: string,
  url: string,
  headers: Http.OutgoingHttpHeaders = {},
  body: ReadonlyArray<Uint8Array> = []
): Effect.Effect<WireResponse, Error> =>
  Effect.async((resume) => {
    const request = Http.request(url, { method, headers, agent: false }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", (error) => resume(Effect.fail(error)))
      response.on("end", () =>
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes: Buffer.concat(chunks)
          })
        )
      )
    })
    request.on("error", (error) => resume(Effect.fail(error)))
    body.forEach((chunk) => request.write(chunk))
    request.end()
    return Effect.sync(() => request.destroy())
  })

const jsonOf = ({ bytes }: WireResponse): Json => Schema.decodeUnknownSync(Schema.parseJson(Json))(bytes.toString())

const callApi = (method: string, path: string, body: unknown = {}) =>
  Effect.flatMap(SimulatorServer.SimulatorServer, ({ url }) => {
    const bytes = Buffer.from(JSON.stringify(body))
    const headers = { authorization: "Bearer k", "content-length": bytes.length }
    return sendRequest(method, `${url}/v1${path}`, headers, [bytes])
  })

const startUpload = Effect.map(callApi("POST", "/files/upload", { purpose: "INPUT" }), (response) => {
  const { file_id: id, upload_url: uploadUrl } = jsonOf(response)
  return { id: String(id), uploadUrl: String(uploadUrl) }
})

const put = (url: string, bytes: Uint8Array, headers: Http.OutgoingHttpHeaders = { "content-length": bytes.length }) =>
  sendRequest("PUT", url, headers, [bytes])

const storageErrorOf = ({ bytes, status }: WireResponse) => describeStorageError({ status, text: bytes.toString() })

const test = <E>(
  name: string,
  options: SimulatorServer.Options,
  body: Effect.Effect<void, E, SimulatorServer.SimulatorServer | Simulator.Simulator | Scope.Scope>
) =>
  it.scopedLive(name, () =>
    body.pipe(
      Effect.provide(
        SimulatorServer.layer({
          rateLimit: false,
          models: { quick: { duration: 0, cost: "0.040", output: "none" } },
          ...options
        })
      )
    )
  )

describe("SimulatorServer upload", () => {
  test(
    "stores a file of 20 MiB",
    {},
    Effect.gen(function* () {
      const { id, uploadUrl } = yield* startUpload
      const { url } = yield* SimulatorServer.SimulatorServer
      assert.isTrue(uploadUrl.startsWith(`${url}/storage/uploads/${id}?`))
      const bytes = Buffer.alloc(20 * 1024 * 1024, "The quick brown fox jumps over the lazy dog. ")
      const stored = yield* put(uploadUrl, bytes)
      assert.deepStrictEqual([stored.status, stored.bytes.length], [200, 0])
      assert.strictEqual((yield* callApi("POST", "/files/confirm", { file_id: id })).status, 200)
      const downloadUrl = String(jsonOf(yield* callApi("GET", `/files/${id}/url`))["url"])
      const full = yield* sendRequest("GET", downloadUrl)
      assert.isTrue(bytes.equals(full.bytes))
      assert.strictEqual(full.headers.etag, stored.headers.etag)
      const part = yield* sendRequest("GET", downloadUrl, { range: "bytes=1000000-1999999" })
      assert.deepInclude(part.headers, {
        "content-length": "1000000",
        "content-range": "bytes 1000000-1999999/20971520"
      })
      assert.strictEqual(part.status, 206)
      assert.isTrue(bytes.subarray(1_000_000, 2_000_000).equals(part.bytes))
    })
  )

  test(
    "is rejected if the request has no Content-Length",
    { maxUpload: 1000 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id, uploadUrl } = yield* startUpload
      const bytes = Buffer.alloc(1000)
      assert.deepStrictEqual(storageErrorOf(yield* put(uploadUrl, bytes, {})), [411, "MissingContentLength"])
      assert.deepStrictEqual(
        storageErrorOf(yield* put(uploadUrl, bytes, { "content-length": 1000, authorization: "Bearer k" })),
        [400, "InvalidArgument"]
      )
      assert.deepStrictEqual(storageErrorOf(yield* put(uploadUrl, Buffer.alloc(1001))), [400, "EntityTooLarge"])
      assert.deepStrictEqual(storageErrorOf(yield* put(uploadUrl, Buffer.alloc(30 * 1024 * 1024))), [
        400,
        "EntityTooLarge"
      ])
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(id)))
      assert.strictEqual((yield* put(uploadUrl, bytes)).status, 200)
      assert.deepStrictEqual(
        (yield* simulator.requests).slice(1).map(({ bodySize, outcome }) => [outcome, bodySize]),
        [
          [411, 0],
          [400, 1000],
          [400, 0],
          [400, 0],
          [200, 1000]
        ]
      )
    })
  )

  test(
    "is not stored if the body ends early",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id, uploadUrl } = yield* startUpload
      const { host, hostname, pathname, port, search } = new URL(uploadUrl)
      const rawResponse = yield* Effect.async<string>((resume) => {
        const socket = Net.connect(Number(port), hostname)
        const chunks: Array<Buffer> = []
        socket.on("data", (chunk) => chunks.push(chunk))
        socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks).toString())))
        socket.end(`PUT ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 1000\r\n\r\nnot all of it`)
      })
      assert.match(rawResponse, /^HTTP\/1\.1 400 /)
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(id)))
      assert.lengthOf(yield* simulator.requests, 1)
      assert.strictEqual((yield* put(uploadUrl, Buffer.alloc(3))).status, 200)
    })
  )
})

interface ReceivedRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** Starts a receiver on a port. Responds with `statuses` in order. `done` waits for one request per status. */
const startReceiver = (statuses: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const received: Array<ReceivedRequest> = []
    const done = Deferred.unsafeMake<void>(FiberId.none)
    const { url } = yield* serve((response, request) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const headers = Schema.decodeUnknownSync(Schema.Record({ key: Schema.String, value: Schema.String }))(
          request.headers
        )
        const n = received.push({ headers, text: Buffer.concat(chunks).toString() })
        response.writeHead(statuses[n - 1] ?? 200, { location: "/elsewhere" }).end("thanks")
        if (n === statuses.length) Deferred.unsafeDone(done, Exit.void)
      })
    })
    return { url: `${url}/hook`, received, done: Deferred.await(done) }
  })

/** Waits until `n` deliveries exist and no delivery is pending. */
const waitForDeliveries = (
  n: number
): Effect.Effect<ReadonlyArray<Simulator.DeliveryRecord>, never, Simulator.Simulator> =>
  Effect.flatMap(Simulator.Simulator, ({ deliveries }) =>
    Effect.flatMap(deliveries, (all) =>
      all.length === n && all.every(({ outcome }) => outcome !== "pending")
        ? Effect.succeed(all)
        : Effect.delay(waitForDeliveries(n), "1 millis")
    )
  )

describe("SimulatorServer webhook delivery", () => {
  test(
    "contains a valid signature",
    {},
    Effect.gen(function* () {
      const { done, received, url } = yield* startReceiver([307, 200])
      const endpoint = jsonOf(
        yield* callApi("POST", "/webhooks/endpoints", {
          url,
          headers: { "X-Tenant": "7" },
          events: ["execution.completed"]
        })
      )
      yield* callApi("POST", `/webhooks/endpoints/${String(endpoint["id"])}/test`)
      yield* waitForDeliveries(1)
      const created = jsonOf(yield* callApi("POST", "/executions", { model: "quick", input: {} }))
      yield* done
      const [test, completed] = received
      assert(test !== undefined && completed !== undefined)
      assert.isTrue(isSigned(test, String(endpoint["secret"])))
      assert.isTrue(isSigned(completed, String(endpoint["secret"])))
      assert.deepInclude(completed.headers, {
        "content-type": "application/json",
        "user-agent": "ModelRoute-Webhooks/1.0",
        "x-tenant": "7",
        "content-length": String(completed.text.length)
      })
      assert.doesNotHaveAnyKeys(completed.headers, ["authorization", "traceparent", "b3"])
      assert.deepInclude(Schema.decodeUnknownSync(Schema.parseJson(Json))(completed.text), {
        event_type: "execution.completed",
        execution_id: created["id"]
      })
      const deliveries = yield* waitForDeliveries(2)
      assert.deepStrictEqual(
        deliveries.map(({ outcome }) => outcome),
        [307, 200]
      )
    })
  )

  test(
    "records `no response` for a closed port",
    {},
    Effect.gen(function* () {
      yield* callApi("POST", "/executions", { model: "quick", input: {}, webhook_url: "http://127.0.0.1:1/hook" })
      const deliveries = yield* waitForDeliveries(2)
      assert.deepStrictEqual(
        deliveries.map(({ outcome, type }) => [type, outcome]),
        [
          ["execution.started", "no response"],
          ["execution.completed", "no response"]
        ]
      )
    })
  )
})
