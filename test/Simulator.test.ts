import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { crc32, inflateSync } from "node:zlib"

const { Fault } = Simulator
const flux = { model: "flux-1.1-pro", input: { prompt: "a lighthouse" } }
const now = DateTime.unsafeMake("2026-03-20T10:30:00Z").epochMillis

const Json = Schema.Record({ key: Schema.String, value: Schema.Unknown })

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

const send = (
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<Reply, HttpClientError.HttpClientError, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const response = yield* client.execute(request)
    const text = yield* response.text
    const json = yield* Schema.decodeUnknown(Schema.parseJson(Json))(text).pipe(Effect.orElseSucceed(() => ({})))
    return { status: response.status, headers: response.headers, text, json }
  })

const authorized = HttpClientRequest.bearerToken("sk_test")
const url = (path: string) => `https://api.modelroute.ai/v1${path}`
const get = (path: string) => send(HttpClientRequest.get(url(path)).pipe(authorized))
const post = (path: string, body?: unknown, key?: string) =>
  send(
    HttpClientRequest.post(url(path)).pipe(
      authorized,
      body === undefined ? (self) => self : HttpClientRequest.bodyUnsafeJson(body),
      key === undefined ? (self) => self : HttpClientRequest.setHeader("Idempotency-Key", key)
    )
  )
const create = (body: unknown = flux, key?: string) => post("/executions", body, key)
const idOf = (reply: Reply) => String(reply.json["id"])
const statusOf = (id: string) => Effect.map(get(`/executions/${id}`), (reply) => reply.json["status"])
const errorOf = (reply: Reply) => Schema.decodeUnknownSync(Json)(reply.json["error"])

/** A test that begins at 10:30 on 20 March 2026. */
const test = <E>(
  name: string,
  options: Simulator.Options,
  body: Effect.Effect<void, E, HttpClient.HttpClient | Simulator.Simulator>
) => it.effect(name, () => Effect.zipRight(TestClock.setTime(now), body).pipe(Effect.provide(Simulator.layer(options))))

/** The answer's failure, as the codes and names of its causes. */
const transport = (exit: Exit.Exit<unknown, HttpClientError.HttpClientError>) => {
  assert(Exit.isFailure(exit) && Cause.isFailType(exit.cause))
  const { error } = exit.cause
  return { tag: error._tag, reason: error.reason, cause: error.cause }
}

