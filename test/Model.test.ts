/** Tests typed models: the check of inputs and the decoding of outputs. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Chunk, Effect, FastCheck as fc, Fiber, Schema, Stream, TestClock, TestContext } from "effect"
import { Execution, File, Model, ModelRouteError, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { id } from "./utils/executions.js"
import { failureOf, valueOf } from "./utils/exit.js"
import { prompt, runToEnd, silent } from "./utils/harness.js"
import { renderings } from "./utils/renderings.js"
import { scriptedApi } from "./utils/scriptedApi.js"
import { spansOf } from "./utils/tracing.js"
import { bodies, operations, simulate } from "./utils/typedModels.js"

const Flux = Model.make({
  id: "flux-1.1-pro",
  input: Schema.Struct({
    prompt: Schema.NonEmptyString,
    width: Schema.optional(Schema.Int.pipe(Schema.between(256, 2048))),
    styles: Schema.optional(Schema.Array(Schema.Struct({ name: Schema.Literal("oil", "ink") }))),
    labels: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Number })),
    seed: Schema.optional(Schema.NumberFromString),
    steps: Schema.optional(
      Schema.Number.pipe(Schema.filter((steps) => steps % 8 === 0 || `is not a multiple of 8: ${steps}`))
    ),
    style: Schema.optional(
      Schema.String.pipe(Schema.pattern(/^[a-z]+$/, { message: ({ actual }) => `bad style ${actual}` }))
    )
  }),
  output: Model.imageOutput
})

const Writer = Model.make({
  id: "text-generation-standard",
  input: Schema.Struct({ prompt: Schema.String }),
  output: Schema.Struct({ words: Schema.Array(Schema.Struct({ text: Schema.String })) })
})

/** Returns a response with a COMPLETED execution. */
const completed = (output: unknown) => ({
  status: 200,
  json: { id, execution_id: id, status: "COMPLETED", model: "m", cost: "0.040", output }
})

const secret = "canary fox in snow"

