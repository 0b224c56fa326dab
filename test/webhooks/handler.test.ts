/** Deliveries to a server: over real sockets on this machine, in an HttpApi, and as a web handler. */
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
import { storeFailure, storeOver, type Values } from "../utils/store.js"
import { recorder } from "../utils/tracing.js"
import { connect, head, payload, post, secret, secretText, serveApp, signed } from "../utils/webhooks.js"

const noEvent = () => Effect.dieMessage("no event was expected")

/** Keeps the ids of what it is given. */
const keeper = () => {
  const ids: Array<string> = []
  return { ids, onEvent: (event: Webhook.Event) => Effect.sync(() => void ids.push(event.id)) }
}

const serving = <E, R, RD = never>(
  options: Partial<Webhook.HandlerOptions<E, R, RD>> & Pick<Webhook.HandlerOptions<E, R, RD>, "onEvent">
) => serveApp(Webhook.handler<E, R, RD>({ secrets: secret, ...options }))

const test = <A, E>(title: string, effect: Effect.Effect<A, E, Scope.Scope>) =>
  it.scoped(title, () => silent(Effect.zipRight(TestClock.setTime(start), effect)))

/** What the other side writes by hand when it posts this delivery. */
const written = ({
  body,
  headers
}: {
  readonly body: Uint8Array | string
  readonly headers: Webhook.SignatureHeaders
}) => head({ ...headers, "content-length": String(Buffer.byteLength(body)) }) + body

const listening = (server: Http.Server, event: "close") =>
  Effect.async<void>((resume) => {
    server.once("connection", (socket) => socket.once(event, () => resume(Effect.void)))
  })

