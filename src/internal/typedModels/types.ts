/**
 * Declares typed models, their requests and their results.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import type * as Execution from "../../Execution.js"
import type * as File from "../../File.js"
import type { InvalidRequest, OutputIssue, UploadFailure } from "../../ModelRouteError.js"
import type { UploadOptions } from "../files/types.js"

/**
 * The property key that identifies typed models.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-modelroute/Model")

/**
 * The type of `TypeId`.
 *
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * The property key that identifies typed requests.
 *
 * @since 0.1.0
 * @category type ids
 */
export const RequestTypeId: unique symbol = Symbol.for("effect-modelroute/Model/Request")

/**
 * The type of `RequestTypeId`.
 *
 * @since 0.1.0
 * @category type ids
 */
export type RequestTypeId = typeof RequestTypeId

/**
 * The failures of the uploads of an input: the errors of `files.upload`, and the errors of `File.fromPath` sources.
 *
 * @since 0.1.0
 * @category errors
 */
export type SourceFailure = UploadFailure | PlatformError

/** @internal Uploads a source and returns the id of its file. */
export type UploadSource = (
  source: File.Source<PlatformError>,
  options: UploadOptions
) => Effect.Effect<File.FileId, SourceFailure>

/** @internal An encoded and checked input. */
export interface PreparedInput<out E> {
  /** The encoded input. The input contains placeholders for the ids of the files that are not uploaded yet. */
  readonly input: object
  /** Uploads the files and encodes the input with their ids. `undefined` if the input contains no file to upload. */
  readonly finish: ((upload: UploadSource) => Effect.Effect<object, E>) | undefined
}

/** @internal Encodes the inputs and decodes the outputs of a model. */
export interface Codec<out Out, out E> {
  readonly prepareInput: (operation: string, input: unknown) => Effect.Effect<PreparedInput<E>, InvalidRequest>
  readonly decodeOutput: (output: unknown) => Effect.Effect<Out, ReadonlyArray<OutputIssue>>
}

/**
 * A model with a typed input and a typed output. `E` contains the failures of the uploads of an input. `E` is `never`
 * if the input schema does not contain `Model.upload`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model<in In, out Out, out E = never> {
  /** The encoder of the inputs and the decoder of the outputs. */
  readonly [TypeId]: Codec<Out, E> & { readonly _In: Types.Contravariant<In> }
  /** The slug of the model, such as `flux-1.1-pro`. */
  readonly id: string
}

/**
 * A typed model with its schemas. `Model.make` returns this type.
 *
 * @since 0.1.0
 * @category models
 */
export interface WithSchemas<
  in out In,
  in out InEncoded,
  in out Out,
  in out OutEncoded,
  out R = never,
  out E = never
> extends Model<In, Out, E> {
  /** The schema of the input. */
  readonly input: Schema.Schema<In, InEncoded, R>
  /** The schema of the output. */
  readonly output: Schema.Schema<Out, OutEncoded>
}

/**
 * The fields of a create request besides `model` and `input`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestOptions extends Pick<Execution.CreateRequest, "extra" | "metadata" | "webhookUrl"> {}

/**
 * A create request for a typed model. `executions.create` and `executions.run` accept this object in place of an
 * `Execution.CreateRequest`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateRequest<in out In, out Out, out E = never> extends RequestOptions {
  /** The typed model. */
  readonly model: Model<In, Out, E>
  /** The input of the model. The client encodes the input with the schema of the model. */
  readonly input: NoInfer<In>
}

/**
 * A create request whose input matches its model. `Model.request` and `Model.requestEffect` create this value. `E` and
 * `R` are the errors and the requirements of the input and its uploads.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request<out Out, out E = never, out R = never> {
  /** The model, the options and the input. */
  readonly [RequestTypeId]: {
    readonly model: Model<never, Out, unknown>
    readonly options: RequestOptions
    /** Indicates whether an effect creates the input. */
    readonly isEffect: boolean
    readonly prepareInput: (operation: string) => Effect.Effect<PreparedInput<E>, InvalidRequest | E, R>
  }
}

/**
 * A COMPLETED execution with its decoded output.
 *
 * @since 0.1.0
 * @category models
 */
export interface Completed<out Out> extends Execution.Completed {
  /** The output of the model, decoded with the schema of the model. */
  readonly output: Out
  /**
   * The ids of the files in `raw.output`, in the order of the output. The list includes the ids that the schema
   * ignores.
   */
  readonly fileIds: ReadonlyArray<File.FileId>
  /**
   * The result with the unchanged output of the API. The output includes the fields that the schema ignores. Store this
   * value instead of the decoded result, because `Model.decode` accepts this value.
   */
  readonly raw: Execution.Completed
}

/**
 * An element of `executions.watch` with a model.
 *
 * @since 0.1.0
 * @category models
 */
export interface WatchedExecution<out Out> extends Execution.Execution {
  /** The decoded output. Present only if the execution is COMPLETED. */
  readonly output?: Out
}