describe("executions.run with a typed model", { concurrent: true }, () => {
  it.effect("sends the encoded input and returns the decoded output", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const result = valueOf(
          yield* runToEnd(
            executions.run({ model: Flux, input: { prompt, width: 512, seed: 7 }, metadata: { order: 1 } })
          )
        )
        assert.deepStrictEqual(yield* bodies, [
          { model: "flux-1.1-pro", input: { prompt, width: 512, seed: "7" }, metadata: { order: 1 } }
        ])
        const [image, ...others] = result.output.images
        assert.deepStrictEqual(others, [])
        assert.deepStrictEqual(image, {
          fileId: File.FileId.make(result.fileIds[0] ?? ""),
          contentType: "image/png",
          width: 512,
          height: 768
        })
        assert.strictEqual(result.cost, "0.040")
      })
    )
  )

  it.effect("accepts a request that Model.request returns", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const request = Model.request(Flux, { prompt }, { extra: { tier: "fast" } })
        const { output } = valueOf(yield* runToEnd(executions.run(request)))
        assert.lengthOf(output.images, 1)
        assert.deepStrictEqual(yield* bodies, [{ tier: "fast", model: "flux-1.1-pro", input: { prompt } }])
      })
    )
  )

  it.effect("fails with the error of the effect in Model.requestEffect", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const request = Model.requestEffect(Flux, Effect.succeed({ prompt }))
        assert.lengthOf(valueOf(yield* runToEnd(executions.run(request))).output.images, 1)
        const failing = Model.requestEffect(Flux, Effect.fail("no prompt" as const))
        assert.strictEqual(failureOf(yield* Effect.exit(executions.run(failing))), "no prompt")
        assert.lengthOf(yield* bodies, 1)
      })
    )
  )

  it.effect("returns the unchanged output in the field raw", () => {
    const output = { images: [{ file_id: "file_1", nsfw: false }], previews: ["file_2"] }
    const { run } = scriptedApi(completed(output))
    return Effect.gen(function* () {
      const result = valueOf(yield* run(({ executions }) => executions.run({ model: Flux, input: { prompt } })))
      assert.deepStrictEqual(result.output, { images: [{ fileId: File.FileId.make("file_1") }] })
      assert.deepStrictEqual(result.raw.output, output)
      assert.deepStrictEqual(
        result.fileIds,
        ["file_1", "file_2"].map((file) => File.FileId.make(file))
      )
      assert.instanceOf(result, Execution.Completed)
    })
  })

  it.effect("fails with an OutputDecodeError that contains the result if the output does not match the schema", () => {
    const { requests, run } = scriptedApi(completed({ words: [{ text: secret }, { text: 7 }, {}], region: "EU" }))
    return Effect.gen(function* () {
      const exit = yield* run(({ executions }) => executions.run({ model: Writer, input: { prompt } }))
      const error = failureOf(exit)
      if (error._tag !== "OutputDecodeError") return assert.fail(error._tag)
      assert.deepStrictEqual(error.issues, [
        { path: "output.words[1].text", message: "expected string" },
        { path: "output.words[2].text", message: "is missing" }
      ])
      assert.include(error.message, "output.words[1].text: expected string. output.words[2].text: is missing.")
      assert.strictEqual(error.operation, "executions.run")
      assert.strictEqual(error.executionId, id)
      assert.strictEqual(error.model, "text-generation-standard")
      assert.isFalse(error.retryable)
      assert.deepStrictEqual(error.completed.output, { words: [{ text: secret }, { text: 7 }, {}], region: "EU" })
      assert.strictEqual(error.completed.cost, "0.040")
      assert.deepStrictEqual(requests, ["POST /v1/executions"])
    })
  })

  it.effect("creates only one execution if a retry policy retries OutputDecodeError", () =>
    simulate(
      ({ executions }) =>
        Effect.gen(function* () {
          const run = executions.run({ model: Writer, input: { prompt } }).pipe(Effect.retry(RetryPolicy.standard))
          const error = failureOf(yield* runToEnd(run))
          assert.strictEqual(error._tag, "OutputDecodeError")
          assert.lengthOf(yield* bodies, 1)
        }),
      { client: { retryWhile: () => true } }
    )
  )

  it.effect("fails with OutputDecodeError if the output schema throws an exception", () => {
    const Broken = Model.make({
      id: "broken",
      input: Schema.Struct({}),
      output: Schema.transform(Schema.Unknown, Schema.String, {
        strict: true,
        decode: (): string => {
          throw new Error(secret)
        },
        encode: (output) => output
      })
    })
    const { run } = scriptedApi(completed({ text: "x" }))
    return Effect.gen(function* () {
      const error = failureOf(yield* run(({ executions }) => executions.run({ model: Broken, input: {} })))
      assert.strictEqual(error._tag === "OutputDecodeError" && error.completed.cost, "0.040")
      assert.notInclude(renderings(error).join(), secret)
    })
  })

  it.effect("decodes a `null` output as undefined if the output schema is Schema.Undefined", () => {
    const Silent = Model.make({ id: "silent", input: Schema.Struct({}), output: Schema.Undefined })
    const { run } = scriptedApi({ status: 202, json: { id, status: "PENDING" } }, completed(null))
    return Effect.gen(function* () {
      const result = valueOf(yield* run(({ executions }) => executions.run({ model: Silent, input: {} })))
      assert.isUndefined(result.output)
    })
  })

  it.effect("records OutputDecodeError as the error type of the span", () => {
    const { run } = scriptedApi(completed({ text: "fox" }))
    return Effect.gen(function* () {
      const spans = yield* spansOf(run(({ executions }) => executions.run({ model: Writer, input: { prompt } })))
      const span = spans.find(({ name }) => name === "modelroute.executions.run")
      assert.strictEqual(span?.attributes.get("error.type"), "OutputDecodeError")
    })
  })

  for (const [when, faults] of [
    ["during the create request", [Fault.delay("4 seconds")]],
    ["during the wait", []]
  ] as const) {
    it.effect(`cancels the execution if cancelOnInterrupt is true and the call is interrupted ${when}`, () =>
      simulate(
        ({ executions }) =>
          Effect.gen(function* () {
            const run = executions.run({ model: Flux, input: { prompt } }, { cancelOnInterrupt: true })
            const fiber = yield* Effect.fork(run)
            yield* TestClock.adjust("1 second")
            yield* Fiber.interruptFork(fiber)
            yield* TestClock.adjust("5 seconds")
            const { ledger } = yield* Simulator
            assert.deepStrictEqual(
              (yield* ledger).executions.map(({ status }) => status),
              ["CANCELLED"]
            )
          }),
        { simulator: { faults } }
      )
    )
  }

  it.effect("omits the output from every rendering of OutputDecodeError", () => {
    const { run } = scriptedApi(completed({ words: [{ text: secret }, { [secret]: secret }, secret] }))
    const Strict = Model.make({
      ...Writer,
      output: Schema.Struct({
        words: Schema.Tuple(
          Schema.Struct({ text: Schema.String.pipe(Schema.filter((text) => `must not be "${text}"`)) }),
          Schema.Record({ key: Schema.String, value: Schema.Number }),
          Schema.parseJson()
        )
      })
    })
    return Effect.gen(function* () {
      const error = failureOf(yield* run(({ executions }) => executions.run({ model: Strict, input: { prompt } })))
      if (error._tag !== "OutputDecodeError") return assert.fail(error._tag)
      assert.lengthOf(error.issues, 3)
      for (const rendering of renderings(error)) assert.notInclude(rendering, secret)
    })
  })
})

