/**
 * Encodes the files of an input as file ids.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as File from "../../File.js"
import type { UploadOptions } from "../files/types.js"

/**
 * The service that replaces a source with the id of its file while an input is encoded. The client provides this
 * service. Only `Model.upload` and `Model.uploadWith` require this service.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { File, Model } from "effect-modelroute"
 *
 * const Input = Schema.Struct({ source_image: Model.upload })
 *
 * // Encodes an input without a client, for example in a test.
 * export const encode = (input: typeof Input.Type) =>
 *   Schema.encode(Input)(input).pipe(
 *     Effect.provideService(Model.Uploads, { fileIdOf: () => Effect.succeed(File.FileId.make("file_abc123")) })
 *   )
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Uploads extends Context.Tag("effect-modelroute/Model/Uploads")<
  Uploads,
  {
    /** Returns the id that replaces the source in the encoded input. `options` are the options of `uploadWith`. */
    readonly fileIdOf: (source: File.Source<PlatformError>, options: UploadOptions) => Effect.Effect<File.FileId>
  }
>() {}

const isSource = (u: unknown): u is File.Source<PlatformError> =>
  Predicate.hasProperty(u, "stream") && Predicate.hasProperty(u.stream, Stream.StreamTypeId)

const isFileId = Schema.is(File.FileId)

/**
 * Returns a schema like `Model.upload`, with options for each upload. For example, an option selects a region or the
 * format of the older API edition.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "effect-modelroute"
 *
 * export const Upscaler = Model.make({
 *   id: "upscaler",
 *   input: Schema.Struct({ source_image: Model.uploadWith({ region: "EU", ttlDays: 1 }) }),
 *   output: Model.imageOutput
 * })
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const uploadWith = (
  options: UploadOptions
): Schema.Schema<File.FileId | File.Source<PlatformError>, string, Uploads> =>
  Schema.transformOrFail(
    Schema.String,
    Schema.declare((u: unknown): u is File.FileId | File.Source<PlatformError> => isFileId(u) || isSource(u), {
      identifier: "FileId | File.Source",
      description: "a file id or a File.Source",
      jsonSchema: { type: "string" }
    }),
    {
      strict: true,
      decode: (text, _, ast) =>
        isFileId(text)
          ? ParseResult.succeed(text)
          : ParseResult.fail(new ParseResult.Type(ast, text, "is not a file id")),
      encode: (file) =>
        typeof file === "string"
          ? ParseResult.succeed(file)
          : Effect.flatMap(Uploads, ({ fileIdOf }) => fileIdOf(file, options))
    }
  )

/**
 * Schema of a file in an input. The value is the id of a file, or a source that the client uploads first. The client
 * checks the whole input before the first upload. `create` and `run` can also fail with the errors of `files.upload`
 * and with the `PlatformError` of a source.
 *
 * Each call uploads its sources again, so the body of the request contains new file ids. Pass a file id instead of a
 * source if you repeat a call with your own idempotency key. Otherwise, the same key is sent with two different bodies.
 * Also pass a file id in a job with `IdempotencyKey.layerDeterministic`. Otherwise, new file ids cause a new key, and a
 * second run of the job creates a second execution. `files.upload` returns the id. Uploads have the default options of
 * `files.upload`. `Model.uploadWith` sets other options.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { File, Model, ModelRouteClient } from "effect-modelroute"
 *
 * const Upscaler = Model.make({
 *   id: "upscaler",
 *   input: Schema.Struct({ source_image: Model.upload }),
 *   output: Model.imageOutput
 * })
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   const source_image = yield* File.fromPath("fox.png")
 *   return yield* executions.run({ model: Upscaler, input: { source_image } })
 * })
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const upload: Schema.Schema<File.FileId | File.Source<PlatformError>, string, Uploads> = uploadWith({})
