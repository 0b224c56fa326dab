/** Tests batches of typed models: decoded outcomes, uploads, and decoding from the journal. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Batch, Execution, File, Model, RetryPolicy } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { batchOptions, collect, makeMemoryJournal, readLedger, runBatchTest, withJournal } from "../utils/batches.js"

const Flux = Model.make({
  id: "flux-1.1-pro",
  input: Schema.Struct({ prompt: Schema.NonEmptyString }),
  output: Model.imageOutput
})

/** Declares an output that the model does not return. */
const Wrong = Model.make({ ...Flux, output: Schema.Struct({ video: Model.file }) })

const Upscaler = Model.make({
  id: "upscaler",
  input: Schema.Struct({ source_image: Model.upload }),
  output: Model.imageOutput
})

const setup = {
  simulator: { models: { upscaler: { duration: "1 second", cost: "0.010", output: "image" } } }
} as const

const promptOf = (n: number) => ({ prompt: `picture ${n}` })

const operations = Effect.flatMap(Simulator.Simulator, (simulator) =>
  Effect.map(simulator.requests, (requests) => requests.map(({ operation }) => operation))
)

const nameOf = (outcome: Batch.Outcome<number, unknown>): string =>
  outcome._tag === "Failed" ? `${JSON.stringify(Reflect.get(Object(outcome.error), "_tag"))}` : outcome._tag

/** Runs effects one after the other with one simulator and one journal, which is empty at first. */
const withSharedJournal = <A, E>(program: Parameters<typeof runBatchTest<A, E>>[0]) =>
  Effect.flatMap(makeMemoryJournal, (journal) => runBatchTest(Effect.provide(program, withJournal(journal)), setup))