/** Every kind of line that a log can be, and what is in its annotations. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<{ readonly level: string; readonly text: string }> = []
    const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
      lines.push({
        level: logLevel.label,
        text: inspect([message, HashMap.toEntries(annotations), cause], { depth: 10 })
      })
    })
    const value = yield* effect.pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    return { lines, value }
  })

describe("answers", () => {
  test(
    "200 to an event, and to the same event again",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      const { url } = yield* serving({ onEvent })
      const delivery = yield* signed(payload("evt_1"))
      assert.deepStrictEqual(yield* post(url, delivery), { status: 200, text: "" })
      assert.deepStrictEqual(yield* post(url, delivery), { status: 200, text: "" })
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual((yield* post(url, yield* signed(payload("evt_1")))).status, 200)
      assert.deepStrictEqual(ids, ["evt_1"])
    })
  )

  test(
    "401 to what is not genuine, 400 to what is no event, and handles neither",
    Effect.gen(function* () {
      const { url } = yield* serving({ onEvent: noEvent, secrets: [secret, Redacted.make("whsec_2")] })
      const good = yield* signed(payload("evt_1"))
      const { "x-signature": signature, "x-signature-timestamp": timestamp } = good.headers
      for (const [delivery, status] of [
        [{ ...good, headers: {} }, 401],
        [{ ...good, headers: { "x-signature": signature } }, 401],
        [{ ...good, headers: { "x-signature-timestamp": timestamp } }, 401],
        [{ ...good, body: `${good.body} ` }, 401],
        [{ ...good, body: "" }, 401],
        [yield* signed(payload("evt_1"), Redacted.make("whsec_3")), 401],
        [yield* signed("[]"), 400],
        [yield* signed(""), 400]
      ] as const) {
        assert.deepStrictEqual(yield* post(url, delivery), { status, text: "" })
      }
      yield* TestClock.adjust("301 seconds")
      assert.strictEqual((yield* post(url, good)).status, 401)
    })
  )

  test(
    "405 to any other method",
    Effect.gen(function* () {
      const { url } = yield* serving({ onEvent: noEvent })
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
        const answer = yield* Effect.promise(() => fetch(url, { method }))
        assert.strictEqual(answer.status, 405, method)
        assert.strictEqual(answer.headers.get("allow"), "POST")
      }
    })
  )

  test(
    "500 while no secret is usable, whoever asks",
    Effect.gen(function* () {
      const { url } = yield* serving({ onEvent: noEvent, secrets: Redacted.make(" ") })
      assert.deepStrictEqual(yield* post(url, yield* signed(payload("evt_1"))), { status: 500, text: "" })
      assert.strictEqual((yield* post(url, { body: "{}", headers: {} })).status, 500)
    })
  )

  class Busy extends Data.TaggedError("Busy") {}
  for (const [how, fails] of [
    ["fails", new Busy()],
    ["dies", Effect.die("broken")],
    ["is interrupted", Effect.interrupt]
  ] as const) {
    test(
      `500 when onEvent ${how}, and 200 to the redelivery`,
      Effect.gen(function* () {
        let tries = 0
        const { url } = yield* serving({
          onEvent: () => Effect.suspend((): Effect.Effect<void, Busy> => (++tries <= 2 ? fails : Effect.void))
        })
        const delivery = yield* signed(payload("evt_1"))
        const answers = [yield* post(url, delivery), yield* post(url, delivery), yield* post(url, delivery)]
        answers.push(yield* post(url, delivery))
        assert.deepStrictEqual(
          answers.map(({ status, text }) => `${status}${text}`),
          ["500", "500", "200", "200"]
        )
        assert.strictEqual(tries, 3)
      })
    )
  }

  test(
    "500 when onEvent throws before there is an effect",
    Effect.gen(function* () {
      const delivery = yield* signed(payload("evt_1"))
      const { lines, value } = yield* logged(
        Effect.gen(function* () {
          const { url } = yield* serving({
            onEvent: (): Effect.Effect<void> => {
              throw new Error("not even an effect")
            }
          })
          return yield* post(url, delivery)
        })
      )
      assert.strictEqual(value.status, 500)
      assert.include(lines[0]?.text, "Webhook event evt_1 was not handled")
    })
  )

  test(
    "500 while the store of handled events fails, without handling",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      let isDown = true
      const values: Values = new Map()
      const store = storeOver(values, {
        get: () => Effect.suspend(() => (isDown ? storeFailure("Busy") : Effect.void))
      })
      const dedup = yield* Layer.build(
        Layer.provide(Webhook.layerDedup(), Layer.succeed(KeyValueStore.KeyValueStore, store))
      )
      const { url } = yield* serving({ onEvent, dedup: Webhook.Dedup }).pipe(Effect.provide(dedup))
      const delivery = yield* signed(payload("evt_1"))
      assert.strictEqual((yield* post(url, delivery)).status, 500)
      assert.deepStrictEqual(ids, [])
      isDown = false
      assert.strictEqual((yield* post(url, delivery)).status, 200)
      assert.strictEqual((yield* post(url, delivery)).status, 200)
      assert.deepStrictEqual(ids, ["evt_1"])
      // An entry, its slot, and how far the cleaning has come: it was the memory that was given.
      assert.isAtLeast(values.size, 2)
    })
  )
})

describe("a body", () => {
  test(
    "may come in chunks, in one piece, or byte by byte",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      const { port } = yield* serving({ onEvent })
      for (const [name, size] of [
        ["evt_whole", 1_000_000],
        ["evt_some", 100],
        ["evt_bytes", 1]
      ] as const) {
        const { body, headers } = yield* signed(payload(name, { note: "é☃" }))
        const bytes = Buffer.from(body)
        const { answer, socket } = yield* connect(port)
        socket.write(head({ ...headers, "transfer-encoding": "chunked", connection: "close" }))
        for (let at = 0; at < bytes.length; at += size) {
          const chunk = bytes.subarray(at, at + size)
          socket.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]))
        }
        socket.write("0\r\n\r\n")
        assert.match(yield* Effect.promise(() => answer), /^HTTP\/1\.1 200 /)
      }
      assert.deepStrictEqual(ids, ["evt_whole", "evt_some", "evt_bytes"])
    })
  )

  test(
    "may be as large as the limit and no byte larger",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      const { url } = yield* serving({ onEvent, maxBodySize: 1000 })
      const sized = (id: string, size: number) => signed(`{"id":"${id}"}`.padEnd(size))
      assert.deepStrictEqual(yield* post(url, yield* sized("evt_1", 1000)), { status: 200, text: "" })
      assert.deepStrictEqual(yield* post(url, yield* sized("evt_2", 1001)), { status: 413, text: "" })
      assert.deepStrictEqual(ids, ["evt_1"])
      const standard = yield* serving({ onEvent })
      assert.strictEqual((yield* post(standard.url, yield* sized("evt_3", 1024 * 1024))).status, 200)
      assert.strictEqual((yield* post(standard.url, yield* sized("evt_4", 1024 * 1024 + 1))).status, 413)
      assert.deepStrictEqual(ids, ["evt_1", "evt_3"])
    })
  )

  for (const [name, headers] of [
    ["no length at all", { "transfer-encoding": "chunked" }],
    ["a length that is true", { "content-length": "1000000000" }],
    ["both, which is a lie", { "content-length": "2", "transfer-encoding": "chunked" }]
  ] as const) {
    test(
      `is cut off at the limit, with ${name}`,
      Effect.gen(function* () {
        const limit = 64 * 1024
        const { port } = yield* serving({ onEvent: noEvent, maxBodySize: limit })
        const { headers: signature } = yield* signed("{}")
        const { answer, socket } = yield* connect(port)
        socket.write(head({ ...signature, ...headers }))
        const isChunked = "transfer-encoding" in headers
        const block = Buffer.alloc(16 * 1024, " ")
        const chunk = isChunked ? Buffer.concat([Buffer.from("4000\r\n"), block, Buffer.from("\r\n")]) : block
        const more = (): void => {
          while (!socket.destroyed && socket.write(chunk));
        }
        socket.on("drain", more)
        more()
        // It never ends on this side, so this waits for the other one.
        const text = yield* Effect.promise(() => answer)
        // A lie about the length is refused by node itself.
        assert.match(text, name.includes("lie") ? /^HTTP\/1\.1 400 / : /^HTTP\/1\.1 413 /)
        // What the sockets on both sides hold is in it, too.
        assert.isBelow(socket.bytesWritten, 16_000_000)
      })
    )
  }

  test(
    "that is a little too large is read to its end, so that the sender sees the answer and keeps the connection",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      const { port } = yield* serving({ onEvent, maxBodySize: 1000 })
      const large = written(yield* signed(`{"id":"evt_1"}`.padEnd(1800)))
      const { answer, socket } = yield* connect(port)
      const refused = new Promise<string>((resolve) => {
        socket.once("data", (chunk) => resolve(String(chunk)))
      })
      socket.write(large.slice(0, -100))
      assert.match(yield* Effect.promise(() => refused), /^HTTP\/1\.1 413 /)
      const small = written(yield* signed(`{"id":"evt_2"}`)).replace("\r\n", "\r\nconnection: close\r\n")
      socket.write(large.slice(-100) + small)
      assert.match(yield* Effect.promise(() => answer), /HTTP\/1\.1 200 /)
      assert.deepStrictEqual(ids, ["evt_2"])
    })
  )

  test(
    "that is never finished handles nothing, and the next one is received",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      const { port, server, url } = yield* serving({ onEvent })
      const delivery = yield* signed(payload("evt_1"))
      const gone = yield* Effect.fork(listening(server, "close"))
      const { socket } = yield* connect(port)
      socket.write(written(delivery).slice(0, -5), () => socket.destroy())
      yield* Fiber.await(gone)
      assert.strictEqual((yield* post(url, delivery)).status, 200)
      assert.deepStrictEqual(ids, ["evt_1"])
    })
  )
})

describe("each event once", () => {
  test(
    "of 200 deliveries at the same time, 30 % of them duplicates",
    Effect.gen(function* () {
      const events = Array.from({ length: 140 }, (_, n) => `evt_${n}`)
      const handled = new Map<string, number>()
      const all = yield* Deferred.make<void>()
      const { url } = yield* serving({
        onEvent: ({ id }) =>
          Effect.suspend(() => {
            handled.set(id, (handled.get(id) ?? 0) + 1)
            // None ends before all have begun, so every duplicate meets its event being handled, or afterwards.
            return handled.size === events.length ? Deferred.succeed(all, undefined) : Deferred.await(all)
          })
      })
      const deliveries = [...events, ...events.slice(0, 60)]
      const statuses = yield* Effect.forEach(
        deliveries,
        (id) => Effect.flatMap(signed(payload(id)), (delivery) => post(url, delivery)),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(statuses, 200)
      assert.deepStrictEqual(new Set(statuses.map(({ status }) => status)), new Set([200]))
      assert.deepStrictEqual([...handled.keys()].sort(), [...events].sort())
      assert.deepStrictEqual(new Set(handled.values()), new Set([1]))
    })
  )

  test(
    "though the sender hangs up while it is handled: the next delivery joins it",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      let ended = 0
      let began = 0
      const closedAfter: Array<number> = []
      const { port, server, url } = yield* serving({
        onEvent: () =>
          Effect.gen(function* () {
            began += 1
            yield* Effect.addFinalizer(() => Effect.sync(() => void closedAfter.push(ended)))
            yield* Deferred.succeed(begun, undefined)
            yield* Deferred.await(go)
            ended += 1
          })
      })
      const delivery = yield* signed(payload("evt_1"))
      const gone = yield* Effect.fork(listening(server, "close"))
      const { socket } = yield* connect(port)
      socket.write(written(delivery))
      yield* Deferred.await(begun)
      socket.destroy()
      yield* Fiber.await(gone)
      const second = yield* Effect.fork(post(url, delivery))
      yield* Effect.async<void>((resume) => {
        server.once("request", () => resume(Effect.void))
      })
      assert.strictEqual(ended, 0)
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual((yield* Fiber.join(second)).status, 200)
      assert.deepStrictEqual([began, ended], [1, 1])
      // What the handling has acquired is released with it, not with the request that began it.
      assert.deepStrictEqual(closedAfter, [1])
    })
  )

  test(
    "though every sender has hung up when it ends",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      let began = 0
      const { port, server, url } = yield* serving({
        onEvent: () =>
          Effect.suspend(() => {
            began += 1
            return Deferred.succeed(begun, undefined)
          }).pipe(Effect.zipRight(Deferred.await(go)), Effect.zipRight(Deferred.succeed(ended, undefined)))
      })
      const delivery = yield* signed(payload("evt_1"))
      const gone = yield* Effect.fork(listening(server, "close"))
      const { socket } = yield* connect(port)
      socket.write(written(delivery))
      yield* Deferred.await(begun)
      socket.destroy()
      yield* Fiber.await(gone)
      yield* Deferred.succeed(go, undefined)
      yield* Deferred.await(ended)
      assert.strictEqual((yield* post(url, delivery)).status, 200)
      assert.strictEqual(began, 1)
    })
  )

  test(
    "with a time limit of the caller's that works",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const { url } = yield* serving({
        onEvent: () =>
          Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never).pipe(Effect.timeout("20 seconds"))
      })
      const answer = yield* Effect.fork(Effect.flatMap(signed(payload("evt_1")), (delivery) => post(url, delivery)))
      yield* Deferred.await(begun)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(answer)).status, 500)
    })
  )

  test(
    "within one handler: two of them know nothing of each other, unless they are given the same Dedup",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      const delivery = yield* signed(payload("evt_1"))
      for (const _ of [1, 2]) yield* post((yield* serving({ onEvent })).url, delivery)
      assert.lengthOf(ids, 2)
      const dedup = yield* Layer.build(Webhook.layerDedupMemory())
      for (const _ of [1, 2])
        yield* post((yield* Effect.provide(serving({ onEvent, dedup: Webhook.Dedup }), dedup)).url, delivery)
      assert.lengthOf(ids, 3)
    })
  )
})

describe("is served", () => {
  class Database extends Context.Tag("Database")<Database, { readonly saved: Array<string> }>() {}
  const save = ({ id }: Webhook.Event) => Effect.map(Database, ({ saved }) => void saved.push(id))

  it("asking for what onEvent and dedup ask for, but no scope", () => {
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
    "by a router, beside other routes",
    Effect.gen(function* () {
      const saved: Array<string> = []
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/health", HttpServerResponse.text("well")),
        HttpRouter.post("/webhooks/modelroute", Webhook.handler({ secrets: secret, onEvent: save }))
      )
      const { url } = yield* Effect.provideService(serveApp(router), Database, { saved })
      assert.strictEqual((yield* post(`${url}webhooks/modelroute`, yield* signed(payload("evt_1")))).status, 200)
      assert.strictEqual((yield* post(`${url}webhooks/modelroute`, { body: "{}", headers: {} })).status, 401)
      assert.strictEqual(yield* Effect.promise(async () => (await fetch(`${url}health`)).text()), "well")
      assert.deepStrictEqual(saved, ["evt_1"])
    })
  )

  class Api extends HttpApi.make("api").add(
    HttpApiGroup.make("webhooks").add(HttpApiEndpoint.post("modelroute", "/webhooks/modelroute"))
  ) {}

  /** An HttpApi with its webhooks, on a port. */
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
    "by the raw handler of an HttpApi's endpoint, with the memory that the group is provided with",
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
      const delivery = yield* signed(payload("evt_1", { note: "é" }))
      // Whatever the content type, the body reaches the handler as it came.
      for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x"]) {
        assert.deepStrictEqual(yield* post(address, delivery, { "content-type": type }), { status: 200, text: "" })
      }
      assert.deepStrictEqual(saved, ["evt_1"])
      assert.strictEqual((yield* post(address, { ...delivery, body: "{}" })).status, 401)
      assert.isAtLeast(
        yield* Effect.flatMap(Effect.provide(KeyValueStore.KeyValueStore, values), ({ size }) => size),
        2
      )
    })
  )

  test(
    "by the router of an HttpApi, outside its endpoints",
    Effect.gen(function* () {
      const saved: Array<string> = []
      const webhooks = HttpApiBuilder.group(Api, "webhooks", (handlers) =>
        handlers.handle("modelroute", () => Effect.void)
      )
      const beside = HttpApiBuilder.Router.use((router) =>
        Effect.flatMap(Effect.context<Database>(), (context) =>
          router.post("/hooks", Effect.provide(Webhook.handler({ secrets: secret, onEvent: save }), context))
        )
      )
      const { url } = yield* serveApi(Layer.merge(webhooks, beside), saved)
      const delivery = yield* signed(payload("evt_1"))
      assert.strictEqual((yield* post(`${url}hooks`, delivery)).status, 200)
      assert.strictEqual((yield* post(`${url}hooks`, { ...delivery, headers: {} })).status, 401)
      assert.deepStrictEqual(saved, ["evt_1"])
    })
  )

  test(
    "as a web handler, on any runtime",
    Effect.gen(function* () {
      const { ids, onEvent } = keeper()
      const runtime = yield* Effect.runtime<never>()
      const receive = HttpApp.toWebHandlerRuntime(runtime)(
        Webhook.handler({ secrets: secret, onEvent, maxBodySize: 1000 })
      )
      const send = (init: RequestInit) =>
        Effect.promise(async () => {
          const answer = await receive(new Request("http://127.0.0.1/", { method: "POST", ...init }))
          return `${answer.status}${await answer.text()}`
        })
      const { body, headers } = yield* signed(payload("evt_1"))
      assert.strictEqual(yield* send({ body, headers }), "200")
      assert.strictEqual(yield* send({ body, headers }), "200")
      assert.strictEqual(yield* send({ body: `${body} `, headers }), "401")
      assert.strictEqual(yield* send({ headers }), "401")
      assert.strictEqual(yield* send({ headers: (yield* signed("")).headers }), "400")
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
      const cut = { body: broken, headers, duplex: "half" }
      assert.strictEqual(yield* send(cut), "400")
      const overlong = { body: endless, headers, duplex: "half" }
      assert.strictEqual(yield* send(overlong), "413")
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
      const answer = slow(new Request("http://127.0.0.1/", { method: "POST", body, headers, signal: aborted.signal }))
      yield* Deferred.await(begun)
      aborted.abort()
      assert.strictEqual((yield* Effect.promise(() => answer)).status, 499)
      yield* Deferred.succeed(go, undefined)
      yield* Deferred.await(ended)
    })
  )
})

