/** Tests for `Webhook.handler` over real sockets, in an HttpApi, and as a web handler. */
import type * as Http from "node:http"
import { inspect } from "node:util"
import { NodeHttpServer } from "@effect/platform-node"
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Context,
  Data,
  Deferred,
  Effect,
  Fiber,
  HashMap,
  Layer,
  Logger,
  LogLevel,
  Redacted,
  type Scope,
  TestClock
} from "effect"
import * as Webhook from "effect-modelroute/Webhook"
import { silent, start } from "../utils/harness.js"
import { storeFailure, makeStore, type StoreValues } from "../utils/store.js"
import { recorder } from "../utils/tracing.js"
import {
  connect,
  requestHead,
  eventPayload,
  postDelivery,
  secret,
  secretText,
  serveApp,
  signDelivery
} from "../utils/webhooks.js"

const failOnEvent = () => Effect.dieMessage("no event was expected")

/** Creates an event handler that records the ids of its events. */
const idRecorder = () => {
  const ids: Array<string> = []
  return { ids, onEvent: (event: Webhook.Event) => Effect.sync(() => void ids.push(event.id)) }
}

const serve = <E, R, RD = never>(
  options: Partial<Webhook.HandlerOptions<E, R, RD>> & Pick<Webhook.HandlerOptions<E, R, RD>, "onEvent">
) => serveApp(Webhook.handler<E, R, RD>({ secrets: secret, ...options }))

const test = <A, E>(title: string, effect: Effect.Effect<A, E, Scope.Scope>) =>
  it.scoped(title, () => silent(Effect.zipRight(TestClock.setTime(start), effect)))

/** Encodes a delivery as an HTTP/1.1 request. */
const encodeRequest = ({
  body,
  headers
}: {
  readonly body: Uint8Array | string
  readonly headers: Webhook.SignatureHeaders
}) => requestHead({ ...headers, "content-length": String(Buffer.byteLength(body)) }) + body

const awaitClosedSocket = (server: Http.Server) =>
  Effect.async<void>((resume) => {
    server.once("connection", (socket) => socket.once("close", () => resume(Effect.void)))
  })

/** Runs an effect and returns its log lines of all levels with their annotations. */
const withLogLines = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<{
      readonly level: string
      readonly text: string
      readonly annotations: Record<string, unknown>
    }> = []
    const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
      const entries = HashMap.toEntries(annotations)
      lines.push({
        level: logLevel.label,
        text: inspect([message, entries, cause], { depth: 10 }),
        annotations: Object.fromEntries(entries)
      })
    })
    const value = yield* effect.pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    return { lines, value }
  })

