/**
 * Typed models. A typed model consists of the slug of a model and of the schemas of its input and output.
 *
 * The client encodes and checks an input before the first request, so an invalid input is never charged. The client
 * decodes the output of a COMPLETED execution. Models without schemas are also supported. See
 * `Execution.CreateRequest`.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Execution from "./Execution.js"
import * as File from "./File.js"
import { makeCodec } from "./internal/typedModels/codec.js"
import { decodeCompleted } from "./internal/typedModels/decode.js"
import { type Image, image, type ImageJson, type ImageOutput, imageOutput } from "./internal/typedModels/imageOutput.js"
import * as requests from "./internal/typedModels/request.js"
import { RequestTypeId, TypeId } from "./internal/typedModels/types.js"
import type {
  Completed,
  CreateRequest,
  Model,
  Request,
  RequestOptions,
  SourceFailure,
  WatchedExecution,
  WithSchemas
} from "./internal/typedModels/types.js"
import { upload, Uploads, uploadWith } from "./internal/typedModels/uploads.js"
import type { OutputDecodeError } from "./ModelRouteError.js"

export {
  type Completed,
  type CreateRequest,
  type Image,
  image,
  type ImageJson,
  type ImageOutput,
  imageOutput,
  type Model,
  type Request,
  type RequestOptions,
  RequestTypeId,
  type SourceFailure,
  TypeId,
  upload,
  Uploads,
  uploadWith,
  type WatchedExecution,
  type WithSchemas
}

/**
 * Options of `make`. `InEncoded` is the type of the input as JSON. `R` is `Uploads` if the input schema contains
 * `Model.upload`, otherwise `never`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in out In, in out InEncoded extends object, in out Out, in out OutEncoded, out R = never> {
  /** The slug of the model, such as `flux-1.1-pro`. */
  readonly id: string
  /**
   * The schema of the input. A call fails with `InvalidRequest` if its input has fields that the schema does not
   * contain. To send such fields, set `parseOptions: { onExcessProperty: "preserve" }` in the annotations of the
   * schema.
   */
  readonly input: Schema.Schema<In, InEncoded, R>
  /**
   * The schema of the output. If the API confirms that an execution has no output, the schema decodes `undefined`. The
   * schema should ignore unknown fields, because the API can add fields. `Schema.Unknown` accepts every output.
   */
  readonly output: Schema.Schema<Out, OutEncoded>
}

/**
 * Creates a typed model. `executions.create` and `executions.run` accept the model in place of its slug. The `input` of
 * the request must then have the type of the input schema.
 *
 * The client encodes the input before the first request. If the input does not match its schema, the call fails with
 * `InvalidRequest`. The `field` of this error is the path of the invalid part, such as `input.width`. The error
 * contains no value of the input. If the output does not match its schema, `run`, `await`, `result` and `watch` fail
 * with `OutputDecodeError`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Model, ModelRouteClient } from "effect-modelroute"
 *
 * const Flux = Model.make({
 *   id: "flux-1.1-pro",
 *   input: Schema.Struct({
 *     prompt: Schema.NonEmptyString,
 *     width: Schema.optional(Schema.Int.pipe(Schema.between(256, 2048)))
 *   }),
 *   output: Model.imageOutput
 * })
 *
 * export const program = Effect.gen(function* () {
 *   const { executions } = yield* ModelRouteClient.ModelRouteClient
 *   const { output } = yield* executions.run({ model: Flux, input: { prompt: "a red fox in snow", width: 512 } })
 *   return output.images.map(({ fileId }) => fileId)
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export function make<In, InEncoded extends object, Out, OutEncoded>(
  options: Options<In, InEncoded, Out, OutEncoded>
): WithSchemas<In, InEncoded, Out, OutEncoded>
export function make<In, InEncoded extends object, Out, OutEncoded>(
  options: Options<In, InEncoded, Out, OutEncoded, Uploads>
): WithSchemas<In, InEncoded, Out, OutEncoded, Uploads, SourceFailure>
// Only a schema with `Model.upload` requires `Uploads`. Without `Model.upload`, the input contains no upload source, so
// its encoding cannot fail with a `SourceFailure`.
export function make<In, InEncoded extends object, Out, OutEncoded>({
  id,
  input,
  output
}: Options<In, InEncoded, Out, OutEncoded, Uploads>): WithSchemas<
  In,
  InEncoded,
  Out,
  OutEncoded,
  Uploads,
  SourceFailure
> {
  return { [TypeId]: { ...makeCodec(id, input, output), _In: () => {} }, id, input, output }
}

/**
 * Tests whether a value is a typed model.
 *
 * @example
 * ```ts
 * import { Model } from "effect-modelroute"
 *
 * export const idOf = (model: string | Model.Model<never, unknown, unknown>): string =>
 *   Model.isModel(model) ? model.id : model
 * ```
 *
 * @since 0.1.0
 * @category guards
 */
