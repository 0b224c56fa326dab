import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Clock,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  Logger,
  Option,
  Redacted,
  Schedule,
  Schema,
  Stream,
  TestClock
} from "effect"
import { Execution, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { Fault, type Options as SimulatorOptions, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "./utils/exit.js"
import { makeFakeClient } from "./utils/fake.js"
import {
  arrivalTimes,
  httpDate,
  image,
  isoDate,
  layer,
  prompt,
  runToEnd,
  silent,
  start,
  withClient
} from "./utils/harness.js"
import { run } from "./utils/virtualTime.js"

const id = Execution.ExecutionId.make("exec_1")

/** Ready after 8.42 s, looked at after 2, 5, 9.5 s. */
const looks = [2000, 5000, 9500]

describe("create", () => {
  it.effect("gives the execution as the API shows it", () =>
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

  it.effect("sends model, input, webhook URL, metadata and further fields", () => {
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
    it.effect(`refuses what cannot be sent and names it: ${field}`, () =>
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

  const unsendable: ReadonlyArray<readonly [path: string, words: string, request: object]> = [
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
  for (const [path, words, request] of unsendable) {
    it.effect(`refuses a value that JSON would change before it is sent: ${path} ${words}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(client.executions.create({ model: "flux-1.1-pro", input: {}, ...request }))
          assert.strictEqual(error._tag, "InvalidRequest")
          if (error._tag !== "InvalidRequest") return
          assert.strictEqual(error.field, path)
          assert.include(error.message, `executions.create: ${path} ${words}`)
          assert.notInclude(error.message, "secret-token")
          assert.deepStrictEqual(yield* arrivalTimes(), [])
        })
      ).pipe(Effect.provide(layer()))
    )
  }

  it.effect("sends dates, null, nested lists and what has a JSON form as JSON does", () => {
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

  it.effect("refuses an input that is nested too deep", () =>
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

  it.effect("lost after it was executed, costs one execution", () =>
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

  it.effect("retries a conflict under its own key while retries last", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const conflict = Fault.envelope("IDEMPOTENCY_CONFLICT", { status: 409, retryable: false })
        const { inject } = yield* Simulator
        yield* inject(conflict, Fault.raw({ status: 409, body: "" }))
        assert.strictEqual(valueOf(yield* runToEnd(client.executions.create(image))).status, "PENDING")
        yield* inject(...Fault.times(4, conflict))
        const error = failureOf(yield* runToEnd(client.executions.create(image)))
        assert.strictEqual(error._tag, "UnrecognizedError")
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 1000, 3000, 3000, 4000, 6000, 10_000])
      })
    ).pipe(Effect.provide(layer()))
  )
})

describe("get", () => {
  it.effect("encodes the id into one segment of the path", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: { id: "x", status: "PENDING" } }))
    return Effect.gen(function* () {
      const { executions } = yield* client
      yield* executions.get(Execution.ExecutionId.make("../files?a=b#c"))
      assert.deepStrictEqual(urls, ["https://api.modelroute.ai/v1/executions/..%2Ffiles%3Fa%3Db%23c"])
      const error = failureOf(yield* Effect.exit(executions.get(Execution.ExecutionId.make(".."))))
      assert.strictEqual(error._tag, "InvalidRequest")
    })
  })

  it.effect("reads whatever it can and drops what it cannot", () => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      json: {
        execution_id: "exec_1",
        status: "completed",
        cost: 0.0000004,
        latency_ms: "soon",
        created_at: 17,
        completed_at: "2026-03-20T10:32:15Z",
        result: null,
        output: { text: "hello" },
        metadata: { order: 7 },
        region: "EU"
      }
    }))
    return Effect.gen(function* () {
      const execution = yield* (yield* client).executions.get(id)
      assert.strictEqual(execution.id, id)
      assert.strictEqual(execution.status, "COMPLETED")
      assert.strictEqual(execution.cost, "0.0000004")
      assert.isUndefined(execution.latency)
      assert.isUndefined(execution.createdAt)
      assert.isUndefined(execution.result)
      assert.deepStrictEqual(execution.output, { text: "hello" })
      assert.deepStrictEqual(execution.metadata, { order: 7 })
      assert.deepStrictEqual(execution.extra, { region: "EU" })
    })
  })

  it("can be stored and read back", () => {
    const execution = new Execution.Execution({
      id,
      status: "PENDING",
      latency: Duration.seconds(8),
      extra: { region: "EU" }
    })
    const stored = JSON.stringify(Schema.encodeSync(Execution.Execution)(execution))
    assert.strictEqual(stored, '{"id":"exec_1","latency_ms":8000,"extra":{"region":"EU"},"status":"PENDING"}')
    assert.deepStrictEqual(Schema.decodeUnknownSync(Execution.Execution)(JSON.parse(stored)), execution)
  })
})

describe("await", () => {
  it.effect("looks after 2, 5, 9.5 s and gives the output", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const completed = valueOf(yield* runToEnd(client.executions.await(id)))
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), looks)
        assert.strictEqual(completed.status, "COMPLETED")
        assert.strictEqual(completed.cost, "0.040")
        assert.lengthOf(completed.fileIds, 1)
        assert.strictEqual(completed.latency && Duration.toMillis(completed.latency), 8420)
      })
    ).pipe(Effect.provide(layer()))
  )

  it("looks at growing intervals, at most 15 s apart", () =>
    Effect.gen(function* () {
      const delays = yield* Schedule.delays(Execution.pollSchedule).pipe(
        Schedule.run(
          start,
          Array.from({ length: 8 }, () => new Execution.Execution({ id, status: "PENDING" }))
        )
      )
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(delays).map((delay) => Duration.toMillis(delay)),
        [2000, 3000, 4500, 6750, 10_125, 15_000, 15_000, 15_000]
      )
    }).pipe(Effect.runPromise))

  const embedded = { images: [{ file_id: "file_a" }] }
  const separate = { images: [{ file_id: "file_b" }] }
  for (const [where, shown, found] of [
    ["embedded as result", { result: { file_id: "file_a" } }, { file_id: "file_a" }],
    ["embedded as output", { output: embedded }, embedded],
    ["at /result only", {}, separate],
    ["at /result, null before", { result: null, output: null }, separate]
  ] as const) {
    it.effect(`finds the result ${where}`, () => {
      const { client, urls } = makeFakeClient((url) =>
        url.endsWith("/result")
          ? { status: 200, json: { execution_id: "exec_1", status: "COMPLETED", output: separate, cost: "0.040" } }
          : { status: 200, json: { id: "exec_1", status: "COMPLETED", metadata: { order: 7 }, ...shown } }
      )
      return Effect.gen(function* () {
        const { executions } = yield* client
        const completed = valueOf(yield* runToEnd(executions.await(id)))
        assert.deepStrictEqual(completed.output, found)
        assert.deepStrictEqual(completed.metadata, { order: 7 })
        assert.lengthOf(urls, found === separate ? 2 : 1)
      })
    })
  }

  for (const status of [404, 410]) {
    it.effect(`does not let a missing /result (${status}) hide that the execution is finished`, () => {
      const { client } = makeFakeClient((url) =>
        url.endsWith("/result")
          ? { status, json: { error: { code: "NOT_FOUND", message: "no such page" } } }
          : { status: 200, json: { id: "exec_1", status: "COMPLETED", cost: "0.040" } }
      )
      return Effect.gen(function* () {
        const completed = valueOf(yield* runToEnd((yield* client).executions.await(id)))
        assert.strictEqual(completed.cost, "0.040")
        assert.isUndefined(completed.output)
        assert.deepStrictEqual(completed.fileIds, [])
      })
    })
  }

  const endings: ReadonlyArray<readonly [Parameters<typeof Fault.ends>[0], string]> = [
    [{ status: "FAILED", code: "GENERATION_FAILED" }, "GenerationFailed"],
    [{ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" }, "ContentModerationRejected"],
    [{ status: "FAILED", code: "A_CODE_OF_TOMORROW" }, "UnrecognizedError"],
    [{ status: "CANCELLED" }, "ExecutionCancelled"],
    [{ status: "EXPIRED" }, "ExecutionExpired"]
  ]
  for (const [ending, tag] of endings) {
    it.effect(`fails with ${tag} when the execution ends ${ending.status} ${ending.code ?? ""}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const exit = yield* runToEnd(client.executions.run(image))
          const error = failureOf(exit)
          const { ledger } = yield* Simulator
          const { charged, executions } = yield* ledger
          assert.strictEqual(error._tag, tag)
          assert.strictEqual(error.executionId, executions[0]?.executionId)
          assert.strictEqual(error.idempotencyKey, "key-1")
          assert.lengthOf(executions, 1)
          assert.strictEqual(charged, "0.000")
          if (tag === "UnrecognizedError" && error._tag === "UnrecognizedError") {
            assert.strictEqual(error.code, "A_CODE_OF_TOMORROW")
          }
        })
      ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.ends(ending)] } })))
    )
  }

  const errors: ReadonlyArray<readonly [unknown, string, string]> = [
    ["The GPU ran out of memory.", "UnrecognizedError", "The GPU ran out of memory."],
    [
      ["The GPU ran out of memory.", "It was restarted."],
      "UnrecognizedError",
      "The GPU ran out of memory.; It was restarted."
    ],
    [[{ code: "MODEL_OVERLOADED", message: "No GPU is free." }], "ModelOverloaded", "No GPU is free."],
    [{ code: "GENERATION_FAILED", detail: "The picture is empty." }, "GenerationFailed", "The picture is empty."],
    [["", null, 5], "UnrecognizedError", ""]
  ]
  for (const [error, tag, apiMessage] of errors) {
    it.effect(`fails with ${tag} and its text when the error of a FAILED execution is ${JSON.stringify(error)}`, () => {
      const { client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "FAILED", error } }))
      return Effect.gen(function* () {
        const failure = failureOf(yield* runToEnd((yield* client).executions.await(id)))
        assert.strictEqual(failure._tag, tag)
        assert.include(failure.message, apiMessage)
        assert.strictEqual("apiMessage" in failure ? (failure.apiMessage ?? "") : "", apiMessage)
      })
    })
  }

  it.effect("of a create that was answered with an execution which has FAILED tells why", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const again = client.executions.run(image, { idempotencyKey: "job" })
        const first = failureOf(yield* runToEnd(again))
        const second = failureOf(yield* runToEnd(again))
        assert.strictEqual(first._tag, "GenerationTimeout")
        assert.strictEqual(second._tag, "GenerationTimeout")
        assert.include(
          second.message,
          "Submit it again as a new execution. A new execution takes a new idempotency key."
        )
        assert.notInclude(second.message, "To go on later")
        const { ledger } = yield* Simulator
        assert.lengthOf((yield* ledger).executions, 1)
      })
    ).pipe(
      Effect.provide(layer({ simulator: { faults: [Fault.ends({ status: "FAILED", code: "GENERATION_TIMEOUT" })] } }))
    )
  )

  it.effect("keeps waiting through an unknown status", () => {
    let looked = 0
    const { client } = makeFakeClient(() => ({
      status: 200,
      json: { id: "exec_1", status: ++looked < 3 ? "WARMING_UP" : "COMPLETED", output: {} }
    }))
    return Effect.gen(function* () {
      assert.strictEqual(valueOf(yield* runToEnd((yield* client).executions.await(id))).status, "COMPLETED")
      assert.strictEqual(looked, 3)
    })
  })

  it.effect("keeps waiting through an outage that outlasts the retries of one look", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const { inject } = yield* Simulator
        yield* inject(...Fault.times(6, Fault.on("executions.get", Fault.envelope("SERVICE_UNAVAILABLE"))))
        const completed = valueOf(yield* runToEnd(client.executions.await(id)))
        assert.strictEqual(completed.id, id)
        // Four requests for the first look, three for the second, which succeeds.
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000, 3000, 5000, 9000, 12_000, 13_000, 15_000])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("does not go on asking when the rate limit's wait is too long to begin", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const { inject } = yield* Simulator
        yield* inject(Fault.rateLimited({ resetIn: "1 hour" }))
        const error = failureOf(yield* runToEnd(client.executions.await(id)))
        assert.strictEqual(error._tag, "RateLimited")
        assert.strictEqual(error.executionId, id)
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000])
      })
    ).pipe(Effect.provide(layer()))
  )

  for (const skew of [0, 600_000, -600_000]) {
    it.effect(`is bounded by expires_at plus 30 s on the server's clock, which is ${skew / 1000} s ahead`, () => {
      const fake = makeFakeClient(() => {
        const serverNow = (fake.at.at(-1) ?? 0) + skew
        return {
          status: 200,
          headers: { date: httpDate(serverNow) },
          json: { id: "exec_1", status: "PROCESSING", expires_at: isoDate(start + skew + 300_000) }
        }
      })
      return Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const error = failureOf(yield* runToEnd((yield* fake.client).executions.await(id)))
        assert.strictEqual(error._tag, "AwaitTimeout")
        // The Date header is rounded down by up to a second, and the wait is rounded with it, up.
        const last = (fake.at.at(-1) ?? 0) - start
        assert.isAtLeast(last, 330_000)
        assert.isAtMost(last, 331_000)
        if (error._tag === "AwaitTimeout") assert.strictEqual(error.execution?.status, "PROCESSING")
        assert.strictEqual(error.attempts, fake.at.length)
      })
    })
  }

  for (const [what, date, expiresAt] of [
    ["the Date stands still", () => start, () => start + 300_000],
    ["the expiry is put off at each look", (now: number) => now, (now: number) => now + 300_000]
  ] as const) {
    it.effect(`is bounded when ${what}`, () => {
      const fake = makeFakeClient(() => {
        const now = fake.at.at(-1) ?? 0
        const expires = isoDate(expiresAt(now))
        return {
          status: 200,
          headers: { date: httpDate(date(now)) },
          json: { id: "exec_1", status: "PROCESSING", expires_at: expires }
        }
      })
      return Effect.gen(function* () {
        const pollSchedule = Schedule.spaced("100 seconds")
        const wait = (yield* fake.client).executions.await(id, { pollSchedule })
        const exit = yield* run(silent(Effect.exit(wait)), start)
        assert.strictEqual(failureOf(valueOf(exit))._tag, "AwaitTimeout")
        // The first look is at 100 s: 300 s more, and the margin twice; or a day.
        const last = (fake.at.at(-1) ?? 0) - start
        assert.strictEqual(last, what === "the Date stands still" ? 460_000 : 86_400_000)
      })
    })
  }

  it.effect(
    "without expires_at is bounded by 10 minutes; with a time limit by that, and looks once more at the end",
    () => {
      const { at, client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "PROCESSING" } }))
      return Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const { executions } = yield* client
        const error = failureOf(yield* runToEnd(executions.await(id)))
        assert.strictEqual(error._tag, "AwaitTimeout")
        assert.strictEqual((at.at(-1) ?? 0) - start, 600_000)
        assert.include(error.message, "exec_1 is PROCESSING")
        at.length = 0
        yield* TestClock.setTime(start)
        const limited = failureOf(yield* runToEnd(executions.await(id, { timeout: "7 seconds" })))
        assert.strictEqual(limited._tag, "AwaitTimeout")
        assert.deepStrictEqual(
          at.map((instant) => instant - start),
          [2000, 5000, 7000]
        )
      })
    }
  )
})