describe("Webhook.handler", () => {
  test(
    "returns 200 for repeated deliveries of an event",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      const { url } = yield* serve({ onEvent })
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      assert.deepStrictEqual(yield* postDelivery(url, delivery), { status: 200, text: "" })
      assert.deepStrictEqual(yield* postDelivery(url, delivery), { status: 200, text: "" })
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual((yield* postDelivery(url, yield* signDelivery(eventPayload("evt_1")))).status, 200)
      assert.deepStrictEqual(ids, ["evt_1"])
    })
  )

  test(
    "returns 401 for an invalid signature",
    Effect.gen(function* () {
      const { url } = yield* serve({ onEvent: failOnEvent, secrets: [secret, Redacted.make("whsec_2")] })
      const genuine = yield* signDelivery(eventPayload("evt_1"))
      const { "x-signature": signature, "x-signature-timestamp": timestamp } = genuine.headers
      for (const [delivery, status] of [
        [{ ...genuine, headers: {} }, 401],
        [{ ...genuine, headers: { "x-signature": signature } }, 401],
        [{ ...genuine, headers: { "x-signature-timestamp": timestamp } }, 401],
        [{ ...genuine, body: `${genuine.body} ` }, 401],
        [{ ...genuine, body: "" }, 401],
        [yield* signDelivery(eventPayload("evt_1"), Redacted.make("whsec_3")), 401],
        [yield* signDelivery("[]"), 400],
        [yield* signDelivery(""), 400]
      ] as const) {
        assert.deepStrictEqual(yield* postDelivery(url, delivery), { status, text: "" })
      }
      yield* TestClock.adjust("301 seconds")
      assert.strictEqual((yield* postDelivery(url, genuine)).status, 401)
    })
  )

  test(
    "returns 405 for any method other than POST",
    Effect.gen(function* () {
      const { url } = yield* serve({ onEvent: failOnEvent })
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
        const response = yield* Effect.promise(() => fetch(url, { method }))
        assert.strictEqual(response.status, 405, method)
        assert.strictEqual(response.headers.get("allow"), "POST")
      }
    })
  )

  test(
    "returns 500 for every delivery if the secret is blank",
    Effect.gen(function* () {
      const { url } = yield* serve({ onEvent: failOnEvent, secrets: Redacted.make(" ") })
      assert.deepStrictEqual(yield* postDelivery(url, yield* signDelivery(eventPayload("evt_1"))), {
        status: 500,
        text: ""
      })
      assert.strictEqual((yield* postDelivery(url, { body: "{}", headers: {} })).status, 500)
    })
  )

  class Busy extends Data.TaggedError("Busy") {}
  for (const [how, failure] of [
    ["fails", new Busy()],
    ["dies", Effect.die("broken")],
    ["is interrupted", Effect.interrupt]
  ] as const) {
    test(
      `returns 500 while onEvent ${how}`,
      Effect.gen(function* () {
        let tries = 0
        const { url } = yield* serve({
          onEvent: () => Effect.suspend((): Effect.Effect<void, Busy> => (++tries <= 2 ? failure : Effect.void))
        })
        const delivery = yield* signDelivery(eventPayload("evt_1"))
        const responses = [
          yield* postDelivery(url, delivery),
          yield* postDelivery(url, delivery),
          yield* postDelivery(url, delivery)
        ]
        responses.push(yield* postDelivery(url, delivery))
        assert.deepStrictEqual(
          responses.map(({ status, text }) => `${status}${text}`),
          ["500", "500", "200", "200"]
        )
        assert.strictEqual(tries, 3)
      })
    )
  }

  test(
    "returns 500 if onEvent throws instead of returning an effect",
    Effect.gen(function* () {
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      const { lines, value } = yield* withLogLines(
        Effect.gen(function* () {
          const { url } = yield* serve({
            onEvent: (): Effect.Effect<void> => {
              throw new Error("thrown by onEvent")
            }
          })
          return yield* postDelivery(url, delivery)
        })
      )
      assert.strictEqual(value.status, 500)
      assert.include(lines[0]?.text, "Webhook event evt_1 was not handled")
    })
  )

  test(
    "returns 500 if the store fails",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      let isDown = true
      const values: StoreValues = new Map()
      const store = makeStore(values, {
        get: () => Effect.suspend(() => (isDown ? storeFailure("Busy") : Effect.void))
      })
      const dedup = yield* Layer.build(
        Layer.provide(Webhook.layerDedup(), Layer.succeed(KeyValueStore.KeyValueStore, store))
      )
      const { url } = yield* serve({ onEvent, dedup: Webhook.Dedup }).pipe(Effect.provide(dedup))
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      assert.strictEqual((yield* postDelivery(url, delivery)).status, 500)
      assert.deepStrictEqual(ids, [])
      isDown = false
      assert.strictEqual((yield* postDelivery(url, delivery)).status, 200)
      assert.strictEqual((yield* postDelivery(url, delivery)).status, 200)
      assert.deepStrictEqual(ids, ["evt_1"])
      // The background cleanup can add a third value to the entry and the slot.
      assert.isAtLeast(values.size, 2)
    })
  )
})