describe("executions.create with a typed model", { concurrent: true }, () => {
  const invalid: ReadonlyArray<readonly [field: string, problem: string, input: object]> = [
    ["input.prompt", "is missing", {}],
    ["input.prompt", "is invalid: expected a non empty string", { prompt: "" }],
    ["input.prompt", "is invalid: expected string", { prompt: 771_177 }],
    ["input.width", "is invalid: expected a number between 256 and 2048", { prompt: secret, width: 77 }],
    ["input.width", "is invalid: expected an integer", { prompt: secret, width: 771_177.5 }],
    [
      "input.styles[1].name",
      'is invalid: expected "oil"; expected "ink"',
      { prompt: "x", styles: [{ name: "oil" }, { name: secret }] }
    ],
    ["input.steps", "is not a multiple of 8: [redacted]", { prompt: secret, steps: 77 }],
    ["input.style", "is invalid: bad style [redacted]", { prompt: "x", style: "K9" }],
    ["input.labels.[redacted]", "is invalid: expected number", { prompt: "x", labels: { [secret]: secret } }],
    ["input.widht", "is not a field of the schema", { prompt: secret, widht: 771_177 }]
  ]
  for (const [field, problem, input] of invalid) {
    it.effect(`rejects an input before the first request if ${field} ${problem}`, () =>
      simulate(({ executions }) =>
        Effect.gen(function* () {
          // @ts-expect-error A JavaScript caller can pass any input.
          const error = failureOf(yield* Effect.exit(executions.create({ model: Flux, input })))
          if (error._tag !== "InvalidRequest") return assert.fail(error._tag)
          assert.strictEqual(error.field, field)
          assert.include(error.message, `executions.create: ${field} ${problem}. Pass an input`)
          for (const rendering of renderings(error)) {
            for (const value of [secret, "771177", "77,", " 77.", "K9"]) assert.notInclude(rendering, value)
          }
          assert.deepStrictEqual(yield* operations, [])
        })
      )
    )
  }

  it.effect("rejects an input if the input schema throws an exception", () => {
    const Broken = Model.make({
      id: "broken",
      input: Schema.Struct({
        prompt: Schema.transform(Schema.String, Schema.String, {
          strict: true,
          decode: (text) => text,
          encode: (text): string => {
            throw new Error(text)
          }
        })
      }),
      output: Schema.Unknown
    })
    return simulate(({ executions }) =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(executions.create({ model: Broken, input: { prompt: secret } })))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "input")
        assert.notInclude(renderings(error).join(), secret)
      })
    )
  })

  it.effect("rejects an empty model id and a number that JSON cannot represent", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const Nameless = Model.make({ ...Writer, id: " " })
        const nameless = failureOf(yield* Effect.exit(executions.create({ model: Nameless, input: { prompt } })))
        assert.strictEqual(nameless._tag === "InvalidRequest" && nameless.field, "model")
        const Raw = Model.make({ id: "raw", input: Schema.Struct({ n: Schema.Number }), output: Schema.Unknown })
        const infinite = failureOf(yield* Effect.exit(executions.create({ model: Raw, input: { n: Infinity } })))
        assert.strictEqual(infinite._tag === "InvalidRequest" && infinite.field, "input.n")
        assert.deepStrictEqual(yield* operations, [])
      })
    )
  )

  it.effect("sends unknown input fields if the schema preserves unknown fields", () => {
    const Open = Model.make({
      ...Writer,
      input: Writer.input.annotations({ parseOptions: { onExcessProperty: "preserve" } })
    })
    return simulate(({ executions }) =>
      Effect.gen(function* () {
        const input = { prompt, tone: "formal" }
        yield* executions.create({ model: Open, input })
        assert.deepStrictEqual(yield* bodies, [{ model: Writer.id, input }])
      })
    )
  })
})

