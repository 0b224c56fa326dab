/** Tests the uploads of the sources in the input of a typed model. */
import * as PlatformError from "@effect/platform/Error"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import { File, IdempotencyKey, Model } from "effect-modelroute"
import { Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { runToEnd } from "../utils/harness.js"
import { bodies, operations, sentSizes, simulate, Upscaler } from "../utils/typedModels.js"

const text = (content: string) => File.fromBytes(new TextEncoder().encode(content))

const brokenDisk = new PlatformError.SystemError({ module: "FileSystem", method: "read", reason: "Unknown" })

describe("Model.upload", () => {
  it.effect("uploads a source before the create request and sends its file id as the input", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const run = executions.run({ model: Upscaler, input: { source_image: text("fox"), factor: 2 } })
        assert.lengthOf(valueOf(yield* runToEnd(run)).output.images, 1)
        const all = yield* operations
        assert.deepStrictEqual(all.slice(0, 4), ["files.upload", "storage.put", "files.confirm", "executions.create"])
        const [body] = yield* bodies
        assert.match(
          JSON.stringify(body),
          /^\{"model":"upscaler","input":\{"source_image":"file_[^"]+","factor":2\}\}$/
        )
      })
    )
  )

  it.effect("uploads each source of an input once and in the order of the fields", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const [fox, mask] = [text("fox"), text("the mask")]
        yield* executions.create({ model: Upscaler, input: { source_image: fox, mask: fox } })
        yield* executions.create({ model: Upscaler, input: { source_image: fox, mask } })
        assert.lengthOf(
          (yield* operations).filter((operation) => operation === "storage.put"),
          3
        )
        assert.deepStrictEqual(yield* sentSizes, [[3], [3, 8]])
      })
    )
  )

  it.effect("uploads a source once for each set of uploadWith options", () => {
    const [EU, US] = [Model.uploadWith({ region: "EU" }), Model.uploadWith({ region: "US" })]
    const Regional = Model.make({ ...Upscaler, input: Schema.Struct({ source_image: EU, copy: EU, mask: US }) })
    return simulate(({ executions }) =>
      Effect.gen(function* () {
        const fox = text("fox")
        yield* executions.create({ model: Regional, input: { source_image: fox, copy: fox, mask: fox } })
        const files = yield* (yield* Simulator).files
        assert.deepStrictEqual(
          files.map(({ region }) => region),
          ["EU", "US"]
        )
        const [body] = yield* bodies
        assert.deepStrictEqual(body, {
          model: "upscaler",
          input: { source_image: files[0]?.id, copy: files[0]?.id, mask: files[1]?.id }
        })
      })
    )
  })

  it.effect("assigns each file to its field if the schema encodes the fields concurrently", () => {
    const delays = new Map([
      [3, 1],
      [8, 2]
    ])
    let encodings = 0
    /** Encodes the larger file last in the first encoding, and first in the second encoding. */
    const Slow = Schema.transformOrFail(Model.upload, Schema.typeSchema(Model.upload), {
      strict: true,
      decode: (file) => Effect.succeed(file),
      encode: (file) => {
        const delay = typeof file === "string" ? 0 : (delays.get(file.size) ?? 0)
        const millis = encodings++ < 2 ? delay : 3 - delay
        return Effect.as(Effect.sleep(millis), file)
      }
    })
    const Concurrent = Model.make({
      ...Upscaler,
      input: Schema.Struct({ source_image: Slow, mask: Slow }).annotations({ concurrency: "unbounded" })
    })
    return simulate(({ executions }) =>
      Effect.gen(function* () {
        const create = executions.create({
          model: Concurrent,
          input: { source_image: text("fox"), mask: text("the mask") }
        })
        valueOf(yield* runToEnd(create))
        assert.deepStrictEqual(yield* sentSizes, [[3, 8]])
      })
    )
  })

  it.effect("sends a file id in the input without an upload", () =>
    simulate(({ executions, files }) =>
      Effect.gen(function* () {
        const source_image = yield* files.upload(text("fox"))
        const uploads = (yield* operations).length
        yield* executions.create({ model: Upscaler, input: { source_image } })
        assert.deepStrictEqual((yield* operations).slice(uploads), ["executions.create"])
      })
    )
  )

  const source_image = text("fox")
  const tooLarge = { ...source_image, size: 200 * 1024 * 1024 }
  const rejected: ReadonlyArray<readonly [string, Schema.Schema.Type<typeof Upscaler.input>, string, object]> = [
    ["another field of the input", { source_image, factor: 1.5 }, "InvalidRequest", {}],
    ["another source", { source_image, mask: tooLarge }, "FileTooLarge", {}],
    ["webhookUrl", { source_image }, "InvalidRequest", { webhookUrl: "example.com" }],
    ["idempotencyKey", { source_image }, "InvalidRequest", { idempotencyKey: "" }]
  ]
  for (const [name, input, tag, options] of rejected) {
    it.effect(`uploads nothing if ${name} is invalid`, () =>
      simulate(({ executions }) =>
        Effect.gen(function* () {
          const create = executions.create(Model.request(Upscaler, input, options), options)
          assert.strictEqual(failureOf(yield* Effect.exit(create))._tag, tag)
          assert.deepStrictEqual(yield* operations, [])
        })
      )
    )
  }

  it.effect("fails with the error of the source and sends no create request", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const broken = File.fromStream(Stream.fail(brokenDisk), { size: 3 })
        const run = executions.run({ model: Upscaler, input: { source_image: broken } })
        const error = failureOf(yield* runToEnd(run))
        assert.strictEqual(error._tag, "SystemError")
        assert.notInclude(yield* operations, "executions.create")
      })
    )
  )

  it.effect("sends no create request if the call is interrupted during the upload", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const reading = yield* Deferred.make<void>()
        const stream = Stream.fromEffect(Effect.zipRight(Deferred.succeed(reading, undefined), Effect.never))
        const source_image = File.fromStream(stream, { size: 3 })
        const run = executions.run({ model: Upscaler, input: { source_image } }, { cancelOnInterrupt: true })
        const fiber = yield* Effect.fork(run)
        yield* Deferred.await(reading)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(
          (yield* operations).filter((operation) => operation.startsWith("executions.")),
          []
        )
      })
    )
  )

  it.effect("fails with InvalidRequest if two calls with the same withKey key upload a source", () =>
    simulate(({ executions }) =>
      Effect.gen(function* () {
        const create = executions.create({ model: Upscaler, input: { source_image } })
        const both = IdempotencyKey.withKey("order-7")(Effect.zipRight(create, create))
        const error = failureOf(yield* runToEnd(both))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "idempotencyKey")
        assert.lengthOf(yield* bodies, 1)
      })
    )
  )

  it.effect("uploads a source that a transformation in the schema creates", () => {
    const Bytes = Schema.transformOrFail(Model.upload, Schema.Uint8ArrayFromSelf, {
      strict: true,
      decode: () => Effect.dieMessage("is not decoded"),
      encode: (bytes) => Effect.succeed(File.fromBytes(bytes))
    })
    const FromBytes = Model.make({
      ...Upscaler,
      input: Schema.Struct({ source_image: Bytes, mask: Bytes })
    })
    return simulate(({ executions }) =>
      Effect.gen(function* () {
        const input = { source_image: new Uint8Array(3), mask: new Uint8Array(8) }
        yield* executions.create({ model: FromBytes, input })
        assert.deepStrictEqual(yield* sentSizes, [[3, 8]])
      })
    )
  })
})