describe("Webhook.handler request body", () => {
  test(
    "is accepted in chunks of any size",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      const { port } = yield* serve({ onEvent })
      for (const [name, size] of [
        ["evt_whole", 1_000_000],
        ["evt_some", 100],
        ["evt_bytes", 1]
      ] as const) {
        const { body, headers } = yield* signDelivery(eventPayload(name, { note: "é☃" }))
        const bytes = Buffer.from(body)
        const { response, socket } = yield* connect(port)
        socket.write(requestHead({ ...headers, "transfer-encoding": "chunked", connection: "close" }))
        for (let at = 0; at < bytes.length; at += size) {
          const chunk = bytes.subarray(at, at + size)
          socket.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]))
        }
        socket.write("0\r\n\r\n")
        assert.match(yield* Effect.promise(() => response), /^HTTP\/1\.1 200 /)
      }
      assert.deepStrictEqual(ids, ["evt_whole", "evt_some", "evt_bytes"])
    })
  )

  test(
    "is limited to maxBodySize bytes",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      const { url } = yield* serve({ onEvent, maxBodySize: 1000 })
      const sized = (id: string, size: number) => signDelivery(`{"id":"${id}"}`.padEnd(size))
      assert.deepStrictEqual(yield* postDelivery(url, yield* sized("evt_1", 1000)), { status: 200, text: "" })
      assert.deepStrictEqual(yield* postDelivery(url, yield* sized("evt_2", 1001)), { status: 413, text: "" })
      assert.deepStrictEqual(ids, ["evt_1"])
      const standard = yield* serve({ onEvent })
      assert.strictEqual((yield* postDelivery(standard.url, yield* sized("evt_3", 1024 * 1024))).status, 200)
      assert.strictEqual((yield* postDelivery(standard.url, yield* sized("evt_4", 1024 * 1024 + 1))).status, 413)
      assert.deepStrictEqual(ids, ["evt_1", "evt_3"])
    })
  )

  for (const [name, headers] of [
    ["no Content-Length", { "transfer-encoding": "chunked" }],
    ["a correct Content-Length", { "content-length": "1000000000" }],
    ["a wrong Content-Length and chunks", { "content-length": "2", "transfer-encoding": "chunked" }]
  ] as const) {
    test(
      `is rejected at the limit with ${name}`,
      Effect.gen(function* () {
        const limit = 64 * 1024
        const { port } = yield* serve({ onEvent: failOnEvent, maxBodySize: limit })
        const { headers: signature } = yield* signDelivery("{}")
        const { response, socket } = yield* connect(port)
        socket.write(requestHead({ ...signature, ...headers }))
        const isChunked = "transfer-encoding" in headers
        const block = Buffer.alloc(16 * 1024, " ")
        const chunk = isChunked ? Buffer.concat([Buffer.from("4000\r\n"), block, Buffer.from("\r\n")]) : block
        const writeMore = (): void => {
          while (!socket.destroyed && socket.write(chunk));
        }
        socket.on("drain", writeMore)
        writeMore()
        // The client never ends the body, so only the server can close the connection.
        const text = yield* Effect.promise(() => response)
        // Node rejects an invalid length before the handler runs.
        assert.match(text, name.includes("wrong") ? /^HTTP\/1\.1 400 / : /^HTTP\/1\.1 413 /)
        // The limit includes the socket buffers on both sides.
        assert.isBelow(socket.bytesWritten, 16_000_000)
      })
    )
  }

  test(
    "is read completely if it has at most twice the maximum size",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      const { port } = yield* serve({ onEvent, maxBodySize: 1000 })
      const large = encodeRequest(yield* signDelivery(`{"id":"evt_1"}`.padEnd(2000)))
      const { response, socket } = yield* connect(port)
      const rejected = new Promise<string>((resolve) => {
        socket.once("data", (chunk) => resolve(String(chunk)))
      })
      socket.write(large.slice(0, -100))
      assert.match(yield* Effect.promise(() => rejected), /^HTTP\/1\.1 413 /)
      const small = encodeRequest(yield* signDelivery(`{"id":"evt_2"}`)).replace("\r\n", "\r\nconnection: close\r\n")
      socket.write(large.slice(-100) + small)
      assert.match(yield* Effect.promise(() => response), /HTTP\/1\.1 200 /)
      assert.deepStrictEqual(ids, ["evt_2"])
    })
  )

  test(
    "is not handled if it is truncated",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      const { port, server, url } = yield* serve({ onEvent })
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      const gone = yield* Effect.fork(awaitClosedSocket(server))
      const { socket } = yield* connect(port)
      socket.write(encodeRequest(delivery).slice(0, -5), () => socket.destroy())
      yield* Fiber.await(gone)
      assert.strictEqual((yield* postDelivery(url, delivery)).status, 200)
      assert.deepStrictEqual(ids, ["evt_1"])
    })
  )
})