describe("a method with the option model", { concurrent: true }, () => {
  const Loose = Model.make({ ...Writer, output: Schema.Struct({ text: Schema.String }) })

  it.effect("decodes the output of executions.await and executions.result", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const created = yield* executions.create({ model: Loose, input: { prompt: "fox" } })
        const awaited = valueOf(yield* runToEnd(executions.await(created.id, { model: Loose })))
        assert.strictEqual(awaited.output.text, "Response of text-generation-standard to: fox")
        const { output } = yield* executions.result(created.id, { model: Loose })
        assert.deepStrictEqual(output, awaited.output)
        for (const [operation, result] of [
          ["executions.await", executions.await(created.id, { model: Writer, pollImmediately: true })],
          ["executions.result", executions.result(created.id, { model: Writer })],
          ["executions.watch", Stream.runDrain(executions.watch(created.id, { model: Writer, pollImmediately: true }))]
        ] as const) {
          const error: ModelRouteError.ModelRouteError = yield* Effect.flip<
            unknown,
            ModelRouteError.ModelRouteError,
            never
          >(result)
          assert.strictEqual(error._tag, "OutputDecodeError")
          assert.strictEqual(error.operation, operation)
        }
      })
    )
  )

  it.effect("emits COMPLETED from executions.watch only with the decoded output", () => {
    const status = (status: string, output?: unknown) => ({
      status: 200,
      json: { id, status, ...(output === undefined ? {} : { output }) }
    })
    const { run } = scriptedApi(
      status("PROCESSING", { text: 7 }),
      status("COMPLETED"),
      status("COMPLETED"),
      status("COMPLETED", { text: "fox" })
    )
    return Effect.gen(function* () {
      const states = yield* run(({ executions }) => Stream.runCollect(executions.watch(id, { model: Loose })))
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(valueOf(states)).map(({ output, status }) => [status, output]),
        [
          ["PROCESSING", undefined],
          ["COMPLETED", { text: "fox" }]
        ]
      )
    })
  })

  it.effect("sends no request if Model.make did not create the model", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const options = { model: "flux-1.1-pro" }
        for (const call of [
          // @ts-expect-error A JavaScript caller can pass a slug.
          executions.await(id, options),
          // @ts-expect-error A JavaScript caller can pass a slug.
          executions.result(id, options),
          // @ts-expect-error A JavaScript caller can pass a slug.
          Stream.runDrain(executions.watch(id, options))
        ]) {
          const error = yield* Effect.flip<unknown, ModelRouteError.ModelRouteError, never>(call)
          assert.strictEqual(error._tag === "InvalidRequest" && error.field, "model")
        }
        assert.deepStrictEqual(yield* operations, [])
      })
    )
  )
})