describe("executions", () => {
  test(
    "a create answers as documented, and the status follows the clock to the millisecond",
    {},
    Effect.gen(function* () {
      const created = yield* create()
      const id = idOf(created)
      assert.match(id, /^exec_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.strictEqual(created.status, 202)
      assert.deepStrictEqual(created.json, {
        id,
        status: "PENDING",
        model: "flux-1.1-pro",
        hold_amount: "0.048",
        estimated_cost: "0.040",
        expires_at: "2026-03-20T10:35:00Z",
        created_at: "2026-03-20T10:30:00Z"
      })
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* statusOf(id), "PENDING")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* statusOf(id), "PROCESSING")
      yield* TestClock.adjust("7419 millis")
      assert.strictEqual(yield* statusOf(id), "PROCESSING")
      yield* TestClock.adjust("1 millis")
      const { json } = yield* get(`/executions/${id}`)
      assert.deepInclude(json, { status: "COMPLETED", cost: "0.040", latency_ms: 8420 })
      assert.deepInclude(json["result"], { content_type: "image/png", width: 1024, height: 768 })
    })
  )

  test(
    "a video passes through AWAITING_WEBHOOK and is done before it expires",
    {},
    Effect.gen(function* () {
      const id = idOf(yield* create({ model: "seedance-video", input: { prompt: "waves" } }))
      yield* TestClock.adjust("119999 millis")
      assert.strictEqual(yield* statusOf(id), "PROCESSING")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* statusOf(id), "AWAITING_WEBHOOK")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* statusOf(id), "COMPLETED")
    })
  )

  test(
    "what is not finished in time expires, and gives its hold back",
    { models: { slow: { duration: "1 hour", cost: "1.00", output: "none" } }, expiresAfter: "10 minutes" },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = idOf(yield* create({ model: "slow", input: {} }))
      assert.deepInclude(yield* simulator.balance, { held: "1.200", available: "98.800" })
      yield* TestClock.adjust("599999 millis")
      assert.strictEqual(yield* statusOf(id), "PROCESSING")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* statusOf(id), "EXPIRED")
      assert.deepStrictEqual(yield* simulator.balance, {
        total: "100.000",
        held: "0.000",
        available: "100.000",
        charged: "0.000"
      })
    })
  )

  test(
    "scripted ends: FAILED with its error, CANCELLED, EXPIRED; none is charged",
    {
      faults: [
        Fault.dropAfter,
        Fault.ends({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED", message: "no" }),
        Fault.ends({ status: "CANCELLED" }),
        Fault.ends({ status: "EXPIRED" })
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* Effect.exit(create(flux, "lost"))
      const failed = idOf(yield* create(flux, "lost"))
      const cancelled = idOf(yield* create())
      const expired = idOf(yield* create())
      const completed = idOf(yield* create())
      yield* TestClock.adjust("8420 millis")
      assert.deepInclude((yield* get(`/executions/${failed}`)).json, {
        status: "FAILED",
        error: { code: "CONTENT_MODERATION_REJECTED", message: "no" }
      })
      assert.strictEqual(yield* statusOf(cancelled), "CANCELLED")
      assert.strictEqual(yield* statusOf(expired), "PROCESSING")
      yield* TestClock.setTime(now + 300_000)
      assert.strictEqual(yield* statusOf(expired), "EXPIRED")
      assert.strictEqual(yield* statusOf(completed), "COMPLETED")
      assert.deepInclude(yield* simulator.balance, { charged: "0.040", held: "0.000" })
      assert.deepStrictEqual(
        (yield* simulator.ledger).executions.map((entry) => entry.status),
        ["FAILED", "CANCELLED", "EXPIRED", "COMPLETED"]
      )
      assert.strictEqual(yield* simulator.pendingFaults, 0)
      assert.deepStrictEqual(
        (yield* simulator.requests).slice(0, 5).map((request) => request.fault),
        ["DropAfter", undefined, "Ends", "Ends", undefined]
      )
    })
  )

  test(
    "metadata comes back",
    {},
    Effect.gen(function* () {
      const id = idOf(yield* create({ ...flux, metadata: { order: 7 } }))
      assert.deepInclude((yield* get(`/executions/${id}`)).json, { metadata: { order: 7 } })
      assert.notProperty((yield* get(`/executions/${idOf(yield* create())}`)).json, "metadata")
    })
  )

  test(
    "cancel ends a running execution once, and releases its hold",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = idOf(yield* create())
      const cancelled = yield* post(`/executions/${id}/cancel`)
      assert.strictEqual(cancelled.status, 200)
      assert.deepInclude(cancelled.json, { id, status: "CANCELLED" })
      assert.deepInclude(yield* simulator.balance, { held: "0.000", total: "100.000" })
      const again = yield* post(`/executions/${id}/cancel`)
      assert.strictEqual(again.status, 409)
      assert.deepInclude(errorOf(again), { code: "EXECUTION_NOT_CANCELLABLE", retryable: false })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* statusOf(id), "CANCELLED")
      assert.deepInclude(yield* simulator.balance, { held: "0.000", total: "100.000" })
    })
  )

  test(
    "the result is refused until there is one",
    {},
    Effect.gen(function* () {
      const id = idOf(yield* create({ model: "text-generation-standard", input: { prompt: "hi" } }))
      const early = yield* get(`/executions/${id}/result`)
      assert.strictEqual(early.status, 409)
      assert.deepInclude(errorOf(early), { code: "EXECUTION_NOT_COMPLETED", retryable: false })
      yield* TestClock.adjust("2500 millis")
      const late = yield* get(`/executions/${id}/result`)
      assert.deepStrictEqual(late.json, {
        execution_id: id,
        status: "COMPLETED",
        output: { text: "text-generation-standard was asked: hi" },
        cost: "0.010",
        latency_ms: 2500
      })
    })
  )

  test(
    "`result` decides what a completed execution holds",
    {
      models: {
        separate: { duration: "1 second", cost: "0.01", output: "images", result: "separate" },
        both: { duration: "1 second", cost: "0.01", output: "images", result: "both" }
      }
    },
    Effect.gen(function* () {
      const separate = idOf(yield* create({ model: "separate", input: { num_images: 2 } }))
      const both = idOf(yield* create({ model: "both", input: { n: 3, width: 256, height: 300 } }))
      yield* TestClock.adjust("1 second")
      assert.doesNotHaveAnyKeys((yield* get(`/executions/${separate}`)).json, ["result", "output"])
      const { output } = (yield* get(`/executions/${separate}/result`)).json
      assert.lengthOf(Schema.decodeUnknownSync(Schema.Struct({ images: Schema.Array(Json) }))(output).images, 2)
      const { json } = yield* get(`/executions/${both}`)
      const { images } = Schema.decodeUnknownSync(Schema.Struct({ images: Schema.Array(Json) }))(json["output"])
      assert.deepStrictEqual(
        images.map(({ format, width, height }) => ({ format, width, height })),
        Array.from({ length: 3 }, () => ({ format: "png", width: 256, height: 300 }))
      )
      assert.strictEqual(new Set(images.map((image) => image["file_id"])).size, 3)
      assert.property(json, "result")
    })
  )

  test(
    "the list has the newest first",
    {},
    Effect.gen(function* () {
      const first = idOf(yield* create())
      const second = idOf(yield* create())
      const { executions } = Schema.decodeUnknownSync(Schema.Struct({ executions: Schema.Array(Json) }))(
        (yield* get("/executions")).json
      )
      assert.deepStrictEqual(
        executions.map((execution) => execution["id"]),
        [second, first]
      )
    })
  )

  it.effect("ids depend on the seed alone, and not on errors in between", () => {
    const ids = (seed: number, faults: Simulator.Options["faults"]) =>
      Effect.gen(function* () {
        yield* Effect.forEach(faults ?? [], () => create({}))
        return [idOf(yield* create()), idOf(yield* create())]
      }).pipe(Effect.provide(Simulator.layer({ seed, faults })))
    return Effect.gen(function* () {
      const expected = yield* ids(7, [])
      assert.deepStrictEqual(yield* ids(7, Fault.times(3, Fault.envelope("INTERNAL_ERROR"))), expected)
      assert.notDeepEqual(yield* ids(8, []), expected)
    })
  })

  it.scopedLive("ten thousand executions are no burden", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.make({
        rateLimit: false,
        balance: "1000.00",
        models: { quick: { duration: 0, cost: "0.010", output: "none" } }
      })
      const request = {
        method: "POST",
        url: "/v1/executions",
        headers: { authorization: "Bearer k" },
        body: new TextEncoder().encode(JSON.stringify({ model: "quick", input: {} })),
        origin: "https://api.modelroute.ai",
        storage: "https://storage.modelroute.example"
      }
      const started = yield* Clock.currentTimeMillis
      yield* Effect.forEach(Array.from({ length: 20_000 }), () => simulator.handle(request), { discard: true })
      assert.isBelow((yield* Clock.currentTimeMillis) - started, 10_000)
      assert.strictEqual((yield* simulator.ledger).charged, "200.000")
      assert.lengthOf(yield* simulator.requests, 10_000)
    })
  )
})