describe("cancelOnInterrupt", () => {
  const interrupted = (cancelOnInterrupt: boolean, faults: ReadonlyArray<Fault.Fault> = []) =>
    withClient((client) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(client.executions.run(image, { cancelOnInterrupt }))
        yield* TestClock.adjust("3 seconds")
        const { inject, ledger, requests } = yield* Simulator
        yield* inject(...faults)
        const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
        const exit = valueOf(yield* runToEnd(Fiber.join(interruption)))
        assert.isTrue(Exit.isInterrupted(exit))
        const cancels = (yield* requests).filter(({ operation }) => operation === "executions.cancel")
        return { status: (yield* ledger).executions[0]?.status, cancels: cancels.map(({ at }) => at - start) }
      })
    ).pipe(Effect.provide(layer()))

  it.effect("sends the cancel when the waiting fiber is interrupted", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* interrupted(true), { status: "CANCELLED", cancels: [3000] })
      assert.deepStrictEqual(yield* interrupted(false), { status: "PROCESSING", cancels: [] })
    })
  )

  /**
   * Interrupts `run` after a while. Says when the interruption returned, what was sent, what has become of the execution an hour
   * later, and what was logged as a warning.
   */
  const interruptedCreate = (simulator: SimulatorOptions, afterMillis: number, first: ReadonlyArray<object> = []) =>
    Effect.gen(function* () {
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel._tag === "Warning") warnings.push(String(message))
      })
      const program = Effect.gen(function* () {
        const { executions } = yield* ModelRouteClient.ModelRouteClient
        yield* Effect.forEach(first, () => executions.create(image), { discard: true })
        const video = { model: "seedance-video", input: { prompt } }
        const fiber = yield* Effect.fork(executions.run(video, { cancelOnInterrupt: true }))
        yield* Effect.sleep(afterMillis)
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isInterrupted(exit))
        const returnedAt = (yield* Clock.currentTimeMillis) - start
        yield* Effect.sleep("1 hour")
        const { ledger } = yield* Simulator
        const { executions: executed } = yield* ledger
        return {
          returnedAt,
          creates: yield* arrivalTimes("executions.create"),
          cancels: yield* arrivalTimes("executions.cancel"),
          statuses: executed.slice(first.length).map(({ status }) => status),
          keys: new Set(executed.map(({ idempotencyKey }) => idempotencyKey)).size
        }
      })
      const result = yield* run(
        program.pipe(Effect.provide([layer({ simulator }), Logger.replace(Logger.defaultLogger, logger)])),
        start
      )
      return { ...valueOf(result), warnings }
    })

  it.effect("waits for the response to the create, to know what to cancel", () =>
    Effect.gen(function* () {
      const { cancels, creates, returnedAt, statuses, warnings } = yield* interruptedCreate(
        { faults: [Fault.delay("4 seconds")] },
        1000
      )
      assert.deepStrictEqual([returnedAt, creates, cancels, statuses, warnings], [4000, [0], [4000], ["CANCELLED"], []])
    })
  )

  it.effect("sends no create that still waits for the rate limit, and returns at once", () =>
    Effect.gen(function* () {
      const { cancels, creates, returnedAt, statuses, warnings } = yield* interruptedCreate(
        { rateLimit: { limit: 1, window: "1 minute" } },
        5000,
        [{}]
      )
      assert.deepStrictEqual([returnedAt, creates, cancels, statuses, warnings], [5000, [0], [], [], []])
    })
  )

  for (const [name, fault] of [
    ["a 429", Fault.rateLimited({ resetIn: "20 seconds" })],
    [
      "a connection that was refused",
      Fault.raw({ status: 402, body: '{"error":{"code":"INSUFFICIENT_BALANCE","message":"no","retryable":true}}' })
    ]
  ] as const) {
    it.effect(`sends no second create after ${name}`, () =>
      Effect.gen(function* () {
        const { creates, returnedAt, statuses } = yield* interruptedCreate({ faults: [fault] }, 500)
        assert.deepStrictEqual([returnedAt, creates, statuses], [500, [0], []])
      })
    )
  }

  it.effect("returns after 10 s, and cancels in the background what a slow create has started", () =>
    Effect.gen(function* () {
      const { cancels, creates, returnedAt, statuses, warnings } = yield* interruptedCreate(
        { faults: [Fault.delay("15 seconds")] },
        1000
      )
      assert.deepStrictEqual(
        [returnedAt, creates, cancels, statuses, warnings],
        [11_000, [0], [15_000], ["CANCELLED"], []]
      )
    })
  )

  it.effect("asks for the execution again under the same key if the response is lost", () =>
    Effect.gen(function* () {
      const { cancels, creates, keys, returnedAt, statuses, warnings } = yield* interruptedCreate(
        { faults: [Fault.hang()] },
        1000
      )
      assert.deepStrictEqual(
        [returnedAt, creates, cancels, statuses, keys, warnings],
        [11_000, [0, 31_000], [31_000], ["CANCELLED"], 1, []]
      )
    })
  )

  it.effect("names the key if nothing is known of a create that may have been accepted", () =>
    Effect.gen(function* () {
      const { returnedAt, statuses, warnings } = yield* interruptedCreate(
        { faults: Fault.times(9, Fault.on("executions.create", Fault.dropAfter)) },
        500
      )
      assert.deepStrictEqual([returnedAt, statuses], [7000, ["COMPLETED"]])
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0] ?? "", /^An interrupted create may have been accepted .* idempotency key key-1$/)
    })
  )

  it.effect("names key and id if the cancel fails", () =>
    Effect.gen(function* () {
      const { statuses, warnings } = yield* interruptedCreate(
        { faults: Fault.times(9, Fault.on("executions.cancel", Fault.envelope("INTERNAL_ERROR"))) },
        3000
      )
      assert.deepStrictEqual(statuses, ["COMPLETED"])
      assert.lengthOf(warnings, 1)
      assert.match(
        warnings[0] ?? "",
        /^Execution exec_\S+ \(idempotency key key-1\) keeps running and may be charged: it could not be cancelled/
      )
    })
  )

  it.effect("tries for 10 s, with retries", () =>
    Effect.gen(function* () {
      const lost = Fault.times(2, Fault.dropBefore)
      assert.deepStrictEqual(yield* interrupted(true, lost), { status: "CANCELLED", cancels: [3000, 4000, 6000] })
      const { cancels } = yield* interrupted(true, [Fault.hang("before")])
      assert.deepStrictEqual(cancels, [3000])
    })
  )
})