describe("Webhook.handler", () => {
  test(
    "handles each event once in 200 concurrent deliveries with duplicates",
    Effect.gen(function* () {
      const events = Array.from({ length: 140 }, (_, n) => `evt_${n}`)
      const handled = new Map<string, number>()
      const all = yield* Deferred.make<void>()
      const { url } = yield* serve({
        onEvent: ({ id }) =>
          Effect.suspend(() => {
            handled.set(id, (handled.get(id) ?? 0) + 1)
            // No handler ends before all handlers have started. Every duplicate therefore arrives during or after the
            // handling.
            return handled.size === events.length ? Deferred.succeed(all, undefined) : Deferred.await(all)
          })
      })
      const deliveries = [...events, ...events.slice(0, 60)]
      const statuses = yield* Effect.forEach(
        deliveries,
        (id) => Effect.flatMap(signDelivery(eventPayload(id)), (delivery) => postDelivery(url, delivery)),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(statuses, 200)
      assert.deepStrictEqual(new Set(statuses.map(({ status }) => status)), new Set([200]))
      assert.deepStrictEqual([...handled.keys()].sort(), [...events].sort())
      assert.deepStrictEqual(new Set(handled.values()), new Set([1]))
    })
  )

  test(
    "waits for a running onEvent after the sender has disconnected",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      let ended = 0
      let began = 0
      const closedAfter: Array<number> = []
      const { port, server, url } = yield* serve({
        onEvent: () =>
          Effect.gen(function* () {
            began += 1
            yield* Effect.addFinalizer(() => Effect.sync(() => void closedAfter.push(ended)))
            yield* Deferred.succeed(begun, undefined)
            yield* Deferred.await(go)
            ended += 1
          })
      })
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      const gone = yield* Effect.fork(awaitClosedSocket(server))
      const { socket } = yield* connect(port)
      socket.write(encodeRequest(delivery))
      yield* Deferred.await(begun)
      socket.destroy()
      yield* Fiber.await(gone)
      const second = yield* Effect.fork(postDelivery(url, delivery))
      yield* Effect.async<void>((resume) => {
        server.once("request", () => resume(Effect.void))
      })
      assert.strictEqual(ended, 0)
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual((yield* Fiber.join(second)).status, 200)
      assert.deepStrictEqual([began, ended], [1, 1])
      // The scope closes at the end of the handler, not at the end of its request.
      assert.deepStrictEqual(closedAfter, [1])
    })
  )

  test(
    "completes onEvent after every sender has disconnected",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      let began = 0
      const { port, server, url } = yield* serve({
        onEvent: () =>
          Effect.suspend(() => {
            began += 1
            return Deferred.succeed(begun, undefined)
          }).pipe(Effect.zipRight(Deferred.await(go)), Effect.zipRight(Deferred.succeed(ended, undefined)))
      })
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      const gone = yield* Effect.fork(awaitClosedSocket(server))
      const { socket } = yield* connect(port)
      socket.write(encodeRequest(delivery))
      yield* Deferred.await(begun)
      socket.destroy()
      yield* Fiber.await(gone)
      yield* Deferred.succeed(go, undefined)
      yield* Deferred.await(ended)
      assert.strictEqual((yield* postDelivery(url, delivery)).status, 200)
      assert.strictEqual(began, 1)
    })
  )

  test(
    "returns 500 if the event handler times out",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const { url } = yield* serve({
        onEvent: () =>
          Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never).pipe(Effect.timeout("20 seconds"))
      })
      const response = yield* Effect.fork(
        Effect.flatMap(signDelivery(eventPayload("evt_1")), (delivery) => postDelivery(url, delivery))
      )
      yield* Deferred.await(begun)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(response)).status, 500)
    })
  )

  test(
    "shares handled events only between handlers with the same Dedup",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      for (const _ of [1, 2]) yield* postDelivery((yield* serve({ onEvent })).url, delivery)
      assert.lengthOf(ids, 2)
      const dedup = yield* Layer.build(Webhook.layerDedupMemory)
      for (const _ of [1, 2])
        yield* postDelivery((yield* Effect.provide(serve({ onEvent, dedup: Webhook.Dedup }), dedup)).url, delivery)
      assert.lengthOf(ids, 3)
    })
  )
})