describe("validation", () => {
  const cases: ReadonlyArray<
    readonly [name: string, body: unknown, details: ReadonlyArray<readonly [string, string]>]
  > = [
    [
      "no model and no input",
      {},
      [
        ["model", "REQUIRED"],
        ["input", "REQUIRED"]
      ]
    ],
    ["no prompt", { model: "flux-1.1-pro", input: {} }, [["input.prompt", "REQUIRED"]]],
    ["not an object", [], [["", "INVALID_TYPE"]]],
    ["too wide", { model: "flux-1.1-pro", input: { prompt: "p", width: 2049 } }, [["input.width", "OUT_OF_RANGE"]]],
    ["too low", { model: "flux-1.1-pro", input: { prompt: "p", height: 255 } }, [["input.height", "OUT_OF_RANGE"]]],
    ["no integer", { model: "flux-1.1-pro", input: { prompt: "p", width: 1.5 } }, [["input.width", "INVALID_TYPE"]]],
    ["a link", { model: "other", input: { image: "https://x.test/a.png" } }, [["input.image", "URL_NOT_ACCEPTED"]]],
    ["metadata as text", { model: "other", input: {}, metadata: "m" }, [["metadata", "INVALID_TYPE"]]]
  ]
  for (const [name, body, expected] of cases) {
    test(
      name,
      {},
      Effect.gen(function* () {
        const reply = yield* create(body)
        assert.strictEqual(reply.status, 400)
        const error = errorOf(reply)
        assert.deepInclude(error, { code: "INPUT_VALIDATION_ERROR", retryable: false })
        assert.match(String(error["request_id"]), /^req_[0-9a-f]{8}$/)
        const details = Schema.decodeUnknownSync(Schema.Array(Json))(error["details"])
        const found: ReadonlyArray<ReadonlyArray<unknown>> = details.map(({ field, code }) => [field, code])
        assert.deepStrictEqual(found, expected)
      })
    )
  }

  test(
    "the sample of the documentation",
    {},
    Effect.gen(function* () {
      const reply = yield* create({ model: "flux-1.1-pro", input: { prompt: "p", width: 100 } })
      assert.deepStrictEqual(errorOf(reply)["details"], [
        { field: "input.width", code: "OUT_OF_RANGE", message: "width must be between 256 and 2048" }
      ])
    })
  )

  test(
    "a file that does not exist is no input; one that an execution has made is",
    {},
    Effect.gen(function* () {
      const made = idOf(yield* create())
      const withFile = (file: unknown) =>
        create({ model: "seedance-video", input: { prompt: "p", frames: [{ file }] } })
      const missing = yield* withFile("file_00000000-0000-4000-8000-000000000000")
      assert.strictEqual(missing.status, 400)
      assert.deepInclude(errorOf(missing), { code: "FILE_NOT_FOUND", retryable: false })
      yield* TestClock.adjust("8420 millis")
      const { json } = yield* get(`/executions/${made}`)
      const file = Schema.decodeUnknownSync(Schema.Struct({ file_id: Schema.String }))(json["result"])
      assert.strictEqual((yield* withFile(file.file_id)).status, 202)
    })
  )

  test(
    "what is not there is 404, the wrong method 405, and each is an envelope",
    {},
    Effect.gen(function* () {
      const nowhere = yield* get("/nowhere")
      const nobody = yield* get("/executions/exec_1")
      const wrong = yield* send(HttpClientRequest.del(url("/executions")).pipe(authorized))
      assert.deepStrictEqual(
        [nowhere, nobody, wrong].map((reply) => [reply.status, errorOf(reply)["code"]]),
        [
          [404, "NOT_FOUND"],
          [404, "NOT_FOUND"],
          [405, "METHOD_NOT_ALLOWED"]
        ]
      )
      assert.strictEqual(wrong.headers["allow"], "POST, GET")
    })
  )

  test(
    "a link may be a prompt",
    {},
    Effect.gen(function* () {
      assert.strictEqual((yield* create({ model: "flux-1.1-pro", input: { prompt: "https://x.test/" } })).status, 202)
    })
  )

  test(
    "any key comes in, but not none",
    {},
    Effect.gen(function* () {
      assert.strictEqual((yield* get("/executions")).status, 200)
      assert.strictEqual((yield* send(HttpClientRequest.get(url("/executions")))).status, 401)
    })
  )

  test(
    "only the keys that are known come in",
    { apiKeys: ["sk_one"] },
    Effect.gen(function* () {
      const wrong = yield* create()
      const none = yield* send(HttpClientRequest.get(url("/executions")))
      const right = yield* send(HttpClientRequest.get(url("/executions")).pipe(HttpClientRequest.bearerToken("sk_one")))
      assert.deepStrictEqual([wrong.status, none.status, right.status], [401, 401, 200])
      assert.deepInclude(errorOf(wrong), { code: "UNAUTHORIZED", retryable: false })
      assert.strictEqual(right.headers["x-ratelimit-remaining"], "59")
    })
  )
})