describe("result", () => {
  it.effect("does not wait: too early, it fails with the execution as it is", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const early = failureOf(yield* Effect.exit(client.executions.result(id)))
        assert.strictEqual(early._tag === "ExecutionNotReady" && early.execution.status, "PENDING")
        yield* TestClock.adjust("9 seconds")
        const completed = yield* client.executions.result(id)
        assert.lengthOf(completed.fileIds, 1)
        assert.deepStrictEqual(yield* arrivalTimes("executions.result"), [0, 9000])
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [0])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("of a FAILED execution fails with the error of its code", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual(failureOf(yield* Effect.exit(client.executions.result(id)))._tag, "GenerationFailed")
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.ends({ status: "FAILED" })] } })))
  )

  it.effect("of an unknown execution fails with the API's refusal", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(client.executions.result(id)))
        assert.strictEqual(error._tag === "UnrecognizedError" && error.status, 404)
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("says so when what it gets is no result", () => {
    const { client } = makeFakeClient(() => ({ status: 200, json: { execution_id: "exec_1", status: "PROCESSING" } }))
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).executions.result(id)))
      assert.strictEqual(error._tag, "ExecutionNotReady")
      assert.include(error.message, "still PROCESSING")
    })
  })

  it.effect("finds it in the execution where there is no such address", () => {
    const { client } = makeFakeClient((url) =>
      url.endsWith("/result")
        ? { status: 404, text: "<html>not found</html>" }
        : { status: 200, json: { id: "exec_1", status: "COMPLETED", result: { file_id: "file_a" } } }
    )
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* (yield* client).executions.result(id)).output, { file_id: "file_a" })
    })
  })
})