describe("Webhook.handler app", () => {
  class Database extends Context.Tag("Database")<Database, { readonly saved: Array<string> }>() {}
  const save = ({ id }: Webhook.Event) => Effect.map(Database, ({ saved }) => void saved.push(id))

  it("requires the services of onEvent and dedup, except Scope", () => {
    const app = Webhook.handler({
      secrets: secret,
      onEvent: (event) =>
        Effect.zipRight(
          save(event),
          Effect.addFinalizer(() => Effect.void)
        )
    })
    expectTypeOf(app).toEqualTypeOf<HttpApp.Default<never, Database>>()
    expectTypeOf(Webhook.handler({ secrets: [secret], onEvent: () => Effect.fail("no") })).toEqualTypeOf<
      HttpApp.Default<never, never>
    >()
    expectTypeOf(Webhook.handler({ secrets: secret, dedup: Webhook.Dedup, onEvent: save })).toEqualTypeOf<
      HttpApp.Default<never, Database | Webhook.Dedup>
    >()
  })

  test(
    "runs in a router with other routes",
    Effect.gen(function* () {
      const saved: Array<string> = []
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/health", HttpServerResponse.text("healthy")),
        HttpRouter.post("/webhooks/modelroute", Webhook.handler({ secrets: secret, onEvent: save }))
      )
      const { url } = yield* Effect.provideService(serveApp(router), Database, { saved })
      assert.strictEqual(
        (yield* postDelivery(`${url}webhooks/modelroute`, yield* signDelivery(eventPayload("evt_1")))).status,
        200
      )
      assert.strictEqual((yield* postDelivery(`${url}webhooks/modelroute`, { body: "{}", headers: {} })).status, 401)
      assert.strictEqual(yield* Effect.promise(async () => (await fetch(`${url}health`)).text()), "healthy")
      assert.deepStrictEqual(saved, ["evt_1"])
    })
  )

  class Api extends HttpApi.make("api").add(
    HttpApiGroup.make("webhooks").add(HttpApiEndpoint.post("modelroute", "/webhooks/modelroute"))
  ) {}

  /** Serves an HttpApi with a group for webhooks. */
  const serveApi = (
    webhooks: Layer.Layer<HttpApiGroup.ApiGroup<"api", "webhooks">, never, Database>,
    saved: Array<string>
  ) =>
    Effect.gen(function* () {
      const app = yield* HttpApiBuilder.httpApp.pipe(
        Effect.provide(
          yield* Layer.build(
            Layer.mergeAll(HttpApiBuilder.api(Api), HttpApiBuilder.Middleware.layer).pipe(
              Layer.provide(webhooks),
              Layer.provideMerge(HttpApiBuilder.Router.Live),
              Layer.provide(Layer.succeed(Database, { saved }))
            )
          )
        )
      )
      return yield* Effect.provide(serveApp(app), NodeHttpServer.layerContext)
    })

  test(
    "runs as a raw HttpApi handler with the Dedup of its group",
    Effect.gen(function* () {
      const saved: Array<string> = []
      const receive = Webhook.handler({ secrets: secret, dedup: Webhook.Dedup, onEvent: save })
      const webhooks = HttpApiBuilder.group(Api, "webhooks", (handlers) =>
        handlers.handleRaw("modelroute", () => receive)
      )
      const values = yield* Layer.build(KeyValueStore.layerMemory)
      const dedup = Webhook.layerDedup().pipe(Layer.provide(Layer.succeedContext(values)))
      const { url } = yield* serveApi(Layer.provide(webhooks, dedup), saved)
      const address = `${url}webhooks/modelroute`
      const delivery = yield* signDelivery(eventPayload("evt_1", { note: "é" }))
      // The handler receives the raw body with any content type.
      for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x"]) {
        assert.deepStrictEqual(yield* postDelivery(address, delivery, { "content-type": type }), {
          status: 200,
          text: ""
        })
      }
      assert.deepStrictEqual(saved, ["evt_1"])
      assert.strictEqual((yield* postDelivery(address, { ...delivery, body: "{}" })).status, 401)
      assert.isAtLeast(
        yield* Effect.flatMap(Effect.provide(KeyValueStore.KeyValueStore, values), ({ size }) => size),
        2
      )
    })
  )

  test(
    "runs as an additional route in the router of an HttpApi",
    Effect.gen(function* () {
      const saved: Array<string> = []
      const webhooks = HttpApiBuilder.group(Api, "webhooks", (handlers) =>
        handlers.handle("modelroute", () => Effect.void)
      )
      const extraRoute = HttpApiBuilder.Router.use((router) =>
        Effect.flatMap(Effect.context<Database>(), (context) =>
          router.post("/hooks", Effect.provide(Webhook.handler({ secrets: secret, onEvent: save }), context))
        )
      )
      const { url } = yield* serveApi(Layer.merge(webhooks, extraRoute), saved)
      const delivery = yield* signDelivery(eventPayload("evt_1"))
      assert.strictEqual((yield* postDelivery(`${url}hooks`, delivery)).status, 200)
      assert.strictEqual((yield* postDelivery(`${url}hooks`, { ...delivery, headers: {} })).status, 401)
      assert.deepStrictEqual(saved, ["evt_1"])
    })
  )

  test(
    "runs as a web handler on any runtime",
    Effect.gen(function* () {
      const { ids, onEvent } = idRecorder()
      const runtime = yield* Effect.runtime<never>()
      const receive = HttpApp.toWebHandlerRuntime(runtime)(
        Webhook.handler({ secrets: secret, onEvent, maxBodySize: 1000 })
      )
      const send = (init: RequestInit) =>
        Effect.promise(async () => {
          const response = await receive(new Request("http://127.0.0.1/", { method: "POST", ...init }))
          return `${response.status}${await response.text()}`
        })
      const { body, headers } = yield* signDelivery(eventPayload("evt_1"))
      assert.strictEqual(yield* send({ body, headers }), "200")
      assert.strictEqual(yield* send({ body, headers }), "200")
      assert.strictEqual(yield* send({ body: `${body} `, headers }), "401")
      assert.strictEqual(yield* send({ headers }), "401")
      assert.strictEqual(yield* send({ headers: (yield* signDelivery("")).headers }), "400")
      assert.strictEqual(yield* send({ method: "GET" }), "405")
      let pulled = 0
      const endless = new ReadableStream({
        pull: (controller) => {
          pulled += 100
          controller.enqueue(new Uint8Array(100))
        }
      })
      const broken = new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(100)),
        pull: (controller) => controller.error(new Error("broken"))
      })
      const truncated = { body: broken, headers, duplex: "half" }
      assert.strictEqual(yield* send(truncated), "400")
      const tooLarge = { body: endless, headers, duplex: "half" }
      assert.strictEqual(yield* send(tooLarge), "413")
      assert.isAtMost(pulled, 3000)
      assert.deepStrictEqual(ids, ["evt_1"])

      const aborted = new AbortController()
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const slow = HttpApp.toWebHandlerRuntime(runtime)(
        Webhook.handler({
          secrets: secret,
          onEvent: () =>
            Deferred.succeed(begun, undefined).pipe(
              Effect.zipRight(Deferred.await(go)),
              Effect.zipRight(Deferred.succeed(ended, undefined))
            )
        })
      )
      const response = slow(new Request("http://127.0.0.1/", { method: "POST", body, headers, signal: aborted.signal }))
      yield* Deferred.await(begun)
      aborted.abort()
      assert.strictEqual((yield* Effect.promise(() => response)).status, 499)
      yield* Deferred.succeed(go, undefined)
      yield* Deferred.await(ended)
    })
  )
})

