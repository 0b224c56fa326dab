/** The finer points of the contract, each with the answer or the argument that brings it out. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  ConfigProvider,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  HashMap,
  Layer,
  Logger,
  LogLevel,
  Redacted,
  Schedule,
  ScheduleDecision,
  ScheduleInterval,
  ScheduleIntervals,
  Stream,
  TestClock
} from "effect"
import { Execution, File, IdempotencyKey, ModelRouteClient, ModelRouteError, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import * as classify from "../src/internal/errors/classify.js"
import { privateTextsOf } from "../src/internal/errors/redact.js"
import { describeTransportError } from "../src/internal/http/transportError.js"
import { failureOf, valueOf } from "./utils/exit.js"
import { makeFakeClient } from "./utils/fake.js"
import {
  apiKey,
  arrivalTimes,
  image,
  isoDate,
  layer,
  prompt,
  runToEnd,
  silent,
  start,
  withClient
} from "./utils/harness.js"
import { spansOf } from "./utils/tracing.js"
import { runInVirtualTime } from "./utils/virtualTime.js"

const id = Execution.ExecutionId.make("exec_1")
const bytes = (text: string) => new TextEncoder().encode(text)

describe("RetryPolicy", () => {
  const waitOf = (policy: RetryPolicy.RetryPolicy, error: ModelRouteError.ModelRouteError, now = 0) =>
    Effect.map(Effect.zipRight(TestClock.setTime(now), policy.step(now, error, policy.initial)), ([, , decision]) =>
      ScheduleDecision.isDone(decision) ? undefined : ScheduleIntervals.start(decision.intervals) - now
    )
  const limited = (retryAfter: Duration.DurationInput) =>
    new ModelRouteError.RateLimited({ retryAfter: Duration.decode(retryAfter) })

  it.effect("waits as long as the error says, at least the minimum, at most maxWait", () =>
    Effect.gen(function* () {
      const { rateLimit } = RetryPolicy
      assert.strictEqual(yield* waitOf(rateLimit(), limited("3 seconds")), 3000)
      assert.strictEqual(yield* waitOf(rateLimit(), limited("200 millis")), 1000)
      assert.strictEqual(yield* waitOf(rateLimit({ minDelay: "5 seconds" }), limited("200 millis")), 5000)
      assert.strictEqual(
        yield* waitOf(rateLimit({ minDelay: "1 minute" }), new ModelRouteError.RateLimited({})),
        60_000
      )
      assert.strictEqual(yield* waitOf(rateLimit(), limited("2 minutes")), 120_000)
      assert.isUndefined(yield* waitOf(rateLimit(), limited(120_001)))
      assert.strictEqual(yield* waitOf(rateLimit({ maxWait: "10 minutes" }), limited("10 minutes")), 600_000)
      assert.isUndefined(yield* waitOf(rateLimit({ maxWait: "2 seconds" }), limited(2001)))
    })
  )
  it.effect("waits until the moment of the reset, however long the body took", () =>
    Effect.gen(function* () {
      const error = new ModelRouteError.RateLimited({
        retryAfter: Duration.seconds(5),
        resetAt: DateTime.unsafeMake(start + 5000)
      })
      assert.strictEqual(yield* waitOf(RetryPolicy.rateLimit(), error, start + 2000), 3000)
      assert.strictEqual(yield* waitOf(RetryPolicy.rateLimit(), error, start + 9000), 1000)
    })
  )
  it.effect("a 429 with an unknown code that says no is not waited for", () =>
    Effect.gen(function* () {
      const error = new ModelRouteError.UnrecognizedError({ status: 429, retryable: false, code: "QUOTA_GONE" })
      assert.isUndefined(yield* waitOf(RetryPolicy.standard, error))
    })
  )
  it("reads joined headers, and takes no moment long past for seconds from now", () => {
    const seconds = (headers: Record<string, string>) => {
      const o = RetryPolicy.rateLimitDelay(headers, start)
      return o._tag === "None" ? undefined : Duration.toSeconds(o.value)
    }
    assert.strictEqual(seconds({ "retry-after": "2, 5" }), 5)
    // More than a day is no number of seconds from now, it is a moment long past.
    assert.isUndefined(seconds({ "x-ratelimit-reset": "86401" }))
    assert.strictEqual(seconds({ "x-ratelimit-reset": "86400" }), 86_400)
    assert.isUndefined(seconds({ "x-ratelimit-reset": String(start / 1000 - 86_400) }))
  })
  it("tells the allowance, the smallest where proxies joined several", () => {
    const error = classify.fromResponse(
      {
        status: 429,
        headers: { "x-ratelimit-limit": "100, 60", "x-ratelimit-remaining": "7, 0" },
        body: new Uint8Array(),
        receivedAt: start
      },
      { operation: "executions.get", attempts: 1, isRepeatable: true }
    )
    assert.deepStrictEqual(error._tag === "RateLimited" && [error.limit, error.remaining], [60, 0])
  })
})

describe("request", () => {
  it.effect("repeats exactly the methods that are idempotent", () =>
    Effect.gen(function* () {
      for (const [method, count] of [
        ["GET", 2],
        ["HEAD", 2],
        ["PUT", 2],
        ["DELETE", 2],
        ["OPTIONS", 2],
        ["POST", 1],
        ["PATCH", 1]
      ] as const) {
        const { client, urls } = makeFakeClient((_, n) => (n === 1 ? { status: 502 } : { status: 200, json: {} }))
        yield* runToEnd(Effect.flatMap(client, ({ request }) => request(method, "/x")))
        assert.lengthOf(urls, count, method)
      }
    })
  )
  it.effect("misses no body in the answer to a HEAD", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, headers: { "content-length": "5" } }))
    return Effect.gen(function* () {
      assert.isUndefined(valueOf(yield* runToEnd((yield* client).request("HEAD", "/x"))))
      assert.lengthOf(urls, 1)
    })
  })
  it.effect("only /v1 itself counts as the version", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: {} }))
    return Effect.gen(function* () {
      const { request } = yield* client
      for (const path of ["/v1", "/v1?a=b", "/v10/x"]) yield* request("GET", path)
      assert.deepStrictEqual(
        urls.map((url) => new URL(url).pathname + new URL(url).search),
        ["/v1", "/v1?a=b", "/v1/v10/x"]
      )
    })
  })
  it.effect("retries a conflict only under a key, and its error tells method and key, and no prompt", () =>
    Effect.gen(function* () {
      const failing = (key?: string) => {
        const { client, urls } = makeFakeClient(() => ({
          status: 409,
          json: { error: { code: "CONFLICT", message: `not "${prompt}"` } }
        }))
        return Effect.gen(function* () {
          const call = (yield* client).request("POST", "/executions", image)
          const exit = yield* runToEnd(key === undefined ? call : IdempotencyKey.withKey(call, key))
          return { error: failureOf(exit), sent: urls.length }
        })
      }
      const keyed = yield* failing("mine")
      assert.strictEqual(keyed.sent, 4)
      assert.strictEqual(keyed.error.idempotencyKey, "mine")
      assert.strictEqual(keyed.error.operation, "request POST")
      assert.notInclude(JSON.stringify(keyed.error), prompt)
      const bare = yield* failing()
      assert.strictEqual(bare.sent, 1)
      assert.isUndefined(bare.error.idempotencyKey)
    })
  )
  it.effect("JSON that breaks off is asked for again", () => {
    const { client, urls } = makeFakeClient((_, n) => ({ status: 200, text: n === 1 ? '{"data":[1' : '{"data":[1]}' }))
    return Effect.gen(function* () {
      assert.deepStrictEqual(valueOf(yield* runToEnd((yield* client).request("GET", "/x"))), { data: [1] })
      assert.lengthOf(urls, 2)
    })
  })
  it.effect("a body without a JSON form is refused", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: {} }))
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).request("POST", "/x", () => 1)))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "body")
      assert.deepStrictEqual(urls, [])
    })
  })
})

describe("answers", () => {
  it.effect("an empty or broken-off success was lost: it is asked for again", () =>
    Effect.gen(function* () {
      for (const text of ["", '{"id":"exec_1","status":"PEN']) {
        const { client, urls } = makeFakeClient((_, n) =>
          n === 1 ? { status: 200, text } : { status: 200, json: { id: "exec_1", status: "PENDING" } }
        )
        valueOf(yield* runToEnd((yield* client).executions.get(id)))
        assert.lengthOf(urls, 2)
      }
    })
  )
  it.effect("a success that holds an envelope is its error; an execution's own error is not", () =>
    Effect.gen(function* () {
      const error = { code: "INSUFFICIENT_BALANCE", message: "no money" }
      const refused = makeFakeClient(() => ({ status: 200, json: { error } }))
      const exit = yield* Effect.exit((yield* refused.client).request("GET", "/x"))
      assert.strictEqual(failureOf(exit)._tag, "InsufficientBalance")
      for (const told of [{ id: "exec_1" }, { execution_id: "exec_1" }, { status: "FAILED" }]) {
        const { client } = makeFakeClient(() => ({ status: 200, json: { ...told, error } }))
        assert.deepStrictEqual(yield* (yield* client).request("GET", "/x"), { ...told, error })
      }
    })
  )
  const endless = (chunk: number, of: number) => {
    const pulled = { bytes: 0 }
    const body = Stream.repeatEffect(
      Effect.sync(() => {
        pulled.bytes += chunk
        return new Uint8Array(chunk).fill(120)
      })
    ).pipe(Stream.take(of / chunk))
    return { body, pulled }
  }
  const MiB = 1024 * 1024
  it.effect("reads at most 64 MiB of a success and 1 MiB of an error, also where the length is declared", () =>
    Effect.gen(function* () {
      for (const [status, most, whole] of [
        [200, 64 * MiB, 96 * MiB],
        [500, MiB, 32 * MiB]
      ] as const) {
        for (const headers of [{}, { "content-length": String(whole) }]) {
          const { body, pulled } = endless(MiB / 4, whole)
          const { client } = makeFakeClient(
            () => ({ status, headers: { "content-type": "text/plain", ...headers }, body }),
            {
              retry: RetryPolicy.none
            }
          )
          const exit = yield* Effect.exit((yield* client).request("GET", "/x"))
          assert.isTrue(Exit.isFailure(exit))
          const error = failureOf(exit)
          assert.strictEqual(error._tag, "UnexpectedResponse")
          if (status === 200) assert.include(error.message, "larger than 64 MiB")
          assert.isAtMost(pulled.bytes, most + 2 * MiB)
        }
      }
    })
  )
  it.effect("half an error page says less than sending again; a whole envelope counts though the body is cut", () =>
    Effect.gen(function* () {
      const failing = (status: number, text: string) => {
        const { client } = makeFakeClient(() => ({ status, text, headers: { "content-length": "999" } }), {
          retry: RetryPolicy.none
        })
        return Effect.map(runToEnd(Effect.flatMap(client, ({ executions }) => executions.get(id))), failureOf)
      }
      const cut = yield* failing(500, "<html><bo")
      assert.strictEqual(cut._tag === "TransportError" && cut.reason, "truncated")
      const whole = yield* failing(400, '{"error":{"code":"FILE_NOT_FOUND","message":"gone"}}')
      assert.strictEqual(whole._tag, "FileNotFound")
    })
  )
  it.effect("a body cut short of its declared length is truncated, unless it was packed", () =>
    Effect.gen(function* () {
      const json = { id: "exec_1", status: "PENDING" }
      const none = { retry: RetryPolicy.none }
      const short = makeFakeClient(() => ({ status: 200, json, headers: { "content-length": "999" } }), none)
      const error = failureOf(yield* Effect.exit((yield* short.client).executions.get(id)))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
      const packed = makeFakeClient(
        () => ({ status: 200, json, headers: { "content-length": "999", "content-encoding": "gzip" } }),
        none
      )
      assert.strictEqual((yield* (yield* packed.client).executions.get(id)).status, "PENDING")
    })
  )
  it.effect("understands a client that turns a status into a failure, and one that cannot make the request", () =>
    Effect.gen(function* () {
      const strict = makeFakeClient(
        () => ({ status: 402, json: { error: { code: "INSUFFICIENT_BALANCE", message: "x" } } }),
        {
          transformClient: HttpClient.filterStatusOk
        }
      )
      const refused = failureOf(yield* Effect.exit((yield* strict.client).executions.get(id)))
      assert.strictEqual(refused._tag, "InsufficientBalance")
      const lost = makeFakeClient(() => ({ status: 200 }), {
        transformClient: HttpClient.mapRequest(HttpClientRequest.setUrl("http://["))
      })
      const error = failureOf(yield* runToEnd(Effect.flatMap(lost.client, ({ executions }) => executions.get(id))))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "request")
      assert.strictEqual(error.attempts, 1)
    })
  )
  it("tells why a transport failed, whatever the runtime calls it", () => {
    const request = HttpClientRequest.get("https://x")
    const reasonOf = (cause: unknown) =>
      describeTransportError(new HttpClientError.RequestError({ request, reason: "Transport", cause })).reason
    for (const [code, reason] of [
      ["ENOTFOUND", "connect"],
      ["UND_ERR_CONNECT_TIMEOUT", "connect"],
      ["CERT_HAS_EXPIRED", "connect"],
      ["DEPTH_ZERO_SELF_SIGNED_CERT", "connect"],
      ["ERR_TLS_CERT_ALTNAME_INVALID", "connect"],
      ["ERR_SSL_WRONG_VERSION_NUMBER", "connect"],
      ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "connect"],
      ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "reset"],
      ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "reset"],
      ["EPIPE", "reset"],
      ["UND_ERR_SOCKET", "reset"],
      ["ETIMEDOUT", "timeout"],
      ["UND_ERR_BODY_TIMEOUT", "timeout"],
      ["E_NEW", "unknown"]
    ] as const) {
      const error = Object.assign(new Error("x"), { code })
      assert.strictEqual(reasonOf(error), reason, code)
      assert.strictEqual(reasonOf(new Error("fetch failed", { cause: error })), reason, code)
      assert.strictEqual(reasonOf(new AggregateError([error])), reason, code)
    }
    for (const [syscall, reason] of [
      ["connect", "connect"],
      ["read", "reset"],
      ["write", "reset"]
    ] as const) {
      const error = Object.assign(new Error("x"), { code: "EHOSTUNREACH", syscall })
      assert.strictEqual(reasonOf(new Error("fetch failed", { cause: error })), reason, syscall)
    }
    const cyclic = new Error("x")
    cyclic.cause = cyclic
    assert.strictEqual(reasonOf(cyclic), "unknown")
  })
})

describe("observability", () => {
  it.effect("every span of a call on an execution has its id, and an interrupted one says so", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { executions } = client
        const { id } = yield* executions.create(image)
        const calls = {
          "executions.create": executions.create(image, { idempotencyKey: "key-1" }),
          "executions.get": executions.get(id),
          "executions.result": executions.result(id),
          "executions.watch": Stream.runDrain(Stream.take(executions.watch(id), 1)),
          "executions.cancel": executions.cancel(id),
          "executions.await": executions.await(id)
        }
        for (const [operation, call] of Object.entries(calls)) {
          const spans = yield* spansOf(runToEnd<unknown, unknown, never>(call))
          assert.deepStrictEqual(
            spans.map(({ kind, name }) => [name, kind]),
            [[`modelroute.${operation}`, "client"]]
          )
          if (operation === "executions.watch") continue
          assert.strictEqual(spans[0]?.attributes.get("modelroute.execution_id"), id, operation)
        }
        const [span] = yield* spansOf(
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(executions.run(image))
            yield* TestClock.adjust("1 second")
            yield* Fiber.interrupt(fiber)
          })
        )
        assert.strictEqual(span?.attributes.get("modelroute.outcome"), "interrupted")
      })
    ).pipe(Effect.provide(layer()))
  )
  it.effect("polls are Debug however long, and say of which execution; a transport's failure says how", () => {
    const lines: Array<readonly [string, unknown, Record<string, unknown>]> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push([
        logLevel.label,
        Array.isArray(message) ? message[0] : message,
        Object.fromEntries(HashMap.toEntries(annotations))
      ])
    })
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      const { id } = yield* executions.create(image)
      const { inject } = yield* Simulator
      yield* inject(Fault.dropBefore)
      yield* runToEnd(executions.await(id, { pollSchedule: Schedule.spaced("9 seconds") }))
      assert.deepStrictEqual(lines, [
        [
          "DEBUG",
          `Next poll of ${id} in 9 s`,
          { operation: "executions.await", reason: "poll", executionId: id, waitMillis: 9000 }
        ],
        [
          "DEBUG",
          "Waiting 1 s before executions.await is sent again (TransportError: reset)",
          {
            operation: "executions.await",
            reason: "TransportError",
            detail: "reset",
            attempt: 1,
            executionId: id,
            waitMillis: 1000
          }
        ]
      ])
    }).pipe(
      Effect.provide([layer(), Logger.replace(Logger.defaultLogger, logger)]),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
  })
  it.effect("layerConfig takes the other options, and the base URL where the configuration has none", () => {
    const urls: Array<string> = []
    const http = HttpClient.make((_, url) => {
      urls.push(url.href)
      return Effect.never
    })
    return Effect.gen(function* () {
      const client = yield* ModelRouteClient.ModelRouteClient
      const error = failureOf(yield* runToEnd(client.request("GET", "/x")))
      assert.strictEqual(error.attempts, 1)
      assert.include(error.message, "the limit of one attempt is 2 s")
      assert.deepStrictEqual(urls, ["https://proxy.example/v1/x"])
    }).pipe(
      Effect.provide(
        ModelRouteClient.layerConfig({
          baseUrl: "https://proxy.example",
          attemptTimeout: "2 seconds",
          retry: RetryPolicy.none
        }).pipe(Layer.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layer)))
      ),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["MODELROUTE_API_KEY", "sk_1"]])))
    )
  })
})

describe("keys", () => {
  it.effect("is checked wherever it comes from, and may have 255 characters", () =>
    Effect.gen(function* () {
      const longest = "x".repeat(255)
      const sent = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
      yield* (yield* sent.client).executions.create(image, { idempotencyKey: longest })
      assert.deepStrictEqual(
        sent.headers.map((headers) => headers["idempotency-key"]),
        [longest]
      )
      const create = withClient((client) =>
        Effect.exit(client.executions.create(image).pipe(IdempotencyKey.withKey(" padded")))
      )
      const given = failureOf(yield* create.pipe(Effect.provide(layer())))
      assert.strictEqual(given._tag === "InvalidRequest" && given.field, "idempotencyKey")
      const keys = Layer.succeed(IdempotencyKey.IdempotencyKey, { next: () => Effect.succeed("line\nbreak") })
      const made = failureOf(
        yield* withClient((client) => Effect.exit(client.executions.create(image))).pipe(
          Effect.provide(layer({ keys }))
        )
      )
      assert.strictEqual(made._tag === "InvalidRequest" && made.field, "idempotencyKey")
    })
  )
})

describe("files", () => {
  const file = File.FileId.make("file_1")
  const link = "https://storage.example/f?X-Amz-Signature=canary0123456789"
  const document = { url: link, expires_at: isoDate(start + 3_600_000) }
  const collect = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
    Effect.map(Stream.runCollect(stream), (chunks) => Buffer.concat([...chunks]).toString())
  const png = { "content-type": "image/png" }

  it.effect(
    "a body shorter than its declared length is truncated, from the API or the storage; a packed one has another length",
    () =>
      Effect.gen(function* () {
        const short = { status: 200, text: "abc", headers: { ...png, "content-length": "5" } }
        for (const first of [short, { status: 302, headers: { location: link } }]) {
          const { client } = makeFakeClient((_, n) => (n === 1 ? first : short))
          const error = failureOf(yield* runToEnd(collect((yield* client).files.download(file))))
          assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
          assert.include(error.message, "3 of 5 bytes")
        }
        const packed = makeFakeClient(() => ({ ...short, headers: { ...short.headers, "content-encoding": "gzip" } }))
        assert.strictEqual(yield* collect((yield* packed.client).files.download(file)), "abc")
      })
  )
  it.effect("the signature of every hop is secret", () => {
    const { client } = makeFakeClient((_, n) =>
      n < 3
        ? { status: 302, headers: { location: n === 1 ? link : "/next?sig=other0123456789" } }
        : { status: 403, text: "<Error>canary0123456789 other0123456789</Error>" }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit(collect((yield* client).files.download(file))))
      assert.notInclude(JSON.stringify(error), "canary")
      assert.notInclude(JSON.stringify(error), "other0123")
    })
  })
  it.effect("JSON of another type than the API's own is a stored file; a link can be long", () =>
    Effect.gen(function* () {
      for (const type of ["application/geo+json", "application/jsonl"]) {
        const { client, urls } = makeFakeClient(() => ({
          status: 200,
          json: document,
          headers: { "content-type": type }
        }))
        assert.strictEqual(yield* collect((yield* client).files.download(file)), JSON.stringify(document))
        assert.lengthOf(urls, 1)
      }
      const large = { ...document, size_bytes: 3, pad: "x".repeat(70_000) }
      const { client, urls } = makeFakeClient((_, n) =>
        n === 1 ? { status: 200, json: large } : { status: 200, text: "abc" }
      )
      assert.strictEqual(yield* collect((yield* client).files.download(file)), "abc")
      assert.lengthOf(urls, 2)
    })
  )
  it.effect("only a redirect is followed; an empty file is a file", () =>
    Effect.gen(function* () {
      const refused = makeFakeClient(() => ({ status: 403, text: "no", headers: { location: link } }))
      const error = failureOf(yield* Effect.exit(collect((yield* refused.client).files.download(file))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)
      assert.lengthOf(refused.urls, 1)
      const empty = makeFakeClient(() => ({ status: 204 }))
      assert.strictEqual(yield* collect((yield* empty.client).files.download(file)), "")
    })
  )
  it.effect("asks for a url again", () => {
    const { client, urls } = makeFakeClient((_, n) => (n === 1 ? { status: 502 } : { status: 200, json: document }))
    return Effect.gen(function* () {
      valueOf(yield* runToEnd((yield* client).files.url(file)))
      assert.lengthOf(urls, 2)
    })
  })
})

describe("classify", () => {
  const context: classify.ErrorContext = { operation: "executions.create", attempts: 1, isRepeatable: true }
  const answer = (status: number, json: unknown, headers: Record<string, string> = {}): classify.ResponseData => ({
    status,
    headers,
    body: bytes(typeof json === "string" ? json : JSON.stringify(json)),
    receivedAt: start
  })
  it("retries 408, 429, 500, 502, 503, 504 and 520 to 530 of an idempotent call, and nothing else", () => {
    for (const [status, retryable] of [
      [408, true],
      [429, true],
      [500, true],
      [501, false],
      [519, false],
      [520, true],
      [530, true],
      [531, false],
      [502, true],
      [503, true],
      [504, true],
      [400, false]
    ] as const) {
      assert.strictEqual(classify.fromResponse(answer(status, ""), context).retryable, retryable, String(status))
    }
  })
  it("request id from the header where the body has none", () => {
    const envelope = { error: { code: "INTERNAL_ERROR", message: "x" } }
    for (const name of ["x-request-id", "request-id", "x-amz-request-id"]) {
      for (const body of [envelope, "<html>"]) {
        const error = classify.fromResponse(answer(500, body, { [name]: "req_9" }), context)
        assert.strictEqual("requestId" in error && error.requestId, "req_9", name)
      }
    }
    const both = { error: { ...envelope.error, request_id: "req_1" } }
    const error = classify.fromResponse(answer(500, both, { "x-request-id": "req_9" }), context)
    assert.strictEqual("requestId" in error && error.requestId, "req_1")
  })
  it("a flat body needs code and message; blanks around a code are forgiven", () => {
    assert.strictEqual(
      classify.fromResponse(answer(400, { code: "FILE_NOT_FOUND" }), context)._tag,
      "UnexpectedResponse"
    )
    const error = classify.fromResponse(answer(400, { error: { code: " file_not_found " } }), context)
    assert.strictEqual(error._tag, "FileNotFound")
    assert.include(error.message, "a file is unknown or has expired")
  })
  it("advises by what sending again would do", () => {
    const unkeyed = classify.transportError("reset", { ...context, isRepeatable: false })
    assert.include(unkeyed.message, "The request may have been executed")
    const keyed = classify.transportError("reset", { ...context, attempts: 2, idempotencyKey: "key-1", isKeyed: true })
    assert.include(keyed.message, "failed after 2 attempts:")
    assert.include(keyed.message, "use the idempotency key key-1")
    assert.notInclude(classify.transportError("reset", context).message, "idempotency key")
  })
  it("says the wait as people say it", () => {
    const message = (after: string) =>
      classify.fromResponse(
        answer(429, { error: { code: "RATE_LIMITED", message: "x" } }, { "retry-after": after }),
        context
      ).message
    assert.include(message("7.34"), "resets in 7.3 s.")
    assert.include(message("125"), "resets in 2 min 5 s.")
    assert.include(message("9000"), "resets in 2.5 h.")
  })
  it("has defaults, so that a test can make any error", () => {
    for (const Class of ModelRouteError.ApiError.members) {
      const error = new Class({})
      const [code, { retryable, status }] =
        Object.entries(ModelRouteError.codes).find(([, { tag }]) => tag === error._tag) ?? assert.fail(error._tag)
      assert.deepStrictEqual([error.code, error.status, error.retryable], [code, status, retryable])
      assert.isTrue(ModelRouteError.isApiError(error))
      assert.isTrue(error.message.length > 10)
    }
    assert.isTrue(new ModelRouteError.TransportError({ reason: "reset", message: "x" }).retryable)
    assert.isFalse(ModelRouteError.isApiError(new ModelRouteError.Unauthorized({})))
    assert.isFalse(ModelRouteError.isApiError({ _tag: "RateLimited" }))
  })
  it("each kind of secret alone", () => {
    for (const [said, secret] of [
      ["unknown key sk_live_canary-1.x", "canary"],
      ["secret whsec_canary1", "canary"],
      ["header Bearer canary.abc", "canary"],
      ["see https://x.example/f?token=canary", "canary"],
      ["see https:\\/\\/x.example\\/f?token=canary", "canary"],
      ["see https://x.example/f#canary", "canary"],
      ["X-Amz-Signature=canary", "canary"],
      ["X-Amz-Credential%3Dcanary", "canary"],
      ['"X-Amz-Security-Token": canary', "canary"]
    ] as const) {
      const error = classify.fromResponse(answer(400, { error: { code: "NEW", message: said } }), context)
      assert.notInclude(JSON.stringify(error), secret, said)
    }
  })
  it("quotes of the request in every spelling, in lists, short ones as words", () => {
    const said = (body: unknown, message: string) => {
      const error = classify.fromResponse(answer(400, { error: { code: "NEW", message } }), {
        ...context,
        confidential: { privateTexts: privateTextsOf(body) }
      })
      return "apiMessage" in error ? error.apiMessage : undefined
    }
    const quoted = '"wolf" "fox" <in> "snow"'
    for (const text of [
      quoted,
      JSON.stringify(quoted),
      quoted.replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;"),
      encodeURIComponent(quoted)
    ]) {
      for (const body of [{ input: { prompt: quoted } }, { input: { prompts: [{ text: quoted }] } }]) {
        assert.notMatch(String(said(body, `no: ${text}`)), /wolf|fox|snow/)
      }
    }
    const body = { input: { prompt: "tiger", style: "cat", file: "file_abc123" } }
    assert.strictEqual(
      said(body, "no: tiger, concatenated cat, file_abc123"),
      "no: [redacted], concatenated [redacted], file_abc123"
    )
    const long = { input: { prompt } }
    assert.strictEqual(said(long, `no: ${prompt.slice(0, 14)}!`), "no: [redacted]!")
    assert.strictEqual(said(long, `no: ${prompt.slice(0, 31)}!`), "no: [redacted]!")
    // What only looks like an id is text.
    assert.strictEqual(said({ input: { prompt: "pass_hunter2" } }, "no: pass_hunter2"), "no: [redacted]")
    // Half a character is text as well.
    assert.strictEqual(said({ input: { prompt: "\ud800 and more" } }, "no"), "no")
  })
  it("content type and transport words are scrubbed", () => {
    const quoting = { ...context, confidential: { privateTexts: privateTextsOf({ input: { prompt } }) } }
    const page = classify.fromResponse(answer(500, "x", { "content-type": `text/${prompt}` }), quoting)
    assert.notInclude(JSON.stringify(page), prompt)
    assert.notInclude(JSON.stringify(classify.transportError("reset", quoting, prompt)), prompt)
  })
})

describe("executions", () => {
  it.effect("refuse an input that is no object", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const request: Execution.CreateRequest = JSON.parse('{"model":"m","input":["a"]}')
      const error = failureOf(yield* Effect.exit((yield* client).executions.create(request)))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "input")
      assert.deepStrictEqual(urls, [])
    })
  })
  it.effect("tell all that the API told of a failure", () => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      json: {
        id: "exec_1",
        status: "FAILED",
        error: {
          code: "MODEL_OVERLOADED",
          message: "busy",
          retryable: false,
          request_id: "req_1",
          details: [{ field: "input.width", code: "MAX", message: "too wide" }]
        }
      }
    }))
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd((yield* client).executions.await(id)))
      assert.strictEqual(error._tag, "ModelOverloaded")
      if (error._tag !== "ModelOverloaded") return
      assert.isFalse(error.retryable)
      assert.strictEqual(error.requestId, "req_1")
      assert.strictEqual(error.status, 503)
      assert.include(error.message, "Execution exec_1 failed: ")
      assert.include(error.message, "input.width: too wide (MAX).")
    })
  })
  it.effect("keep what was known before /result was asked", () => {
    const { client } = makeFakeClient((url) => ({
      status: 200,
      json: url.endsWith("/result")
        ? { execution_id: "exec_1", status: "COMPLETED", output: "out", result: "res", page: 2 }
        : { id: "exec_1", status: "COMPLETED", region: "EU", page: 1 }
    }))
    return Effect.gen(function* () {
      const completed = valueOf(yield* runToEnd((yield* client).executions.await(id)))
      assert.strictEqual(completed.output, "out")
      assert.deepStrictEqual(completed.extra, { region: "EU", page: 2 })
    })
  })
  it.effect("nothing is cancelled where nobody interrupted", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const options = { cancelOnInterrupt: true, timeout: "3 seconds" } as const
        const error = failureOf(yield* runToEnd(client.executions.run(image, options)))
        assert.strictEqual(error._tag, "AwaitTimeout")
        assert.strictEqual(error.idempotencyKey, "key-1")
        assert.deepStrictEqual(yield* arrivalTimes("executions.cancel"), [])
      })
    ).pipe(Effect.provide(layer()))
  )
  it.effect("cancel out of an await, too", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const fiber = yield* Effect.fork(client.executions.await(id, { cancelOnInterrupt: true }))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* arrivalTimes("executions.cancel"), [1000])
      })
    ).pipe(Effect.provide(layer()))
  )
  const status = (code: number, name = "NEW") => ({ status: code, json: { error: { code: name, message: "x" } } })
  it.effect("only a 404 of /result is forgiven", () => {
    const { client } = makeFakeClient((url) =>
      url.endsWith("/result") ? status(403) : { status: 200, json: { id: "exec_1", status: "COMPLETED" } }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd((yield* client).executions.await(id)))
      assert.strictEqual(error._tag === "UnrecognizedError" && error.status, 403)
    })
  })
  it.effect(
    "result: refused although COMPLETED without output fails with the refusal; 401, 429 and 5xx are no refusals",
    () =>
      Effect.gen(function* () {
        for (const [code, name, asked] of [
          [404, "NEW", 2],
          [401, "UNAUTHORIZED", 1],
          [429, "RATE_LIMITED", 1],
          [500, "INTERNAL_ERROR", 1]
        ] as const) {
          const { client, urls } = makeFakeClient(
            (url) =>
              url.endsWith("/result")
                ? status(code, name)
                : { status: 200, json: { id: "exec_1", status: "COMPLETED" } },
            { retry: RetryPolicy.none }
          )
          const error = failureOf(yield* Effect.exit((yield* client).executions.result(id)))
          assert.strictEqual("status" in error && error.status, code)
          assert.lengthOf(urls, asked)
        }
      })
  )
  it.effect("cancel: an answer without a status is looked at again; a refusal is told when the look fails, too", () =>
    Effect.gen(function* () {
      const bare = makeFakeClient((url) => ({
        status: 200,
        json: url.endsWith("/cancel") ? { id: "exec_1" } : { id: "exec_1", status: "CANCELLED" }
      }))
      assert.strictEqual((yield* (yield* bare.client).executions.cancel(id)).status, "CANCELLED")
      const lost = makeFakeClient((url) =>
        url.endsWith("/cancel") ? status(409, "NOT_CANCELLABLE") : status(500, "INTERNAL_ERROR")
      )
      const error = failureOf(yield* Effect.exit((yield* lost.client).executions.cancel(id)))
      assert.strictEqual(error._tag === "UnrecognizedError" && error.code, "NOT_CANCELLABLE")
    })
  )
  it.effect("say when a cancel fails", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => void lines.push([logLevel.label, message]))
    const { client } = makeFakeClient((url) =>
      url.endsWith("/cancel") ? status(400) : { status: 200, json: { id: "exec_1", status: "PROCESSING" } }
    )
    return Effect.gen(function* () {
      const { executions } = yield* client
      const fiber = yield* Effect.fork(executions.await(id, { cancelOnInterrupt: true }))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.lengthOf(lines, 1)
      assert.include(
        JSON.stringify(lines[0]),
        `["WARN",["Execution ${id} keeps running and may be charged: it could not be cancelled (executions.cancel failed: `
      )
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
  it.effect("watch by its options, without repetition, within a bound", () => {
    const { at, client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "PROCESSING" } }))
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* client
      const seen: Array<string> = []
      const watched = Stream.runForEach(
        executions.watch(id, { timeout: "25 seconds", pollSchedule: Schedule.spaced("10 seconds") }),
        ({ status }) => Effect.sync(() => seen.push(status))
      )
      assert.strictEqual(failureOf(yield* runToEnd(watched))._tag, "AwaitTimeout")
      assert.deepStrictEqual(seen, ["PROCESSING"])
      assert.deepStrictEqual(
        at.map((instant) => instant - start),
        [10_000, 20_000, 25_000]
      )
    })
  })
  it.effect(
    "wait within the bound that the create told, or the caller's own; the schedule sees the looks, the error the trouble",
    () =>
      Effect.gen(function* () {
        const processing = { id: "exec_1", status: "PROCESSING" }
        yield* TestClock.setTime(start)
        // Only the answer to the create tells the expiry.
        const once = makeFakeClient(
          (_, n) =>
            n === 1
              ? { status: 202, json: { ...processing, expires_at: isoDate(start + 60_000) } }
              : status(503, "SERVICE_UNAVAILABLE"),
          { retry: RetryPolicy.none }
        )
        const error = failureOf(yield* runToEnd((yield* once.client).executions.run(image)))
        assert.strictEqual(error._tag, "AwaitTimeout")
        assert.strictEqual((once.at.at(-1) ?? 0) - start, 90_000)
        assert.strictEqual(error._tag === "AwaitTimeout" && error.execution?.status, "PROCESSING")
        assert.strictEqual(error.idempotencyKey, "key-1")
        assert.strictEqual(error.attempts, once.at.length)
        assert.include(error.message, "The last poll failed: ")
        // A time limit of the caller's own may be longer.
        yield* TestClock.setTime(start)
        const patient = makeFakeClient(() => ({
          status: 200,
          json: { ...processing, expires_at: isoDate(start + 60_000) }
        }))
        yield* runToEnd((yield* patient.client).executions.await(id, { timeout: "5 minutes" }))
        assert.strictEqual((patient.at.at(-1) ?? 0) - start, 300_000)
        // A look that failed is forgotten by the next that does not.
        yield* TestClock.setTime(start)
        const recovered = makeFakeClient(
          (_, n) => (n === 1 ? status(503, "SERVICE_UNAVAILABLE") : { status: 200, json: processing }),
          { retry: RetryPolicy.none }
        )
        const late = failureOf(yield* runToEnd((yield* recovered.client).executions.await(id, { timeout: "1 minute" })))
        assert.notInclude(late.message, "The last poll failed")
        // The schedule sees what the look saw.
        const statuses: Array<string> = []
        const fed = makeFakeClient((_, n) => ({
          status: 200,
          json: { id: "exec_1", status: n < 3 ? `S${n}` : "COMPLETED", output: 1 }
        }))
        const pollSchedule = Schedule.spaced("1 second").pipe(
          Schedule.tapInput(({ status }: Execution.Execution) => Effect.sync(() => statuses.push(status)))
        )
        yield* runToEnd((yield* fed.client).executions.await(id, { pollSchedule }))
        assert.deepStrictEqual(statuses, ["UNKNOWN", "S1", "S2"])
      })
  )
  it.effect("know key, execution and prompt of the create in the errors of its wait", () => {
    const { client } = makeFakeClient((_, n) =>
      n === 1
        ? { status: 202, json: { id: "exec_1", status: "PENDING" } }
        : { status: 403, json: { error: { code: "NEW", message: `not ${prompt}` } } }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd((yield* client).executions.run(image)))
      assert.strictEqual(error._tag, "UnrecognizedError")
      assert.strictEqual(error.idempotencyKey, "key-1")
      assert.strictEqual(error.executionId, id)
      assert.notInclude(JSON.stringify(error), prompt)
    })
  })
})

describe("calls", () => {
  it.effect("refuse a user name in the base URL", () =>
    Effect.gen(function* () {
      const error = failureOf(
        yield* Effect.exit(makeFakeClient(() => ({ status: 200 }), { baseUrl: "https://a@x" }).client)
      )
      assert.strictEqual(error.field, "baseUrl")
    })
  )
  it.effect("refuse ids that would vanish from the path", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { executions, files } = yield* client
      for (const text of [".", ".."]) {
        assert.strictEqual(
          failureOf(yield* Effect.exit(executions.get(Execution.ExecutionId.make(text))))._tag,
          "InvalidRequest"
        )
        assert.strictEqual(failureOf(yield* Effect.exit(files.url(File.FileId.make(text))))._tag, "InvalidRequest")
      }
      // An id out of unchecked JSON.
      const empty: { id: Execution.ExecutionId } = JSON.parse('{"id":""}')
      assert.strictEqual(failureOf(yield* Effect.exit(executions.get(empty.id)))._tag, "InvalidRequest")
      assert.deepStrictEqual(urls, [])
    })
  })
  it.effect("notice a single byte that is missing", () => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      text: "abcd",
      headers: { "content-type": "image/png", "content-length": "5" }
    }))
    return Effect.gen(function* () {
      const error = failureOf(
        yield* runToEnd(Stream.runDrain((yield* client).files.download(File.FileId.make("file_1"))))
      )
      assert.include(error.message, "4 of 5 bytes")
    })
  })
  it.effect("withKey begins anew with each run, also with another body", () => {
    const { client, headers } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { create } = (yield* client).executions
      let n = 0
      const one = Effect.suspend(() => create({ ...image, input: { prompt: `${prompt} ${n++}` } })).pipe(
        IdempotencyKey.withKey("k")
      )
      yield* one
      yield* one
      assert.deepStrictEqual(
        headers.map((h) => h["idempotency-key"]),
        ["k", "k"]
      )
    })
  })
  it.effect("an error whose declared body breaks is truncated", () => {
    const { client } = makeFakeClient(
      () => ({
        status: 500,
        headers: { "content-length": "999" },
        body: Stream.concat(Stream.make(bytes("<ht")), Stream.die("broken"))
      }),
      { retry: RetryPolicy.none }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).executions.get(id)))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
    })
  })
  it.effect("a look that fails with what will not pass ends the wait", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 403, json: { error: { code: "NEW", message: "x" } } }))
    return Effect.gen(function* () {
      assert.strictEqual(failureOf(yield* runToEnd((yield* client).executions.await(id)))._tag, "UnrecognizedError")
      assert.lengthOf(urls, 1)
    })
  })
  it.effect("a schedule that is late means now", () => {
    const { at, client } = makeFakeClient(
      (_, n) => (n === 1 ? { status: 503 } : { status: 200, json: { id: "exec_1" } }),
      {
        retry: Schedule.makeWithState(0, (now, _: ModelRouteError.ModelRouteError, n) =>
          Effect.succeed([n + 1, n, ScheduleDecision.continueWith(ScheduleInterval.after(now - 5000))])
        )
      }
    )
    return Effect.gen(function* () {
      yield* (yield* client).executions.get(id)
      assert.lengthOf(at, 2)
    })
  })
  it.effect("withKey: a refused body stays refused", () => {
    const { bodies, client } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { create } = (yield* client).executions
      const other = { ...image, input: { prompt: "another" } }
      yield* Effect.gen(function* () {
        yield* create(image)
        for (const _ of [1, 2]) assert.strictEqual(failureOf(yield* Effect.exit(create(other)))._tag, "InvalidRequest")
        yield* create(image)
      }).pipe(IdempotencyKey.withKey("effect"))
      assert.deepStrictEqual(bodies, [JSON.stringify(image), JSON.stringify(image)])
    })
  })
  it.effect("faults do not move the ladder of the rate limit", () =>
    Effect.gen(function* () {
      const limited = { status: 429, text: "" }
      const replies = [limited, { status: 503 }, { status: 503 }, limited, { status: 200, json: { id: "exec_1" } }]
      const { at, client } = makeFakeClient((_, n) => replies[n - 1] ?? { status: 500 })
      valueOf(yield* runToEnd(Effect.flatMap(client, ({ executions }) => executions.get(id))))
      assert.deepStrictEqual(at, [0, 1000, 2000, 4000, 6000])
    })
  )
  it.effect("ends only when the attempt has, whether its time is over or the caller left", () => {
    const at: Array<readonly [string, number]> = []
    const note = (what: string) => Effect.map(Clock.currentTimeMillis, (now) => void at.push([what, now - start]))
    const http = HttpClient.make(() =>
      Effect.onInterrupt(Effect.never, () => Effect.zipRight(Effect.sleep("1 second"), note("closed")))
    )
    return Effect.gen(function* () {
      const story = Effect.gen(function* () {
        const { executions } = yield* ModelRouteClient.make({
          apiKey: Redacted.make("sk_1"),
          retry: RetryPolicy.none,
          attemptTimeout: "5 seconds"
        })
        yield* Effect.exit(executions.get(id))
        yield* note("late")
        const fiber = yield* Effect.fork(executions.get(id))
        yield* Effect.sleep("2 seconds")
        yield* Fiber.interrupt(fiber)
        yield* note("left")
      }).pipe(Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layer)))
      valueOf(yield* runInVirtualTime(silent(story), start))
      assert.deepStrictEqual(at, [
        ["closed", 6000],
        ["late", 6000],
        ["closed", 9000],
        ["left", 9000]
      ])
    })
  })
})

describe("odd answers and arguments", () => {
  it.effect("a FAILED execution's request id shows neither prompt nor key", () => {
    const error = { code: "GENERATION_FAILED", message: "m", request_id: `${prompt} ${apiKey}` }
    const { client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "FAILED", error } }))
    return Effect.gen(function* () {
      const failure = failureOf(yield* runToEnd((yield* client).executions.run(image)))
      assert.notInclude(JSON.stringify(failure), apiKey)
      assert.notInclude(failure.message, prompt)
    })
  })
  for (const url of ["https://", "http://[", "https://a b"]) {
    it.effect(`a link that is no URL is a declared error: ${url}`, () => {
      const { client } = makeFakeClient(() => ({ status: 200, json: { url, expires_at: isoDate(start) } }))
      return Effect.gen(function* () {
        const exit = yield* Effect.exit(Stream.runDrain((yield* client).files.download(File.FileId.make("file_1"))))
        assert.isFalse(Exit.isFailure(exit) && Cause.isDie(exit.cause), String(exit))
      })
    })
  }
  it.effect("a read inside withKey neither sends nor uses up the key", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* Effect.zipRight(client.request("GET", "/executions"), client.executions.create(image)).pipe(
          IdempotencyKey.withKey("effect")
        )
        const { requests } = yield* Simulator
        assert.deepStrictEqual(
          (yield* requests).map(({ idempotencyKey }) => idempotencyKey),
          [undefined, "effect"]
        )
      })
    ).pipe(Effect.provide(layer()))
  )
  for (const said of [
    '"X-Amz-Signature":"canary"',
    '"X-Amz-Signature": "canary"',
    "&quot;X-Amz-Signature&quot;:&quot;canary&quot;"
  ]) {
    it(`X-Amz in JSON: ${said}`, () => {
      const error = classify.fromResponse(
        {
          status: 400,
          headers: {},
          body: new TextEncoder().encode(JSON.stringify({ error: { code: "NEW", message: said } })),
          receivedAt: 0
        },
        { operation: "x", attempts: 1, isRepeatable: true }
      )
      assert.notInclude(JSON.stringify(error), "canary")
    })
  }
  it.effect("RATE_LIMITED that says retryable: false is sent once", () => {
    const { at, client } = makeFakeClient(() => ({
      status: 429,
      json: { error: { code: "RATE_LIMITED", message: "x", retryable: false } }
    }))
    return Effect.gen(function* () {
      yield* runToEnd((yield* client).executions.get(id))
      assert.lengthOf(at, 1)
    })
  })
})