describe("tells", () => {
  const prompt = "a lighthouse in a storm, oil on canvas"
  const observed = <E>(
    options: Partial<Webhook.HandlerOptions<E, never>>,
    deliveries: ReadonlyArray<Webhook.Delivery>
  ) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { spans, tracer } = yield* recorder
      const { lines, value } = yield* logged(
        Effect.gen(function* () {
          const { url } = yield* serving<E, never>({ onEvent: () => Effect.void, ...options })
          return yield* Effect.forEach(deliveries, (delivery) => post(url, delivery))
        }).pipe(Effect.withTracer(tracer))
      )
      const own = spans.filter(({ name }) => name.startsWith("modelroute."))
      const told = [
        ...lines.map(({ text }) => text),
        ...own.map((span) => inspect([span.name, [...span.attributes], span.status], { depth: 10 }))
      ]
      for (const text of told) {
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

  it.scoped("one span per delivery, and nothing in the log but of a repetition, when all is well", () =>
    Effect.gen(function* () {
      const delivery = yield* Effect.zipRight(TestClock.setTime(start), signed(payload("evt_1", { prompt })))
      const { lines, spans, statuses } = yield* observed({}, [delivery, delivery])
      assert.deepStrictEqual(statuses, [200, 200])
      assert.deepStrictEqual(
        lines.map(({ level, text }) => [level, text.includes("evt_1 was handled before")]),
        [["DEBUG", true]]
      )
      assert.deepStrictEqual(spans, [
        { name: "modelroute.webhook.receive", kind: "consumer", attributes: attributes("handled") },
        { name: "modelroute.webhook.receive", kind: "consumer", attributes: attributes("duplicate") }
      ])
    })
  )

  it.scoped("why an event was not handled: a failure as a warning, a defect as an error, without what it quotes", () =>
    Effect.gen(function* () {
      class DatabaseError extends Data.TaggedError("DatabaseError")<{ readonly message: string }> {}
      const delivery = yield* Effect.zipRight(TestClock.setTime(start), signed(payload("evt_1", { prompt })))
      const other = "a-secret-of-another-form"
      const message = `insert failed for ${prompt} ${JSON.stringify(delivery.body)} with ${secretText} and ${other}`
      for (const [fails, level] of [
        [new DatabaseError({ message }), "WARN"],
        [Effect.die(new Error(message)), "ERROR"]
      ] as const) {
        const onEvent = (): Effect.Effect<void, DatabaseError> => fails
        const secrets = [secret, Redacted.make(other)] as const
        const { lines, spans, statuses } = yield* observed({ onEvent, secrets }, [delivery])
        assert.deepStrictEqual(statuses, [500])
        assert.deepStrictEqual(
          lines.map((line) => line.level),
          [level]
        )
        for (const part of ["evt_1", "exec_evt_1", "execution.completed", "insert failed for [redacted]"]) {
          assert.include(lines[0]?.text, part)
        }
        assert.notInclude(lines[0]?.text, other)
        assert.deepStrictEqual(spans, [
          { name: "modelroute.webhook.receive", kind: "consumer", attributes: attributes("failed") }
        ])
      }
    })
  )

  it.scoped("only the name of a failure when the event is too large to be kept out of its text", () =>
    Effect.gen(function* () {
      const words = Array.from({ length: 90_000 }, (_, n) => `lighthouse ${n}`).join(" ")
      const delivery = yield* Effect.zipRight(TestClock.setTime(start), signed(payload("evt_1", { prompt: words })))
      const onEvent = () => Effect.die(new RangeError(`rejected ${words.slice(5, 16)}`))
      const { lines, statuses } = yield* observed({ onEvent, maxBodySize: 2 ** 21 }, [delivery])
      assert.deepStrictEqual(statuses, [500])
      assert.include(lines[0]?.text, "RangeError (its text is withheld")
      assert.notInclude(lines[0]?.text, "rejected")
    })
  )

  it.scoped("once of each refusal, by its reason", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start - 400_000)
      const old = yield* signed(payload("evt_0"))
      yield* TestClock.setTime(start)
      const good = yield* signed(payload("evt_1"))
      const { lines, spans } = yield* observed({ maxBodySize: 1000 }, [
        { ...good, headers: {} },
        { ...good, headers: { "x-signature": good.headers["x-signature"] } },
        { ...good, body: "canary" },
        old,
        yield* signed('["canary"]'),
        yield* signed("x".repeat(2000))
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

  it.scoped("which option is wrong", () =>
    Effect.gen(function* () {
      const good = yield* Effect.zipRight(TestClock.setTime(start), signed(payload("evt_1")))
      const { lines, statuses } = yield* observed({ secrets: [secret, Redacted.make("")] }, [good])
      assert.deepStrictEqual(statuses, [500])
      assert.deepStrictEqual(
        lines.map(({ level }) => level),
        ["ERROR"]
      )
      assert.include(lines[0]?.text, "secrets is empty")
    })
  )
})