describe("Model.decode", { concurrent: true }, () => {
  it.effect("decodes the result of an OutputDecodeError with a corrected model", () => {
    const { run } = scriptedApi(completed({ text: "fox" }))
    return Effect.gen(function* () {
      const error = failureOf(yield* run(({ executions }) => executions.run({ model: Writer, input: { prompt } })))
      if (error._tag !== "OutputDecodeError") return assert.fail(error._tag)
      const stored = yield* Schema.encode(Schema.parseJson(ModelRouteError.ModelRouteError))(error)
      const restored = yield* Schema.decode(Schema.parseJson(ModelRouteError.ModelRouteError))(stored)
      if (restored._tag !== "OutputDecodeError") return assert.fail(restored._tag)
      const Corrected = Model.make({ ...Writer, output: Schema.Struct({ text: Schema.String }) })
      assert.strictEqual((yield* Model.decode(Corrected, restored.completed)).output.text, "fox")
      const again = yield* Effect.flip(Model.decode(Writer, restored.completed))
      assert.deepStrictEqual(again.issues, [{ path: "output.words", message: "is missing" }])
    })
  })
})

describe("Model.imageOutput", { concurrent: true }, () => {
  const decode = Schema.decodeUnknownEither(Model.imageOutput)
  const fileId = File.FileId.make("file_1")

  it("decodes a list of images or a single image and omits invalid fields", () => {
    const image = { file_id: "file_1", format: 7, content_type: null, width: "wide", height: 8, region: "EU" }
    const expected = { images: [{ fileId, height: 8 }] }
    assert.deepStrictEqual(Schema.decodeUnknownSync(Model.imageOutput)({ images: [image], seed: 1 }), expected)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Model.imageOutput)(image), expected)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Model.imageOutput)({ images: [] }), { images: [] })
  })

  for (const output of [undefined, null, "x", {}, { images: 1 }, { images: [{}] }, { images: [{ file_id: "" }] }]) {
    it(`rejects an output without file ids: ${JSON.stringify(output)}`, () => {
      assert.strictEqual(decode(output)._tag, "Left")
    })
  }
})

describe("a typed model", { concurrent: true }, () => {
  const Values = Schema.Struct({
    text: Schema.String,
    when: Schema.DateTimeUtc,
    choice: Schema.optionalWith(Schema.Literal("a", "b"), { exact: true }),
    numbers: Schema.Array(Schema.Int),
    size: Schema.NumberFromString.pipe(Schema.compose(Schema.Int))
  })
  const Echo = Model.make({ id: "echo", input: Values, output: Values })

  it("encodes and decodes random values without a change", () =>
    fc.assert(
      fc.asyncProperty(Arbitrary.make(Values), (input) =>
        Effect.gen(function* () {
          const { bodies, run } = scriptedApi({ status: 202, json: { id, status: "PENDING" } })
          yield* run(({ executions }) => executions.create({ model: Echo, input }))
          const sent = Schema.decodeSync(Schema.parseJson(Schema.Struct({ input: Schema.Unknown })))(bodies[0] ?? "")
          const raw = new Execution.Completed({ id, status: "COMPLETED", output: sent.input })
          const { output } = yield* Model.decode(Echo, raw)
          assert.deepStrictEqual(output, input)
        }).pipe(silent, Effect.provide(TestContext.TestContext), Effect.runPromise)
      ),
      { numRuns: 50 }
    ))
})
