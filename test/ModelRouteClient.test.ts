import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Fiber, Layer, Logger, Redacted, Stream, TestClock } from "effect"
import { Execution, IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "./utils/exit.js"
import { makeFakeClient } from "./utils/fake.js"
import { apiKey, arrivalTimes, image, layer, runToEnd, silent, start, withClient } from "./utils/harness.js"
import { runInVirtualTime } from "./utils/virtualTime.js"

describe("ModelRouteClient.make", () => {
  for (const [key, problem] of [
    ["", "is empty"],
    [" \t", "is empty"],
    ["sk_abc\n", "contains white space"],
    ["sk abc", "contains white space"],
    ["sk_\u00e9", "contains quotes or characters that cannot be sent"],
    ['"sk_quoted"', "contains quotes"]
  ] as const) {
    it.effect(`rejects the API key ${JSON.stringify(key)}`, () =>
      Effect.gen(function* () {
        const { client } = makeFakeClient(() => ({ status: 200 }), { apiKey: Redacted.make(key) })
        const error = failureOf(yield* Effect.exit(client))
        assert.strictEqual(error.field, "apiKey")
        assert.include(error.message, problem)
      })
    )
  }

  const given: ReadonlyArray<readonly [field: string, options: string]> = [
    ["apiKey", '{"apiKey":"sk_abc"}'],
    ["attemptTimeout", '{"attemptTimeout":"10s"}'],
    ["attemptTimeout", '{"attemptTimeout":-5}'],
    ["attemptTimeout", '{"attemptTimeout":0}'],
    ["baseUrl", '{"baseUrl":5}'],
    ["retry", '{"retry":3}'],
    ["retryWhile", '{"retryWhile":true}'],
    ["pollSchedule", '{"pollSchedule":"5 seconds"}'],
    ["transformClient", '{"transformClient":{}}'],
    ["propagateTraceContext", '{"propagateTraceContext":"yes"}']
  ]
  for (const [field, options] of given) {
    it.effect(`fails with an error that contains the name of the invalid option: ${options}`, () =>
      Effect.gen(function* () {
        const { client } = makeFakeClient(() => ({ status: 200 }), JSON.parse(options))
        const error = failureOf(yield* Effect.exit(client))
        assert.strictEqual(error._tag, "InvalidRequest")
        assert.strictEqual(error.field, field)
        assert.match(error.message, /^ModelRouteClient\.make: \w+ is .+\. .+\.$/)
        assert.notInclude(error.message, "sk_abc")
      })
    )
  }

  const waitOptions: ReadonlyArray<readonly [field: string, options: string]> = [
    ["timeout", '{"timeout":-5}'],
    ["timeout", '{"timeout":"10s"}'],
    ["pollSchedule", '{"pollSchedule":2000}'],
    ["pollImmediately", '{"pollImmediately":1}'],
    ["cancelOnInterrupt", '{"cancelOnInterrupt":"yes"}'],
    ["onAccepted", '{"onAccepted":true}'],
    ["idempotencyKey", '{"idempotencyKey":5}']
  ]
  for (const [field, options] of waitOptions) {
    it.effect(`creates a client whose executions.run rejects the invalid options ${options}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(client.executions.run(image, JSON.parse(options)))
          assert.strictEqual(error._tag === "InvalidRequest" && error.field, field)
          assert.deepStrictEqual(yield* arrivalTimes(), [])
        })
      ).pipe(Effect.provide(layer()))
    )
  }

  for (const [baseUrl, warns] of [
    ["http://proxy.internal", true],
    ["http://10.0.0.1:8080/modelroute", true],
    ["http://127.0.0.1.example.com", true],
    ["https://proxy.internal", false],
    ["http://localhost:8787", false],
    ["http://127.0.0.1:8787", false],
    ["http://[::1]:8787", false],
    ["http://api.localhost", false]
  ] as const) {
    it.effect(
      `logs ${warns ? "one warning" : "no warning"} about an unencrypted API key if the base URL is ${baseUrl}`,
      () => {
        const lines: Array<string> = []
        const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
          lines.push(`${logLevel.label} ${String(message)}`)
        })
        return Effect.gen(function* () {
          const made = yield* makeFakeClient(() => ({ status: 200, json: {} }), { baseUrl }).client
          yield* made.request("GET", "/executions")
          yield* made.request("GET", "/executions")
          assert.deepStrictEqual(
            lines,
            warns ? [`WARN The API key is sent to ${baseUrl} without encryption. Use an https URL`] : []
          )
        }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      }
    )
  }

  it.effect("accepts an API key in any format", () =>
    Effect.gen(function* () {
      for (const key of ["sk_your_api_key_here", "mr_key", "x"]) {
        const { client, headers } = makeFakeClient(() => ({ status: 200, json: {} }), { apiKey: Redacted.make(key) })
        yield* (yield* client).request("GET", "/executions")
        assert.strictEqual(headers[0]?.["authorization"], `Bearer ${key}`)
      }
    })
  )

  for (const baseUrl of [
    "https://proxy.example/modelroute",
    "https://proxy.example/modelroute/",
    "https://proxy.example/modelroute/v1",
    "https://proxy.example/modelroute/v1/"
  ]) {
    it.effect(`accepts the base URL ${baseUrl}`, () =>
      Effect.gen(function* () {
        const { client, urls } = makeFakeClient(() => ({ status: 200, json: {} }), { baseUrl })
        yield* (yield* client).request("GET", "/executions")
        assert.deepStrictEqual(urls, ["https://proxy.example/modelroute/v1/executions"])
      })
    )
  }

  for (const baseUrl of ["api.modelroute.ai", "ftp://x", "https://a:b@x", "https://x?y=1", "https://x#y", ""]) {
    it.effect(`rejects the base URL ${JSON.stringify(baseUrl)}`, () =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(makeFakeClient(() => ({ status: 200 }), { baseUrl }).client))
        assert.strictEqual(error.field, "baseUrl")
      })
    )
  }

  for (const attemptTimeout of [0, -1, "0 seconds"] as const) {
    it.effect(`rejects the attempt timeout ${JSON.stringify(attemptTimeout)}`, () =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(makeFakeClient(() => ({ status: 200 }), { attemptTimeout }).client))
        assert.strictEqual(error.field, "attemptTimeout")
      })
    )
  }

  it.effect("applies transformClient after it has added the base URL to the request", () => {
    const { client, headers, urls } = makeFakeClient(() => ({ status: 200, json: {} }), {
      transformClient: HttpClient.mapRequest((request) =>
        request.pipe(
          HttpClientRequest.setHeader("x-team", "images"),
          HttpClientRequest.setUrl(request.url.replace("https://api.modelroute.ai", "https://proxy.example"))
        )
      )
    })
    return Effect.gen(function* () {
      yield* (yield* client).request("GET", "/executions")
      assert.deepStrictEqual(urls, ["https://proxy.example/v1/executions"])
      assert.strictEqual(headers[0]?.["x-team"], "images")
    })
  })

  it.effect("rejects a user name in the base URL", () =>
    Effect.gen(function* () {
      const error = failureOf(
        yield* Effect.exit(makeFakeClient(() => ({ status: 200 }), { baseUrl: "https://a@x" }).client)
      )
      assert.strictEqual(error.field, "baseUrl")
    })
  )
})

describe("ModelRouteClient.layerConfig", () => {
  const withVariables = (variables: ReadonlyArray<readonly [string, string]>) => {
    const requests: Array<string> = []
    const http = HttpClient.make((request, url) => {
      requests.push(`${url.href} ${request.headers["authorization"]}`)
      return Effect.never
    })
    return Layer.build(ModelRouteClient.layerConfig()).pipe(
      Effect.flatMap((context) =>
        Effect.forkScoped(
          Effect.flatMap(ModelRouteClient.ModelRouteClient, (client) => client.request("GET", "/x")).pipe(
            Effect.provide(context)
          )
        )
      ),
      Effect.zipRight(Effect.yieldNow()),
      Effect.zipRight(TestClock.adjust(0)),
      Effect.map(() => requests),
      Effect.scoped,
      Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layer)),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables))),
      Effect.exit
    )
  }

  it.effect("reads the API key and the optional base URL from the configuration", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(valueOf(yield* withVariables([["MODELROUTE_API_KEY", "sk_1"]])), [
        "https://api.modelroute.ai/v1/x Bearer sk_1"
      ])
      const variables = [
        ["MODELROUTE_API_KEY", "sk_1"],
        ["MODELROUTE_BASE_URL", "http://127.0.0.1:8787"]
      ] as const
      assert.deepStrictEqual(valueOf(yield* withVariables(variables)), ["http://127.0.0.1:8787/v1/x Bearer sk_1"])
    })
  )

  it.effect("fails with an error that contains the name of the missing or invalid variable", () =>
    Effect.gen(function* () {
      const cases = [
        [[], "MODELROUTE_API_KEY"],
        [[["MODELROUTE_API_KEY", ""]], "MODELROUTE_API_KEY"],
        [[["MODELROUTE_API_KEY", "sk_secret\n"]], "MODELROUTE_API_KEY"],
        [
          [
            ["MODELROUTE_API_KEY", "sk_secret"],
            ["MODELROUTE_BASE_URL", "nowhere"]
          ],
          "MODELROUTE_BASE_URL"
        ]
      ] as const
      for (const [variables, named] of cases) {
        const text = String(failureOf(yield* withVariables(variables)))
        assert.include(text, named)
        assert.notInclude(text, "sk_secret")
        if (variables.length === 0) assert.include(text, "Set it to your API key")
      }
    })
  )

  it.effect("uses the base URL of the options if the configuration contains no base URL", () => {
    const urls: Array<string> = []
    const http = HttpClient.make((_, url) => {
      urls.push(url.href)
      return Effect.never
    })
    return Effect.gen(function* () {
      const client = yield* ModelRouteClient.ModelRouteClient
      const error = failureOf(yield* runToEnd(client.request("GET", "/x")))
      assert.strictEqual(error.attempts, 1)
      assert.include(error.message, "the timeout of one attempt is 2 s")
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

describe("attempt timeout", () => {
  it.effect("is 30 s by default", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const error = failureOf(yield* runToEnd(client.executions.create(image)))
        assert.strictEqual(error._tag === "TransportError" && error.reason, "timeout")
        assert.include(error.message, "the timeout of one attempt is 30 s")
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 31_000, 63_000, 97_000])
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.times(4, Fault.hang())] } })))
  )

  it.effect("is configurable with attemptTimeout", () =>
    withClient((client) =>
      Effect.gen(function* () {
        valueOf(yield* runToEnd(client.executions.create(image)))
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 3000])
      })
    ).pipe(
      Effect.provide(
        layer({ client: { attemptTimeout: "2 seconds" }, simulator: { faults: [Fault.delay("3 seconds")] } })
      )
    )
  )

  it.effect("applies to a response body that does not end", () => {
    const http = HttpClient.make((request) =>
      Effect.sync(() => {
        const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("{")) })
        return HttpClientResponse.fromWeb(request, new Response(body))
      })
    )
    return Effect.gen(function* () {
      const client = yield* ModelRouteClient.make({ apiKey: Redacted.make(apiKey), retry: RetryPolicy.none })
      const error = failureOf(yield* runToEnd(client.executions.create(image)))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "timeout")
    }).pipe(Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layer)))
  })
})

describe("interruption of a client method", () => {
  /** Interrupts `use` after `millis` in virtual time. Fails if a fiber still sleeps at the end. */
  const interruptedAfter = (
    millis: number,
    faults: ReadonlyArray<Fault.Fault>,
    use: (client: ModelRouteClient.Service) => Effect.Effect<unknown, unknown>
  ) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(use(yield* ModelRouteClient.ModelRouteClient))
      yield* Effect.sleep(millis)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      const { requests } = yield* Simulator
      const ended = yield* Effect.clock
      return { at: (yield* requests).map(({ at }) => at - start), ended: ended.unsafeCurrentTimeMillis() - start }
    }).pipe(
      Effect.provide(layer({ simulator: { faults } })),
      silent,
      (effect) => runInVirtualTime(effect, start),
      Effect.map(valueOf)
    )

  const create = (client: ModelRouteClient.Service) => client.executions.create(image)

  for (const [what, millis, faults, use, at] of [
    ["a wait between attempts", 500, [Fault.dropBefore], create, [0]],
    ["a wait for the rate limit", 5000, [Fault.apiError("RATE_LIMITED", { resetIn: "1 minute" })], create, [0]],
    ["a request", 5000, [Fault.hang("before")], create, [0]],
    ["a wait between polls", 3000, [], (client) => client.executions.run(image), [0, 2000]],
    [
      "executions.watch",
      1000,
      [],
      (client) => Stream.runDrain(client.executions.watch(Execution.ExecutionId.make("x"))),
      []
    ]
  ] as const satisfies ReadonlyArray<
    readonly [string, number, ReadonlyArray<Fault.Fault>, Parameters<typeof interruptedAfter>[2], ReadonlyArray<number>]
  >) {
    it.effect(`ends ${what} immediately and leaves no timer`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* interruptedAfter(millis, faults, use), { at: [...at], ended: millis })
      })
    )
  }
})

describe("executions.run with onAccepted", () => {
  it.effect("calls onAccepted with the execution before the first poll", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const accepted: Array<string> = []
        const onAccepted = ({ holdAmount, id, status }: Execution.Execution) =>
          Effect.flatMap(arrivalTimes(), (sent) =>
            Effect.sync(() => accepted.push(`${id} ${status} ${holdAmount} ${sent.length}`))
          )
        const context = yield* Effect.context<Simulator>()
        const completed = valueOf(
          yield* runToEnd(
            executions.run(image, { onAccepted: (execution) => Effect.provide(onAccepted(execution), context) })
          )
        )
        assert.deepStrictEqual(accepted, [`${completed.id} PENDING 0.048 1`])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("fails with the error of onAccepted", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const ids: Array<Execution.ExecutionId> = []
        const exit = yield* runToEnd(
          executions.run(image, {
            onAccepted: ({ id }) =>
              Effect.zipRight(
                Effect.sync(() => ids.push(id)),
                Effect.fail("disk full" as const)
              )
          })
        )
        assert.strictEqual(failureOf(exit), "disk full")
        assert.strictEqual((yield* arrivalTimes()).length, 1)
        const [id] = ids
        if (id === undefined) return assert.fail()
        const completed = valueOf(yield* runToEnd(executions.await(id)))
        assert.strictEqual(completed.id, id)
      })
    ).pipe(Effect.provide(layer()))
  )
})