describe("idempotency", () => {
  test(
    "a replay is the same execution as it then is, and is not charged",
    { balance: "0.05" },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const first = yield* create(flux, "key")
      const second = yield* create(flux, "key")
      assert.strictEqual(second.status, 202)
      assert.deepStrictEqual(second.json, first.json)
      yield* TestClock.adjust("8420 millis")
      const third = yield* create(flux, "key")
      assert.deepInclude(third.json, { id: idOf(first), status: "COMPLETED" })
      const { executions, charged } = yield* simulator.ledger
      assert.lengthOf(executions, 1)
      assert.strictEqual(charged, "0.040")
      assert.deepInclude(executions[0], { idempotencyKey: "key", body: JSON.stringify(flux), held: "0.000" })
    })
  )

  test(
    "the same key with another body is a conflict",
    {},
    Effect.gen(function* () {
      yield* create(flux, "key")
      const reply = yield* create({ ...flux, input: { prompt: "another" } }, "key")
      assert.strictEqual(reply.status, 409)
      assert.deepInclude(errorOf(reply), { code: "IDEMPOTENCY_CONFLICT", retryable: false })
    })
  )

  test(
    "a key is forgotten after its life, and errors are never kept under it",
    { keyTtl: "1 hour", balance: "0.01" },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const refused = yield* create(flux, "key")
      assert.strictEqual(refused.status, 402)
      assert.deepInclude(errorOf(refused), { code: "INSUFFICIENT_BALANCE", retryable: false })
      yield* simulator.topUp("10")
      const first = idOf(yield* create(flux, "key"))
      yield* TestClock.adjust("3599999 millis")
      assert.strictEqual(idOf(yield* create(flux, "key")), first)
      yield* TestClock.adjust("1 millis")
      assert.notStrictEqual(idOf(yield* create(flux, "key")), first)
    })
  )

  test(
    "a hold is at least a cent",
    { models: { cheap: { duration: "1 second", cost: "0.0001", output: "none" } } },
    Effect.gen(function* () {
      const { json } = yield* create({ model: "cheap", input: {} })
      assert.deepInclude(json, { hold_amount: "0.010", estimated_cost: "0.0001" })
    })
  )

  test(
    "a hold keeps money from others until it is settled",
    { balance: "0.096" },
    Effect.gen(function* () {
      assert.strictEqual((yield* create()).status, 202)
      assert.strictEqual((yield* create()).status, 202)
      assert.strictEqual((yield* create()).status, 402)
      yield* TestClock.adjust("8419 millis")
      assert.strictEqual((yield* create()).status, 402)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* create({ model: "text-generation-standard", input: { prompt: "p" } })).status, 202)
      assert.deepStrictEqual(yield* (yield* Simulator.Simulator).balance, {
        total: "0.016",
        held: "0.012",
        available: "0.004",
        charged: "0.080"
      })
    })
  )
})

