/**
 * Defines the documented output of image models.
 *
 * @internal
 */
import * as Schema from "effect/Schema"
import * as File from "../../File.js"
import { isRecord, lenient, omitUndefined } from "../data/lenient.js"

/**
 * An image in the output of a model. Only `fileId` is always present. Any other field is absent if the API did not send
 * the field or if the field cannot be decoded.
 *
 * @since 0.1.0
 * @category models
 */
export interface Image {
  /** The id of the image file, for `files.download`. */
  readonly fileId: File.FileId
  /** The format, such as `png`. */
  readonly format?: string
  /** The media type, such as `image/png`. */
  readonly contentType?: string
  /** The width in pixels. */
  readonly width?: number
  /** The height in pixels. */
  readonly height?: number
}

/**
 * The JSON of an image in the output of a model.
 *
 * @since 0.1.0
 * @category models
 */
export interface ImageJson {
  /** The id of the image file. */
  readonly file_id: string
  /** The format, such as `png`. A value that is not a string is ignored. */
  readonly format?: unknown
  /** The media type, such as `image/png`. A value that is not a string is ignored. */
  readonly content_type?: unknown
  /** The width in pixels. A value that is not a number is ignored. */
  readonly width?: unknown
  /** The height in pixels. A value that is not a number is ignored. */
  readonly height?: unknown
}

/**
 * The output of an image model.
 *
 * @since 0.1.0
 * @category models
 */
export interface ImageOutput {
  /** The images in the order of the API. A single image is a list with one element. */
  readonly images: ReadonlyArray<Image>
}

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * Schema of one image in the output of a model. See the API page "Quickstart".
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "effect-modelroute"
 *
 * export const Output = Schema.Struct({ preview: Model.image, images: Schema.Array(Model.image) })
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const image: Schema.Schema<Image, ImageJson> = Schema.transform(
  Schema.Struct({
    file_id: File.FileId,
    format: lenient(Schema.String),
    content_type: lenient(Schema.String),
    width: lenient(Schema.Number),
    height: lenient(Schema.Number)
  }),
  Schema.Struct({
    fileId: Schema.typeSchema(File.FileId),
    format: optional(Schema.String),
    contentType: optional(Schema.String),
    width: optional(Schema.Number),
    height: optional(Schema.Number)
  }),
  {
    strict: true,
    decode: ({ content_type: contentType, file_id: fileId, format, height, width }) =>
      omitUndefined({ fileId, format, contentType, width, height }),
    encode: ({ contentType: content_type, fileId: file_id, format, height, width }) =>
      omitUndefined({ file_id, format, content_type, width, height })
  }
)

/**
 * Converts a single image to a list with one image. `GET /v1/executions/{id}` returns a single image in place of the
 * list.
 */
const normalize = (output: unknown): unknown =>
  isRecord(output) && "file_id" in output && !("images" in output) ? { images: [output] } : output

/**
 * Schema of the documented output of image models. The output is the list `images` or a single image. A single image
 * decodes to a list with one image. The schema ignores unknown fields. Decoding fails if the output is neither a list
 * `images` nor a single image. Decoding also fails if an image has no `file_id`. The API does not document the output
 * of other models. See the API pages "Quickstart" and "Downloading files".
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "effect-modelroute"
 *
 * export const decode = Schema.decodeUnknown(Model.imageOutput)
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const imageOutput: Schema.Schema<ImageOutput, unknown> = Schema.transform(Schema.Unknown, Schema.Unknown, {
  strict: true,
  decode: normalize,
  encode: (output) => output
}).pipe(Schema.compose(Schema.Struct({ images: Schema.Array(image) }), { strict: false }))