export const isModel = <A>(u: A): u is A & Model<never, unknown, unknown> => Predicate.hasProperty(u, TypeId)

/**
 * Creates a request for a typed model. Pass the request to `executions.create` or `executions.run`, or return the
 * request from the option `request` of a batch.
 *
 * @example
 * ```ts
 * import { Console, Schema, Stream } from "effect"
 * import { Batch, Model } from "effect-modelroute"
 *
 * const Flux = Model.make({
 *   id: "flux-1.1-pro",
 *   input: Schema.Struct({ prompt: Schema.String }),
 *   output: Model.imageOutput
 * })
 *
 * export const program = Batch.run(["a red fox", "a blue whale"], {
 *   id: "catalogue",
 *   key: (prompt) => prompt,
 *   request: (prompt) => Model.request(Flux, { prompt })
 * }).pipe(
 *   Stream.runForEach((outcome) =>
 *     outcome._tag === "Succeeded" ? Console.log(outcome.output.images) : Console.error(outcome.key)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const request = <In, Out, E = never>(
  model: Model<In, Out, E>,
  input: NoInfer<In>,
  options: RequestOptions = {}
): Request<Out, E> => requests.make(model, input, options)

/**
 * Creates a request for a typed model. The input is the result of an effect, for example of `File.fromPath`. The effect
 * runs when the request is submitted. In a batch, the effect does not run for an item whose result is already in the
 * journal.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { File, Model } from "effect-modelroute"
 *
 * const Upscaler = Model.make({
 *   id: "upscaler",
 *   input: Schema.Struct({ source_image: Model.upload }),
 *   output: Model.imageOutput
 * })
 *
 * export const upscale = (path: string) =>
 *   Model.requestEffect(
 *     Upscaler,
 *     Effect.map(File.fromPath(path), (source_image) => ({ source_image }))
 *   )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const requestEffect = <In, Out, E2, R, E = never>(
  model: Model<In, Out, E>,
  input: Effect.Effect<NoInfer<In>, E2, R>,
  options: RequestOptions = {}
): Request<Out, E | E2, R> => requests.makeEffect(model, input, options)

/**
 * Decodes the output of a stored result with the output schema of a model. Sends no request. Fails with
 * `OutputDecodeError` if the output does not match the schema.
 *
 * To recover from an `OutputDecodeError`, correct the schema and pass the field `completed` of the error to this
 * function.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Execution, Model } from "effect-modelroute"
 *
 * const TextModel = Model.make({
 *   id: "text-generation-standard",
 *   input: Schema.Struct({ prompt: Schema.String }),
 *   output: Schema.Struct({ text: Schema.String })
 * })
 *
 * export const textOf = (stored: string) =>
 *   Schema.decode(Schema.parseJson(Execution.Completed))(stored).pipe(
 *     Effect.flatMap((completed) => Model.decode(TextModel, completed)),
 *     Effect.map(({ output }) => output.text)
 *   )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = <Out>(
  model: Model<never, Out, unknown>,
  completed: Execution.Completed
): Effect.Effect<Completed<Out>, OutputDecodeError> =>
  decodeCompleted(model, completed, { operation: "Model.decode", attempts: 0 })

/**
 * Schema of the id of a file in an input or an output.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "effect-modelroute"
 *
 * export const Output = Schema.Struct({ video: Schema.Struct({ file_id: Model.file, duration: Schema.Number }) })
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const file: Schema.Schema<File.FileId, string> = File.FileId