describe("the rate limit", () => {
  const reset = String(now / 1000 + 60)

  test(
    "counts down, refuses without counting, and opens again at the reset",
    { rateLimit: { limit: 2, window: "60 seconds" } },
    Effect.gen(function* () {
      yield* TestClock.adjust("20 seconds")
      const replies = yield* Effect.forEach([1, 2, 3, 4], () => get("/executions"))
      assert.deepStrictEqual(
        replies.map(({ status, headers }) => [status, headers["x-ratelimit-remaining"], headers["x-ratelimit-reset"]]),
        [
          [200, "1", reset],
          [200, "0", reset],
          [429, "0", reset],
          [429, "0", reset]
        ]
      )
      const [, , refused] = replies
      assert(refused !== undefined)
      assert.deepInclude(errorOf(refused), { code: "RATE_LIMITED", retryable: true })
      assert.strictEqual(refused.headers["x-ratelimit-limit"], "2")
      assert.notProperty(refused.headers, "retry-after")
      yield* TestClock.adjust("39999 millis")
      assert.strictEqual((yield* get("/executions")).status, 429)
      yield* TestClock.adjust("1 millis")
      const next = yield* get("/executions")
      assert.strictEqual(next.status, 200)
      assert.strictEqual(next.headers["x-ratelimit-reset"], String(now / 1000 + 120))
    })
  )

  test(
    "says Retry-After if it should",
    { rateLimit: { limit: 1, window: "10 seconds" }, retryAfter: true },
    Effect.gen(function* () {
      yield* get("/executions")
      yield* TestClock.adjust("2500 millis")
      assert.strictEqual((yield* get("/executions")).headers["retry-after"], "8")
    })
  )

  test(
    "no limit, no headers",
    { rateLimit: false, date: false },
    Effect.gen(function* () {
      const { headers } = yield* get("/executions")
      assert.deepStrictEqual(Object.keys(headers).sort(), ["content-length", "content-type"])
    })
  )

  test(
    "the server's clock is its own: Date, reset and times are skewed, the length of a window is not",
    { clockSkew: -90_500, rateLimit: { limit: 1, window: "60 seconds" } },
    Effect.gen(function* () {
      const created = yield* create()
      assert.strictEqual(created.headers["date"], "Fri, 20 Mar 2026 10:28:29 GMT")
      assert.strictEqual(created.json["created_at"], "2026-03-20T10:28:29Z")
      assert.strictEqual(created.headers["x-ratelimit-reset"], String(now / 1000 - 60))
      yield* TestClock.adjust("30499 millis")
      assert.strictEqual((yield* create()).status, 429)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* create()).status, 202)
    })
  )
})

describe("files", () => {
  const completed = Effect.gen(function* () {
    const id = idOf(yield* create({ ...flux, input: { ...flux.input, width: 301, height: 257 } }))
    yield* TestClock.adjust("8420 millis")
    const { json } = yield* get(`/executions/${id}`)
    return Schema.decodeUnknownSync(Schema.Struct({ file_id: Schema.String }))(json["result"]).file_id
  })

  const bytes = (link: string) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const response = yield* client.get(link)
      return { status: response.status, body: new Uint8Array(yield* response.arrayBuffer) }
    })

  test(
    "a download leads to a picture of the size that was asked for",
    {},
    Effect.gen(function* () {
      const file = yield* completed
      const { json } = yield* get(`/files/${file}/download`)
      assert.deepInclude(json, { content_type: "image/png", expires_at: "2026-03-20T11:30:08Z" })
      assert.deepStrictEqual((yield* get(`/files/${file}/url`)).json, json)
      assert.match(String(json["url"]), /^https:\/\/storage\.modelroute\.example\/files\/file_/)
      const { status, body } = yield* bytes(String(json["url"]))
      assert.strictEqual(status, 200)
      assert.strictEqual(body.length, json["size_bytes"])
      const view = new DataView(body.buffer)
      assert.deepStrictEqual([view.getUint32(16), view.getUint32(20)], [301, 257])
      const data = 8 + 25 + 60
      const end = data + 8 + view.getUint32(data)
      assert.strictEqual(view.getUint32(end), crc32(body.subarray(data + 4, end)))
      const pixels = inflateSync(body.subarray(data + 8, end))
      assert.strictEqual(pixels.length, (1 + 151) * 257)
      assert.isAbove(new Set(pixels).size, 10)
    })
  )

  test(
    "a presigned URL lives an hour, and only with its own signature and without a key",
    {},
    Effect.gen(function* () {
      const link = String((yield* get(`/files/${yield* completed}/url`)).json["url"])
      const changed = link.replace(/.$/, (last) => (last === "0" ? "1" : "0"))
      const longer = link.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999")
      assert.strictEqual((yield* bytes(changed)).status, 403)
      assert.strictEqual((yield* bytes(longer)).status, 403)
      const withKey = yield* send(HttpClientRequest.get(link).pipe(authorized))
      assert.strictEqual(withKey.status, 400)
      assert.match(withKey.text, /<Code>InvalidArgument<\/Code>/)
      assert.strictEqual((yield* send(HttpClientRequest.put(link))).status, 405)
      yield* TestClock.setTime(now + 8000 + 3_599_999)
      assert.strictEqual((yield* bytes(link)).status, 200)
      yield* TestClock.adjust("1 millis")
      const expired = yield* send(HttpClientRequest.get(link))
      assert.strictEqual(expired.status, 403)
      assert.match(expired.text, /Request has expired/)
      assert.notProperty(expired.headers, "x-ratelimit-limit")
    })
  )

  test(
    "every prompt and every picture of it looks different, and always the same",
    { models: { pair: { duration: 0, cost: "0.01", output: "images", result: "both" } } },
    Effect.gen(function* () {
      const pictures = (prompt: string) =>
        Effect.gen(function* () {
          const id = idOf(yield* create({ model: "pair", input: { prompt, n: 2, width: 256, height: 256 } }))
          const { output } = (yield* get(`/executions/${id}/result`)).json
          const Output = Schema.Struct({ images: Schema.Array(Schema.Struct({ file_id: Schema.String })) })
          return yield* Effect.forEach(Schema.decodeUnknownSync(Output)(output).images, ({ file_id }) =>
            Effect.flatMap(get(`/files/${file_id}/url`), ({ json }) =>
              Effect.map(bytes(String(json["url"])), ({ body }) => crc32(body))
            )
          )
        })
      const first = yield* pictures("a lighthouse")
      assert.deepStrictEqual(yield* pictures("a lighthouse"), first)
      assert.strictEqual(new Set([...first, ...(yield* pictures("a harbour"))]).size, 4)
    })
  )

  test(
    "`bytes` answers with the file itself",
    { download: "bytes" },
    Effect.gen(function* () {
      const file = yield* completed
      const client = yield* HttpClient.HttpClient
      const response = yield* client.execute(HttpClientRequest.get(url(`/files/${file}/download`)).pipe(authorized))
      assert.strictEqual(response.headers["content-type"], "image/png")
      const link = String((yield* get(`/files/${file}/url`)).json["url"])
      assert.deepStrictEqual(new Uint8Array(yield* response.arrayBuffer), (yield* bytes(link)).body)
    })
  )

  test(
    "`redirect` leads to the presigned URL",
    { download: "redirect", storageOrigin: "https://cdn.test/modelroute" },
    Effect.gen(function* () {
      const { status, headers } = yield* get(`/files/${yield* completed}/download`)
      assert.strictEqual(status, 302)
      assert.match(String(headers["location"]), /^https:\/\/cdn\.test\/modelroute\/files\//)
      assert.strictEqual((yield* bytes(String(headers["location"]))).status, 200)
    })
  )

  test(
    "an unknown file is 400, and so is one that is not made yet",
    {},
    Effect.gen(function* () {
      const reply = yield* get("/files/file_1/download")
      assert.strictEqual(reply.status, 400)
      assert.deepInclude(errorOf(reply), { code: "FILE_NOT_FOUND" })
    })
  )
})