describe("cancel", () => {
  it.effect("gives the execution as it then is", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        assert.strictEqual((yield* client.executions.cancel(id)).status, "CANCELLED")
        const { balance } = yield* Simulator
        assert.strictEqual((yield* balance).held, "0.000")
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("is no failure for one that has ended already", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual((yield* client.executions.cancel(id)).status, "COMPLETED")
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("accepts an empty answer and reads the execution again", () => {
    const { client, urls } = makeFakeClient((url) =>
      url.endsWith("/cancel") ? { status: 204, text: "" } : { status: 200, json: { id: "exec_1", status: "CANCELLED" } }
    )
    return Effect.gen(function* () {
      assert.strictEqual((yield* (yield* client).executions.cancel(id)).status, "CANCELLED")
      assert.lengthOf(urls, 2)
    })
  })

  it.effect("fails with the refusal when the execution goes on all the same", () => {
    const { client } = makeFakeClient((url) =>
      url.endsWith("/cancel")
        ? { status: 409, json: { error: { code: "NOT_CANCELLABLE", message: "too late" } } }
        : { status: 200, json: { id: "exec_1", status: "AWAITING_WEBHOOK" } }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).executions.cancel(id)))
      assert.strictEqual(error._tag === "UnrecognizedError" && error.code, "NOT_CANCELLABLE")
    })
  })
})

