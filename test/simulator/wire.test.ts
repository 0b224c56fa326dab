/** What only shows on a real connection: bodies with and without a length, and deliveries to a receiver on a port. */
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
import { Json } from "../utils/rawApi.js"

interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly bytes: Buffer
}

/** With `content-length` among the headers the body goes in one piece, otherwise in chunks. */
const exchange = (
  method: string,
  url: string,
  headers: Http.OutgoingHttpHeaders = {},
  body: ReadonlyArray<Uint8Array> = []
): Effect.Effect<Answer, Error> =>
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

const jsonOf = ({ bytes }: Answer): Json => Schema.decodeUnknownSync(Schema.parseJson(Json))(bytes.toString())

const api = (method: string, path: string, body: unknown = {}) =>
  Effect.flatMap(SimulatorServer.SimulatorServer, ({ url }) => {
    const bytes = Buffer.from(JSON.stringify(body))
    const headers = { authorization: "Bearer k", "content-length": bytes.length }
    return exchange(method, `${url}/v1${path}`, headers, [bytes])
  })

const begin = Effect.map(api("POST", "/files/upload", { purpose: "INPUT" }), (answer) => {
  const { file_id: id, upload_url: link } = jsonOf(answer)
  return { id: String(id), link: String(link) }
})

const put = (link: string, bytes: Uint8Array, headers: Http.OutgoingHttpHeaders = { "content-length": bytes.length }) =>
  exchange("PUT", link, headers, [bytes])

const codeOf = ({ bytes, status }: Answer) => [status, /<Code>(\w+)<\/Code>/.exec(bytes.toString())?.[1]]

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

describe("an upload", () => {
  test(
    "of more than other bodies may have goes up and comes down, whole or in part",
    {},
    Effect.gen(function* () {
      const { id, link } = yield* begin
      const { url } = yield* SimulatorServer.SimulatorServer
      assert.isTrue(link.startsWith(`${url}/storage/uploads/${id}?`))
      const bytes = Buffer.alloc(20 * 1024 * 1024, "The quick brown fox jumps over the lazy dog. ")
      const stored = yield* put(link, bytes)
      assert.deepStrictEqual([stored.status, stored.bytes.length], [200, 0])
      assert.strictEqual((yield* api("POST", "/files/confirm", { file_id: id })).status, 200)
      const read = String(jsonOf(yield* api("GET", `/files/${id}/url`))["url"])
      const whole = yield* exchange("GET", read)
      assert.isTrue(bytes.equals(whole.bytes))
      assert.strictEqual(whole.headers.etag, stored.headers.etag)
      const part = yield* exchange("GET", read, { range: "bytes=1000000-1999999" })
      assert.deepInclude(part.headers, {
        "content-length": "1000000",
        "content-range": "bytes 1000000-1999999/20971520"
      })
      assert.strictEqual(part.status, 206)
      assert.isTrue(bytes.subarray(1_000_000, 2_000_000).equals(part.bytes))
    })
  )

  test(
    "in chunks is refused, and so is one with a key, one too many bytes, or more than there is room for",
    { maxUpload: 1000 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id, link } = yield* begin
      const bytes = Buffer.alloc(1000)
      assert.deepStrictEqual(codeOf(yield* put(link, bytes, {})), [411, "MissingContentLength"])
      assert.deepStrictEqual(codeOf(yield* put(link, bytes, { "content-length": 1000, authorization: "Bearer k" })), [
        400,
        "InvalidArgument"
      ])
      assert.deepStrictEqual(codeOf(yield* put(link, Buffer.alloc(1001))), [400, "EntityTooLarge"])
      assert.deepStrictEqual(codeOf(yield* put(link, Buffer.alloc(30 * 1024 * 1024))), [400, "EntityTooLarge"])
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(id)))
      assert.strictEqual((yield* put(link, bytes)).status, 200)
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
    "that breaks off never arrives",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id, link } = yield* begin
      const { host, hostname, pathname, port, search } = new URL(link)
      const ended = yield* Effect.async<string>((resume) => {
        const socket = Net.connect(Number(port), hostname)
        const chunks: Array<Buffer> = []
        socket.on("data", (chunk) => chunks.push(chunk))
        socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks).toString())))
        socket.end(`PUT ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 1000\r\n\r\nnot all of it`)
      })
      assert.match(ended, /^HTTP\/1\.1 400 /)
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(id)))
      assert.lengthOf(yield* simulator.requests, 1)
      assert.strictEqual((yield* put(link, Buffer.alloc(3))).status, 200)
    })
  )
})

interface Hook {
  readonly url: string
  readonly received: Array<{ readonly headers: Readonly<Record<string, string>>; readonly text: string }>
}

/** A backend on a port, which answers with these statuses in turn; `done` when it has seen as many. */
const backend = (statuses: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const received: Hook["received"] = []
    const done = Deferred.unsafeMake<void>(FiberId.none)
    const server = Http.createServer((request, response) => {
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
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return { url: `http://127.0.0.1:${port}/hook`, received, done: Deferred.await(done) }
  })

/** So many deliveries, once all of them have had their answer. */
const settled = (n: number): Effect.Effect<ReadonlyArray<Simulator.DeliveryRecord>, never, Simulator.Simulator> =>
  Effect.flatMap(Simulator.Simulator, ({ deliveries }) =>
    Effect.flatMap(deliveries, (all) =>
      all.length === n && all.every(({ outcome }) => outcome !== "pending")
        ? Effect.succeed(all)
        : Effect.delay(settled(n), "1 millis")
    )
  )

describe("a delivery", () => {
  test(
    "reaches a receiver on a port through fetch, signed, and a redirect is not followed",
    {},
    Effect.gen(function* () {
      const { done, received, url } = yield* backend([307, 200])
      const endpoint = jsonOf(
        yield* api("POST", "/webhooks/endpoints", {
          url,
          headers: { "X-Tenant": "7" },
          events: ["execution.completed"]
        })
      )
      yield* api("POST", `/webhooks/endpoints/${String(endpoint["id"])}/test`)
      yield* settled(1)
      const created = jsonOf(yield* api("POST", "/executions", { model: "quick", input: {} }))
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
      const ended = yield* settled(2)
      assert.deepStrictEqual(
        ended.map(({ outcome }) => outcome),
        [307, 200]
      )
    })
  )

  test(
    "to nobody is no answer",
    {},
    Effect.gen(function* () {
      yield* api("POST", "/executions", { model: "quick", input: {}, webhook_url: "http://127.0.0.1:1/hook" })
      const ended = yield* settled(2)
      assert.deepStrictEqual(
        ended.map(({ outcome, type }) => [type, outcome]),
        [
          ["execution.started", "no response"],
          ["execution.completed", "no response"]
        ]
      )
    })
  )
})