describe("faults", () => {
  test(
    "a dropped connection is a reset; only `after` has an execution behind it",
    { faults: [Fault.dropBefore, Fault.dropAfter] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const before = transport(yield* Effect.exit(create(flux, "key")))
      assert.deepInclude(before, { tag: "RequestError", reason: "Transport" })
      assert.deepInclude(before.cause, { code: "ECONNRESET" })
      assert.lengthOf((yield* simulator.ledger).executions, 0)
      assert.strictEqual(transport(yield* Effect.exit(create(flux, "key"))).tag, "RequestError")
      assert.lengthOf((yield* simulator.ledger).executions, 1)
      const replay = yield* create(flux, "key")
      assert.strictEqual(idOf(replay), (yield* simulator.ledger).executions[0]?.executionId)
      assert.lengthOf((yield* simulator.ledger).executions, 1)
      assert.deepStrictEqual(
        (yield* simulator.requests).map(({ outcome, fault }) => [outcome, fault]),
        [
          ["dropped", "DropBefore"],
          ["dropped", "DropAfter"],
          [202, undefined]
        ]
      )
    })
  )

  test(
    "a cut body delivers its beginning and breaks; its length says more",
    { faults: [Fault.cutBody({ keep: 10 }), ...Fault.times(2, Fault.cutBody())] },
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const response = yield* client.execute(HttpClientRequest.get(url("/executions")).pipe(authorized))
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers["content-length"], "17")
      const received: Array<number> = []
      const failure = yield* response.stream.pipe(
        Stream.runForEach((chunk) => Effect.sync(() => received.push(...chunk))),
        Effect.flip
      )
      assert.strictEqual(new TextDecoder().decode(new Uint8Array(received)), '{"executio')
      assert.deepInclude(failure.cause, { code: "ECONNRESET" })
      const half = yield* client.execute(HttpClientRequest.get(url("/executions")).pipe(authorized))
      const lengths = yield* half.stream.pipe(
        Stream.map((chunk) => chunk.length),
        Stream.catchAll(() => Stream.empty),
        Stream.runCollect
      )
      assert.deepStrictEqual([...lengths], [8])
      assert.strictEqual(transport(yield* Effect.exit(create())).tag, "ResponseError")
      assert.lengthOf((yield* (yield* Simulator.Simulator).ledger).executions, 1)
    })
  )

  test(
    "a clean truncation looks complete",
    { faults: [Fault.truncateCleanly(), Fault.truncateCleanly({ keep: 10 })] },
    Effect.gen(function* () {
      assert.strictEqual((yield* get("/executions")).text, '{"execut')
      const reply = yield* get("/executions")
      assert.strictEqual(reply.text, '{"executio')
      assert.notProperty(reply.headers, "content-length")
    })
  )

  test(
    "a delay before the server ages nothing, a delay after it ages the Date",
    { faults: [Fault.delay("5 seconds", "before"), Fault.delay("5 seconds")] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const dates: Array<string | undefined> = []
      for (const early of [0, 1]) {
        const fiber = yield* Effect.fork(create())
        yield* TestClock.adjust("4999 millis")
        assert.lengthOf((yield* simulator.ledger).executions, dates.length + early)
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust("1 millis")
        dates.push((yield* Fiber.join(fiber)).headers["date"])
      }
      assert.deepStrictEqual(dates, ["Fri, 20 Mar 2026 10:30:05 GMT", "Fri, 20 Mar 2026 10:30:05 GMT"])
    })
  )

  test(
    "a request that hangs can be left at once",
    { faults: [Fault.hang(), Fault.hang("before")] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      for (const _ of [1, 2]) {
        const fiber = yield* Effect.fork(create())
        yield* TestClock.adjust("1 hour")
        assert.isNull(fiber.unsafePoll())
        assert(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      }
      assert.lengthOf((yield* simulator.ledger).executions, 1)
      assert.deepStrictEqual(
        (yield* simulator.requests).map((request) => request.outcome),
        ["pending", "pending"]
      )
    })
  )

  test(
    "an envelope says what it is told, with the headers of the API",
    {
      faults: [
        Fault.envelope("MODEL_OVERLOADED"),
        Fault.envelope("TEAPOT", {
          status: 418,
          message: "m",
          retryable: null,
          requestId: null,
          headers: { "X-A": "1" }
        }),
        Fault.envelope("SERVICE_UNAVAILABLE", { phase: "after" })
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const overloaded = yield* create()
      assert.strictEqual(overloaded.status, 503)
      assert.deepInclude(errorOf(overloaded), { code: "MODEL_OVERLOADED", retryable: true })
      assert.property(errorOf(overloaded), "request_id")
      assert.property(overloaded.headers, "x-ratelimit-reset")
      const teapot = yield* create()
      assert.strictEqual(teapot.status, 418)
      assert.deepStrictEqual(errorOf(teapot), { code: "TEAPOT", message: "m" })
      assert.strictEqual(teapot.headers["x-a"], "1")
      assert.lengthOf((yield* simulator.ledger).executions, 0)
      assert.strictEqual((yield* create()).status, 503)
      const { executions } = yield* simulator.ledger
      assert.lengthOf(executions, 1)
      assert.strictEqual((yield* simulator.requests)[2]?.executionId, executions[0]?.executionId)
    })
  )

  test(
    "anything else can answer instead",
    {
      faults: [
        Fault.badGateway,
        Fault.emptyOk,
        Fault.raw({ status: 200, headers: { "Content-Encoding": "gzip" }, body: "not gzip" }),
        Fault.raw({ status: 204, body: "" })
      ]
    },
    Effect.gen(function* () {
      const gateway = yield* create()
      assert.strictEqual(gateway.status, 502)
      assert.strictEqual(gateway.headers["content-type"], "text/html")
      assert.notProperty(gateway.headers, "x-ratelimit-reset")
      const empty = yield* create()
      assert.deepStrictEqual([empty.status, empty.text], [200, ""])
      assert.lengthOf((yield* (yield* Simulator.Simulator).ledger).executions, 1)
      assert.strictEqual(transport(yield* Effect.exit(create())).tag, "ResponseError")
      assert.strictEqual((yield* create()).status, 204)
    })
  )

  test(
    "a 429 of its own, on the server's clock",
    { clockSkew: 60_000, faults: [Fault.rateLimited({ resetIn: "2500 millis", retryAfter: "3" })] },
    Effect.gen(function* () {
      const reply = yield* create()
      assert.strictEqual(reply.status, 429)
      assert.deepInclude(reply.headers, {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": String(now / 1000 + 63),
        "retry-after": "3"
      })
    })
  )

  test(
    "headers can lie or be missing",
    {
      faults: [
        Fault.skewDate(-3_600_000),
        Fault.withoutHeaders(),
        Fault.withoutHeaders("X-RateLimit-Reset"),
        Fault.resetUnit("millis"),
        Fault.resetUnit("delta"),
        Fault.resetUnit("garbage"),
        Fault.resetUnit("past"),
        Fault.resetUnit("absurd")
      ]
    },
    Effect.gen(function* () {
      const replies = yield* Effect.forEach(Array.from({ length: 8 }), () => get("/executions"))
      assert.strictEqual(replies[0]?.headers["date"], "Fri, 20 Mar 2026 09:30:00 GMT")
      assert.deepStrictEqual(Object.keys(replies[1]?.headers ?? {}).sort(), ["content-length", "content-type"])
      assert.property(replies[2]?.headers, "x-ratelimit-limit")
      assert.notProperty(replies[2]?.headers, "x-ratelimit-reset")
      assert.deepStrictEqual(
        replies.slice(3).map(({ headers }) => headers["x-ratelimit-reset"]),
        [`${now / 1000 + 60}000`, "60", "soon", "1710924600", "253402300799"]
      )
    })
  )

  test(
    "a fault waits for the request that it is for",
    {
      faults: [
        Fault.on("executions.get", Fault.badGateway),
        Fault.on(({ idempotencyKey }) => idempotencyKey === "b", Fault.dropBefore),
        ...Fault.times(2, Fault.envelope("INTERNAL_ERROR"))
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      assert.strictEqual((yield* create(flux, "a")).status, 500)
      assert.strictEqual(transport(yield* Effect.exit(create(flux, "b"))).tag, "RequestError")
      assert.strictEqual((yield* get("/executions/exec_1")).status, 502)
      assert.strictEqual((yield* create(flux, "b")).status, 500)
      assert.strictEqual((yield* create(flux, "b")).status, 202)
      assert.strictEqual(yield* simulator.pendingFaults, 0)
      yield* simulator.inject(Fault.badGateway, Fault.badGateway)
      assert.strictEqual(yield* simulator.pendingFaults, 2)
      assert.strictEqual((yield* create()).status, 502)
    })
  )

  it.effect("chance is the same for the same seed, and as frequent as it should be", () => {
    const tags = (seed: number) =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        yield* Effect.forEach(Array.from({ length: 1000 }), () => Effect.exit(get("/executions")))
        return (yield* simulator.requests).map((request) => request.fault)
      }).pipe(
        Effect.provide(
          Simulator.layer({
            rateLimit: false,
            randomFaults: { seed, probability: 0.2, faults: [Fault.badGateway, Fault.dropAfter, Fault.cutBody()] }
          })
        )
      )
    return Effect.gen(function* () {
      const first = yield* tags(1)
      assert.deepStrictEqual(yield* tags(1), first)
      assert.notDeepEqual(yield* tags(2), first)
      const struck = first.filter((tag) => tag !== undefined)
      assert.isAbove(struck.length, 150)
      assert.isBelow(struck.length, 250)
      assert.deepStrictEqual([...new Set(struck)].sort(), ["CutBody", "DropAfter", "Raw"])
    })
  })
})