describe("watch", () => {
  it.effect("has one element per change of status, the terminal one last", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create({ model: "seedance-video", input: { prompt } })
        const seen = valueOf(yield* runToEnd(Stream.runCollect(client.executions.watch(id))))
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(seen).map(({ status }) => status),
          ["PENDING", "PROCESSING", "AWAITING_WEBHOOK", "COMPLETED"]
        )
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("ends with a FAILED execution as an element", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const last = valueOf(yield* runToEnd(Stream.runLast(client.executions.watch(id))))
        assert.strictEqual(Option.getOrThrow(last).error?.code, "GENERATION_FAILED")
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.ends({ status: "FAILED" })] } })))
  )
})

describe("run", () => {
  it.effect("submits and waits", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const completed = valueOf(yield* runToEnd(client.executions.run(image)))
        assert.strictEqual(completed.status, "COMPLETED")
        assert.deepStrictEqual(yield* arrivalTimes("executions.create"), [0])
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), looks)
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("does not look at what the create already showed as ended", () => {
    const { client, urls } = makeFakeClient(() => ({
      status: 200,
      json: { id: "exec_1", status: "COMPLETED", output: "done" }
    }))
    return Effect.gen(function* () {
      assert.strictEqual((yield* (yield* client).executions.run(image)).output, "done")
      assert.lengthOf(urls, 1)
    })
  })
})

describe("fileIds", () => {
  it("finds them at any depth, in order, each once", () => {
    const value = {
      images: [{ file_id: "file_b" }, { file_id: "file_a", mask: ["file_c", "file_b"] }],
      note: "file_ is not one, nor is a file_x in a sentence",
      none: null
    }
    assert.deepStrictEqual<ReadonlyArray<string>>(Execution.fileIds(value), ["file_b", "file_a", "file_c"])
    assert.deepStrictEqual(Execution.fileIds(undefined), [])
    let deep: unknown = "file_deep"
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.deepStrictEqual<ReadonlyArray<string>>(Execution.fileIds(deep), ["file_deep"])
  })
})