describe("Batch.run with typed models", () => {
  it.effect("emits the decoded output even if the output is read from the journal", () =>
    withSharedJournal(
      Effect.gen(function* () {
        const options = { ...batchOptions, request: (n: number) => Model.request(Flux, promptOf(n)) }
        const outcomes = yield* collect(Batch.run([1, 2], options))
        for (const outcome of outcomes) {
          if (outcome._tag !== "Succeeded") return assert.fail(outcome._tag)
          const [image] = outcome.output.images
          assert.strictEqual(image?.contentType, "image/png")
          assert.strictEqual(Reflect.get(Object(outcome.completed.output), "content_type"), "image/png")
        }
        const { executions } = yield* readLedger
        assert.deepStrictEqual(
          executions.map(({ body }): unknown => JSON.parse(body)),
          [1, 2].map((n) => ({ model: "flux-1.1-pro", input: promptOf(n) }))
        )
        const sent = (yield* operations).length
        const again = yield* collect(Batch.run([1, 2], options))
        assert.deepStrictEqual(
          again.map((outcome) => outcome._tag === "Succeeded" && outcome.output),
          outcomes.map((outcome) => outcome._tag === "Succeeded" && outcome.output)
        )
        assert.strictEqual((yield* operations).length, sent)
      })
    )
  )

  it.effect("submits an untyped request and a typed request with the same body once", () =>
    withSharedJournal(
      Effect.gen(function* () {
        const untyped = { ...batchOptions, request: (n: number) => ({ model: Flux.id, input: promptOf(n) }) }
        yield* Stream.runDrain(Batch.run([1], untyped))
        const typed = { ...batchOptions, request: (n: number) => Model.request(Flux, promptOf(n)) }
        assert.deepStrictEqual((yield* collect(Batch.run([1], typed))).map(nameOf), ["Succeeded"])
        assert.lengthOf((yield* readLedger).executions, 1)
      })
    )
  )

  it.effect("decodes the output of an OutputDecodeError in a later run with a corrected model", () =>
    withSharedJournal(
      Effect.gen(function* () {
        const delivered: Array<string> = []
        const runWith = <Out>(model: Model.Model<{ readonly prompt: string }, Out>) =>
          Effect.gen(function* () {
            const batch = yield* Batch.make([1], {
              ...batchOptions,
              request: (n: number) => Model.request(model, promptOf(n)),
              deliver: (outcome) => Effect.sync(() => void delivered.push(nameOf(outcome))),
              resubmit: () => true
            })
            return { outcomes: yield* collect(batch.outcomes), progress: yield* batch.progress.get }
          })
        const failed = yield* runWith(Wrong)
        const [outcome] = failed.outcomes
        if (outcome?._tag !== "Failed") return assert.fail(outcome?._tag)
        if (outcome.error._tag !== "OutputDecodeError") return assert.fail(outcome.error._tag)
        assert.isFalse(outcome.final)
        assert.strictEqual(outcome.error.operation, "Batch.run")
        assert.deepStrictEqual(outcome.error.issues, [{ path: "output.video", message: "is missing" }])
        assert.lengthOf(Execution.fileIds(outcome.error.completed.output), 1)
        assert.strictEqual(failed.progress.cost, "0.04")
        assert.strictEqual(failed.progress.failed, 1)

        const again = yield* runWith(Wrong)
        assert.deepStrictEqual(again.outcomes.map(nameOf), ['"OutputDecodeError"'])
        assert.strictEqual(again.progress.requests, 0)

        const corrected = yield* runWith(Flux)
        assert.deepStrictEqual(
          corrected.outcomes.map(({ _tag, delivered }) => [_tag, delivered]),
          [["Succeeded", false]]
        )
        assert.strictEqual(corrected.progress.requests, 0)
        assert.deepStrictEqual(
          (yield* runWith(Flux)).outcomes.map(({ delivered }) => delivered),
          [true]
        )
        assert.deepStrictEqual(delivered, ['"OutputDecodeError"', '"OutputDecodeError"', "Succeeded"])
        assert.lengthOf((yield* readLedger).executions, 1)
      })
    )
  )

  it.effect("rejects a changed input in a later run, unless the input contains a source or comes from an effect", () =>
    withSharedJournal(
      Effect.gen(function* () {
        const runWith = (inputs: ReadonlyArray<{ readonly prompt: string; readonly bytes: number }>) =>
          collect(
            Batch.run(inputs, {
              id: "catalogue",
              order: "input",
              key: (_, index) => String(index),
              request: ({ bytes, prompt }, index) => {
                const source = { source_image: File.fromBytes(new Uint8Array(bytes)) }
                if (index === 0) return Model.request(Flux, { prompt })
                return index === 1
                  ? Model.request(Upscaler, source)
                  : Model.requestEffect(Flux, Effect.succeed({ prompt }))
              }
            })
          )
        const first = yield* runWith(Array.from({ length: 3 }, () => ({ prompt: "a", bytes: 3 })))
        assert.deepStrictEqual(
          first.map(({ _tag }) => _tag),
          ["Succeeded", "Succeeded", "Succeeded"]
        )
        const [changed, ...others] = yield* runWith(Array.from({ length: 3 }, () => ({ prompt: "b", bytes: 4 })))
        assert.strictEqual(changed?._tag === "Failed" && Object(changed.error).field, "request")
        assert.deepStrictEqual(
          others.map(({ _tag }) => _tag),
          ["Succeeded", "Succeeded"]
        )
        const entries = yield* collect((yield* Batch.Journal).entries("catalogue"))
        assert.deepStrictEqual(entries.map(({ digest, key }) => [key, digest === ""]).toSorted(), [
          ["0", false],
          ["1", true],
          ["2", true]
        ])
      })
    )
  )

  it.effect("reports the invalid field of a typed request", () =>
    withSharedJournal(
      Effect.gen(function* () {
        const request = () => Model.request(Flux, promptOf(1), { webhookUrl: "nowhere" })
        const [outcome] = yield* collect(Batch.run([1], { ...batchOptions, request }))
        assert.strictEqual(outcome?._tag === "Failed" && Object(outcome.error).field, "webhookUrl")
      })
    )
  )

  it.effect("sends no request for an item whose input does not match the schema", () =>
    withSharedJournal(
      Effect.gen(function* () {
        const outcomes = yield* collect(
          Batch.run([1], { ...batchOptions, request: () => Model.request(Flux, { prompt: "" }) })
        )
        const [outcome] = outcomes
        if (outcome?._tag !== "Failed" || outcome.error._tag !== "InvalidRequest") return assert.fail(outcome?._tag)
        assert.strictEqual(outcome.error.field, "input.prompt")
        assert.strictEqual(outcome.error.operation, "Batch.run")
        assert.deepStrictEqual(yield* operations, [])
      })
    )
  )

  it.effect("fails an item whose request throws an exception, even if the journal contains its result", () =>
    withSharedJournal(
      Effect.gen(function* () {
        const options = { ...batchOptions, request: (n: number) => Model.request(Flux, promptOf(n)) }
        yield* Stream.runDrain(Batch.run([1], options))
        const broken = {
          ...options,
          request: (): Model.Request<Model.ImageOutput> => {
            throw new Error("no catalogue")
          }
        }
        assert.deepStrictEqual((yield* collect(Batch.run([1], broken))).map(nameOf), ['"InvalidRequest"'])
        assert.deepStrictEqual((yield* collect(Batch.run([1], options))).map(nameOf), ["Succeeded"])
        assert.lengthOf((yield* readLedger).executions, 1)
      })
    )
  )

  it.effect("uploads the files of an item once, immediately before its submission", () =>
    withSharedJournal(
      Effect.gen(function* () {
        let made = 0
        const options = {
          ...batchOptions,
          concurrency: 1,
          request: (n: number) =>
            n === 1
              ? Model.request(Upscaler, { source_image: File.fromBytes(new Uint8Array(3)) })
              : Model.requestEffect(
                  Upscaler,
                  Effect.sync(() => ({ source_image: File.fromBytes(new Uint8Array((made += 1))) }))
                )
        }
        const outcomes = yield* collect(Batch.run([1, 2], options))
        assert.deepStrictEqual(outcomes.map(nameOf), ["Succeeded", "Succeeded"])
        const all = yield* operations
        assert.deepStrictEqual(
          all.filter((operation) => operation === "storage.put" || operation === "executions.create"),
          ["storage.put", "executions.create", "storage.put", "executions.create"]
        )
        const again = yield* collect(Batch.run([1, 2], options))
        assert.deepStrictEqual(
          again.map((outcome) => outcome._tag === "Succeeded" && outcome.output.images.length),
          [1, 1]
        )
        assert.strictEqual((yield* operations).length, all.length)
        assert.strictEqual(made, 1)
      })
    )
  )

  it.effect("sends the recorded body again without another upload if the outcome of a submission is unknown", () =>
    Effect.gen(function* () {
      const journal = yield* makeMemoryJournal
      const options = {
        ...batchOptions,
        retryBudget: false,
        request: () => Model.request(Upscaler, { source_image: File.fromBytes(new Uint8Array(3)) })
      } as const
      yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run([1], options)).pipe(RetryPolicy.withPolicy(RetryPolicy.none))
          assert.deepStrictEqual(first.map(nameOf), ['"TransportError"'])
          assert.deepStrictEqual((yield* collect(Batch.run([1], options))).map(nameOf), ["Succeeded"])
          assert.lengthOf(
            (yield* operations).filter((operation) => operation === "storage.put"),
            1
          )
          assert.lengthOf((yield* readLedger).executions, 1)
        }).pipe(Effect.provide(withJournal(journal))),
        {
          simulator: {
            ...setup.simulator,
            faults: [Simulator.Fault.on("executions.create", Simulator.Fault.dropAfter)]
          }
        }
      )
    })
  )
})