describe("the record", () => {
  const seen: Array<Simulator.RequestRecord> = []

  test(
    "holds what was asked, but not the key",
    { recordRequests: 2, onRequest: (record) => Effect.sync(() => seen.push(record)) },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* get("/executions")
      yield* TestClock.adjust("1 second")
      const id = idOf(yield* create(flux, "key"))
      yield* get(`/executions/${id}`)
      const requests = yield* simulator.requests
      assert.deepStrictEqual(
        requests.map(({ operation, path, at, outcome, executionId }) => [operation, path, at, outcome, executionId]),
        [
          ["executions.create", "/v1/executions", now + 1000, 202, id],
          ["executions.get", `/v1/executions/${id}`, now + 1000, 200, id]
        ]
      )
      const [first] = requests
      assert(first !== undefined)
      assert.strictEqual(first.idempotencyKey, "key")
      assert.strictEqual(first.headers["authorization"], "Bearer <redacted>")
      assert.deepStrictEqual(new TextDecoder().decode(first.body), JSON.stringify(flux))
      assert.notInclude(JSON.stringify(requests), "sk_test")
      assert.deepStrictEqual(seen.slice(1), [...requests])
    })
  )

  test(
    "reads bodies of every kind",
    {},
    Effect.gen(function* () {
      const text = JSON.stringify(flux)
      const chunks = Stream.make(new TextEncoder().encode(text.slice(0, 9)), new TextEncoder().encode(text.slice(9)))
      const base = HttpClientRequest.post(url("/executions")).pipe(authorized)
      yield* send(HttpClientRequest.bodyStream(base, chunks))
      yield* send(HttpClientRequest.bodyText(base, text))
      const bodies = (yield* (yield* Simulator.Simulator).ledger).executions.map((entry) => entry.body)
      assert.deepStrictEqual(bodies, [text, text])
    })
  )

  it.scoped("refuses options that are no amounts", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<Simulator.Options> = [
        { balance: "1,5" },
        { defaultModel: { duration: 0, cost: "1,5", output: "none" } }
      ]
      for (const options of wrong) {
        const exit = yield* Effect.exit(Simulator.make(options))
        assert(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
        assert.match(String(exit.cause.defect), /"1,5" is not an amount/)
      }
    })
  )
})

describe("the app", () => {
  it.scoped("answers on any server of the platform; a broken connection is a body that fails", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.make({ rateLimit: false })
      const handler = HttpApp.toWebHandler(Effect.provideService(Simulator.httpApp, Simulator.Simulator, simulator))
      const ask = (init: RequestInit) =>
        Effect.promise(() =>
          handler(new Request("http://sim.test/v1/executions", { headers: { authorization: "Bearer k" }, ...init }))
        )
      const created = yield* ask({ method: "POST", body: JSON.stringify(flux) })
      assert.strictEqual(created.status, 202)
      assert.strictEqual(created.headers.get("content-length"), "211")
      const { executions } = yield* simulator.ledger
      assert.deepInclude(JSON.parse(yield* Effect.promise(() => created.text())), { id: executions[0]?.executionId })
      yield* simulator.inject(Fault.dropAfter)
      const dropped = yield* ask({})
      assert(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => dropped.text()))))
    })
  )
})
