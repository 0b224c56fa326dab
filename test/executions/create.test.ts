import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Effect, Layer, Option, Redacted } from "effect"
import { type Execution, IdempotencyKey } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { arrivalTimes, image, layer, prompt, runToEnd, start, withClient } from "../utils/harness.js"

describe("executions.create", () => {
  it.effect("returns the execution from the create response", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const execution = yield* client.executions.create(image)
        assert.match(execution.id, /^exec_/)
        assert.strictEqual(execution.status, "PENDING")
        assert.strictEqual(execution.model, "flux-1.1-pro")
        assert.strictEqual(execution.holdAmount, "0.048")
        assert.strictEqual(execution.estimatedCost, "0.040")
        assert.strictEqual(execution.createdAt && DateTime.toEpochMillis(execution.createdAt), start)
        assert.strictEqual(execution.expiresAt && DateTime.toEpochMillis(execution.expiresAt), start + 300_000)
        assert.deepStrictEqual(execution.extra, {})
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("sends the model, input, webhook URL, metadata and extra fields", () => {
    const { bodies, client } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { executions } = yield* client
      const execution = yield* executions.create({
        model: "m",
        input: { prompt },
        webhookUrl: "https://example.com/hook",
        metadata: { order: 7 },
        extra: { priority: "high", model: "not this one" }
      })
      assert.strictEqual(execution.status, "UNKNOWN")
      assert.deepStrictEqual(
        bodies.map((body) => JSON.parse(body)),
        [
          {
            model: "m",
            input: { prompt },
            webhook_url: "https://example.com/hook",
            metadata: { order: 7 },
            priority: "high"
          }
        ]
      )
    })
  })

  const cyclic: Record<string, unknown> = {}
  cyclic["self"] = cyclic
  for (const [field, request] of [
    ["model", { model: " ", input: {} }],
    ["webhookUrl", { model: "m", input: {}, webhookUrl: "example.com/hook" }],
    ["input.seed", { model: "m", input: { seed: 1n } }],
    ["input.self", { model: "m", input: cyclic }]
  ] as const) {
    it.effect(`fails with InvalidRequest if a field is invalid: ${field}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const error = failureOf(yield* Effect.exit(client.executions.create(request)))
          assert.strictEqual(error._tag, "InvalidRequest")
          if (error._tag !== "InvalidRequest") return
          assert.strictEqual(error.field, field)
          assert.strictEqual(error.attempts, 0)
          assert.deepStrictEqual(yield* arrivalTimes(), [])
        })
      ).pipe(Effect.provide(layer()))
    )
  }

  const unsendable: ReadonlyArray<readonly [path: string, problem: string, request: object]> = [
    ["input.seed", "is NaN", { input: { seed: Number.NaN } }],
    ["input.strength", "is Infinity", { input: { strength: Number.POSITIVE_INFINITY } }],
    ["input.count", "is a bigint", { input: { count: 1n } }],
    ["input.images[1].mask", "is a Uint8Array", { input: { images: [{}, { mask: new Uint8Array(3) }] } }],
    ["input.audio", "is a Uint8Array", { input: { audio: Buffer.from("abc") } }],
    ["input.audio", "is a DataView", { input: { audio: new DataView(new ArrayBuffer(3)) } }],
    ["input.audio", "is a ArrayBuffer", { input: { audio: new ArrayBuffer(3) } }],
    ["input.image", "is a Blob", { input: { image: new Blob(["abc"]) } }],
    ["input.form", "is a FormData", { input: { form: new FormData() } }],
    ["input.options", "is a Map", { input: { options: new Map([["a", 1]]) } }],
    ["input.tags", "is a Set", { input: { tags: new Set(["a"]) } }],
    ["input.image", "is a Promise", { input: { image: Promise.resolve("file_1") } }],
    ["input.token", "is Redacted", { input: { token: Redacted.make("secret-token") } }],
    ["input.width", "is an Effect Option", { input: { width: Option.some(9) } }],
    ["input.images", "is an Effect Chunk", { input: { images: Chunk.make("file_1") } }],
    ["input.after", "is a function", { input: { after: () => 1 } }],
    ["input.list[0].self", "contains itself", { input: { list: [cyclic] } }],
    ["input", "is a Map", { input: new Map([["prompt", "x"]]) }],
    ["metadata.order", "is NaN", { input: {}, metadata: { order: Number.NaN } }],
    ["extra.priority", "is a Set", { input: {}, extra: { priority: new Set() } }]
  ]
  for (const [path, problem, request] of unsendable) {
    it.effect(`rejects a value that JSON cannot represent: ${path} ${problem}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(client.executions.create({ model: "flux-1.1-pro", input: {}, ...request }))
          assert.strictEqual(error._tag, "InvalidRequest")
          if (error._tag !== "InvalidRequest") return
          assert.strictEqual(error.field, path)
          assert.include(error.message, `executions.create: ${path} ${problem}`)
          assert.notInclude(error.message, "secret-token")
          assert.deepStrictEqual(yield* arrivalTimes(), [])
        })
      ).pipe(Effect.provide(layer()))
    )
  }

  it.effect("encodes dates, null, nested arrays and toJSON values like JSON.stringify", () => {
    const { bodies, client } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1", status: "PENDING" } }))
    class Size {
      constructor(
        readonly width: number,
        readonly height: number
      ) {}
    }
    const input = {
      at: DateTime.toDateUtc(DateTime.unsafeMake(start)),
      url: new URL("https://example.com/a"),
      none: null,
      missing: undefined,
      nested: [[1.5, -0], [{ a: true }]],
      size: new Size(1, 2),
      instant: DateTime.unsafeMake(start)
    }
    return Effect.gen(function* () {
      yield* Effect.flatMap(client, ({ executions }) => executions.create({ model: "m", input }))
      assert.deepStrictEqual(JSON.parse(bodies[0] ?? "").input, JSON.parse(JSON.stringify(input)))
    })
  })

  it.effect("rejects an input that is nested more than 500 levels deep", () =>
    withClient((client) =>
      Effect.gen(function* () {
        let deep: object = {}
        for (let i = 0; i < 501; i++) deep = { a: deep }
        const error = yield* Effect.flip(client.executions.create({ model: "m", input: deep }))
        assert.match(error.message, /^executions\.create: input(\.a)+ is nested more than 500 levels deep/)
        assert.deepStrictEqual(yield* arrivalTimes(), [])
      })
    ).pipe(Effect.provide(layer({ keys: IdempotencyKey.layerDeterministic({ scope: "test" }) })))
  )

  it.effect("passes the operation and the body of the request to the IdempotencyKey service", () => {
    const requests: Array<IdempotencyKey.KeyRequest> = []
    const keys = Layer.succeed(IdempotencyKey.IdempotencyKey, {
      next: (request) =>
        Effect.sync(() => {
          requests.push(request)
          return "key-1"
        })
    })
    return withClient((client) =>
      Effect.gen(function* () {
        yield* client.executions.create(image)
        assert.deepStrictEqual(requests, [{ operation: "executions.create", body: image }])
      })
    ).pipe(Effect.provide(layer({ keys })))
  })

  it.effect("creates only one execution if the response is lost and the request is retried", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const execution = valueOf(yield* runToEnd(client.executions.create(image)))
        const { ledger } = yield* Simulator
        const { executions } = yield* ledger
        assert.deepStrictEqual(
          executions.map(({ executionId }) => executionId),
          [execution.id]
        )
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 1000])
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.dropAfter] } })))
  )

  it.effect("retries after a 409 with the same idempotency key until no retry is left", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const conflict = Fault.apiError("IDEMPOTENCY_CONFLICT", { status: 409, retryable: false })
        const { inject } = yield* Simulator
        yield* inject(conflict, Fault.raw({ status: 409, body: "" }))
        assert.strictEqual(valueOf(yield* runToEnd(client.executions.create(image))).status, "PENDING")
        yield* inject(Fault.times(4, conflict))
        const error = failureOf(yield* runToEnd(client.executions.create(image)))
        assert.strictEqual(error._tag, "UnrecognizedError")
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 1000, 3000, 3000, 4000, 6000, 10_000])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("rejects an input that is not an object", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const request: Execution.CreateRequest = JSON.parse('{"model":"m","input":["a"]}')
      const error = failureOf(yield* Effect.exit((yield* client).executions.create(request)))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "input")
      assert.deepStrictEqual(urls, [])
    })
  })
})