describe("Webhook.handler", () => {
  const prompt = "a lighthouse in a storm, oil on canvas"
  const observe = <E>(
    options: Partial<Webhook.HandlerOptions<E, never>>,
    deliveries: ReadonlyArray<Webhook.Delivery>
  ) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { spans, tracer } = yield* recorder
      const { lines, value } = yield* withLogLines(
        Effect.gen(function* () {
          const { url } = yield* serve<E, never>({ onEvent: () => Effect.void, ...options })
          return yield* Effect.forEach(deliveries, (delivery) => postDelivery(url, delivery))
        }).pipe(Effect.withTracer(tracer))
      )
      const own = spans.filter(({ name }) => name.startsWith("modelroute."))
      const texts = [
        ...lines.map(({ text }) => text),
        ...own.map((span) => inspect([span.name, [...span.attributes], span.status], { depth: 10 }))
      ]
      for (const text of texts) {
        assert.notInclude(text, secretText)
        assert.notInclude(text, prompt)
        for (const { body, headers } of deliveries) {
          assert.notInclude(text, String(headers["x-signature"] ?? "none"))
          if (body.length > 0) assert.notInclude(text, String(body))
        }
      }
      return {
        lines,
        statuses: value.map(({ status }) => status),
        spans: own.map((span) => ({
          name: span.name,
          kind: span.kind,
          attributes: Object.fromEntries(span.attributes)
        }))
      }
    })

  const attributes = (outcome: string) => ({
    "modelroute.operation": "webhook.receive",
    "modelroute.event_id": "evt_1",
    "modelroute.event_type": "execution.completed",
    "modelroute.execution_id": "exec_evt_1",
    "modelroute.outcome": outcome
  })

  it.scoped("creates one span for each delivery", () =>
    Effect.gen(function* () {
      const delivery = yield* Effect.zipRight(TestClock.setTime(start), signDelivery(eventPayload("evt_1", { prompt })))
      const { lines, spans, statuses } = yield* observe({}, [delivery, delivery])
      assert.deepStrictEqual(statuses, [200, 200])
      assert.deepStrictEqual(
        lines.map(({ level, text }) => [level, text.includes("evt_1 was already handled")]),
        [["DEBUG", true]]
      )
      assert.deepStrictEqual(spans, [
        { name: "modelroute.webhook.receive", kind: "consumer", attributes: attributes("handled") },
        { name: "modelroute.webhook.receive", kind: "consumer", attributes: attributes("duplicate") }
      ])
    })
  )

  it.scoped("logs a redacted message if onEvent fails or dies", () =>
    Effect.gen(function* () {
      class DatabaseError extends Data.TaggedError("DatabaseError")<{ readonly message: string }> {}
      const delivery = yield* Effect.zipRight(TestClock.setTime(start), signDelivery(eventPayload("evt_1", { prompt })))
      const other = "a-secret-of-another-form"
      const message = `insert failed for ${prompt} ${JSON.stringify(delivery.body)} with ${secretText} and ${other}`
      for (const [failure, level] of [
        [new DatabaseError({ message }), "WARN"],
        [Effect.die(new Error(message)), "ERROR"]
      ] as const) {
        const onEvent = (): Effect.Effect<void, DatabaseError> => failure
        const secrets = [secret, Redacted.make(other)] as const
        const { lines, spans, statuses } = yield* observe({ onEvent, secrets }, [delivery])
        assert.deepStrictEqual(statuses, [500])
        assert.deepStrictEqual(
          lines.map((line) => line.level),
          [level]
        )
        for (const part of ["Webhook event evt_1 ", "insert failed for [redacted]"])
          assert.include(lines[0]?.text, part)
        assert.deepStrictEqual(lines[0]?.annotations, {
          eventId: "evt_1",
          eventType: "execution.completed",
          executionId: "exec_evt_1"
        })
        assert.notInclude(lines[0]?.text, other)
        assert.deepStrictEqual(spans, [
          { name: "modelroute.webhook.receive", kind: "consumer", attributes: attributes("failed") }
        ])
      }
    })
  )

  it.scoped("logs the cure and responds with 500 if onEvent returns a Promise", () =>
    Effect.gen(function* () {
      const delivery = yield* Effect.zipRight(TestClock.setTime(start), signDelivery(eventPayload("evt_1")))
      // @ts-expect-error A Promise is not an Effect.
      const options: Parameters<typeof observe>[0] = { onEvent: () => Promise.resolve() }
      const { lines, statuses } = yield* observe(options, [delivery])
      assert.deepStrictEqual(statuses, [500])
      assert.include(
        lines[0]?.text,
        "Webhook.handler: onEvent does not return an Effect. Return an Effect, for example with Effect.promise."
      )
    })
  )

  it.scoped("logs only the name of the error of onEvent if the event is too large to redact", () =>
    Effect.gen(function* () {
      const words = Array.from({ length: 90_000 }, (_, n) => `lighthouse ${n}`).join(" ")
      const delivery = yield* Effect.zipRight(
        TestClock.setTime(start),
        signDelivery(eventPayload("evt_1", { prompt: words }))
      )
      const onEvent = () => Effect.die(new RangeError(`rejected ${words.slice(5, 16)}`))
      const { lines, statuses } = yield* observe({ onEvent, maxBodySize: 2 ** 21 }, [delivery])
      assert.deepStrictEqual(statuses, [500])
      assert.include(lines[0]?.text, "RangeError (text redacted")
      assert.notInclude(lines[0]?.text, "rejected")
    })
  )

  it.scoped("logs one warning with the reason for each rejected delivery", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start - 400_000)
      const old = yield* signDelivery(eventPayload("evt_0"))
      yield* TestClock.setTime(start)
      const genuine = yield* signDelivery(eventPayload("evt_1"))
      const { lines, spans } = yield* observe({ maxBodySize: 1000 }, [
        { ...genuine, headers: {} },
        { ...genuine, headers: { "x-signature": genuine.headers["x-signature"] } },
        { ...genuine, body: "canary" },
        old,
        yield* signDelivery('["canary"]'),
        yield* signDelivery("x".repeat(2000))
      ])
      assert.deepStrictEqual(
        lines.map(({ level, text }) => `${level} ${/rejected \(([\w-]+)\)/.exec(text)?.[1]}`),
        ["signature-missing", "timestamp-missing", "signature-mismatch", "stale", "malformed", "too-large"].map(
          (reason) => `WARN ${reason}`
        )
      )
      for (const { text } of lines) assert.notInclude(text, "canary")
      assert.deepStrictEqual(spans, [])
    })
  )

  it.scoped("logs the name of an invalid option of the handler", () =>
    Effect.gen(function* () {
      const genuine = yield* Effect.zipRight(TestClock.setTime(start), signDelivery(eventPayload("evt_1")))
      const { lines, statuses } = yield* observe({ secrets: [secret, Redacted.make("")] }, [genuine])
      assert.deepStrictEqual(statuses, [500])
      assert.deepStrictEqual(
        lines.map(({ level }) => level),
        ["ERROR"]
      )
      assert.include(lines[0]?.text, "secrets is empty")
    })
  )
})
