/**
 * Encodes the inputs of a model and decodes its outputs.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import * as File from "../../File.js"
import type { FileTooLarge, InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import type { UploadOptions } from "../files/types.js"
import { checkUpload } from "../files/uploadChecks.js"
import { describeIssues } from "./issues.js"
import type { Codec, PreparedInput, SourceFailure, UploadSource } from "./types.js"
import { Uploads } from "./uploads.js"

/** A source in an input, with the options of its upload. */
interface PendingFile {
  readonly source: File.Source<PlatformError>
  readonly options: UploadOptions
}

/**
 * Options of the encoder. An unknown field fails the encoding. Otherwise, the encoder would remove the field, and the
 * API would charge for a different request. The fields keep the order of the input, so that uploads do not change the
 * order.
 */
const encodeOptions = { onExcessProperty: "error", propertyOrder: "original" } as const

const decodeOptions = { errors: "all" } as const

/** Maximum number of messages of one field in an `InvalidRequest`. */
const maxShownMessages = 3

const inputError = (
  operation: string,
  model: string,
  input: unknown,
  issue: ParseResult.ParseIssue
): Effect.Effect<InvalidRequest> =>
  Effect.map(describeIssues("input", issue, input), (issues) => {
    const field = issues[0]?.path ?? "input"
    const messages = new Set(issues.filter(({ path }) => path === field).map(({ message }) => message))
    // An optional field also has the message `expected undefined`. The error shows only the messages about the expected
    // type.
    if (messages.size > 1) messages.delete("expected undefined")
    const problem = Array.from(messages).slice(0, maxShownMessages).join("; ")
    return invalidRequest(
      operation,
      field,
      problem.startsWith("is ") ? problem : `is invalid: ${problem}`,
      `Pass an input that matches the schema of the model ${model}.`
    )
  })

const encoderDefect = (operation: string): InvalidRequest =>
  invalidRequest(
    operation,
    "input",
    "cannot be encoded, because the schema of the model threw an exception",
    "Correct the schema or the input."
  )

/** The placeholder for the id of a file that is not uploaded yet. */
const placeholderId = File.FileId.make("file_not_uploaded")

/**
 * Checks all files of an input before the first upload. If one file is too large, no other file is uploaded. Returns
 * `FileTooLarge` or `InvalidRequest` as a `Left`.
 */
const checkFiles = (files: ReadonlyArray<PendingFile>): Either.Either<void, FileTooLarge | InvalidRequest> =>
  Either.map(Either.all(files.map(({ options, source }) => checkUpload(source, options))), () => undefined)

/** Returns the index of the first file with the same source and options, or -1. */
const indexOfFile = (files: ReadonlyArray<PendingFile>, { options, source }: PendingFile): number =>
  files.findIndex((file) => file.source === source && file.options === options)

/**
 * Uploads the files of an input and returns their ids. Uploads a source only once if the input contains the source
 * several times with the same options.
 */
const uploadFiles = (
  files: ReadonlyArray<PendingFile>,
  upload: UploadSource
): Effect.Effect<ReadonlyArray<File.FileId>, SourceFailure> =>
  Effect.gen(function* () {
    const ids: Array<File.FileId> = []
    for (const [index, file] of files.entries()) {
      const first = indexOfFile(files, file)
      ids.push((first < index ? ids[first] : undefined) ?? (yield* upload(file.source, file.options)))
    }
    return ids
  })

/**
 * Creates the service that replaces each source with the id of its uploaded file. The file is found by its source and
 * its options. A schema transformation can create new source objects in each encoding. The file of a new source object
 * is found by its position in the input instead.
 */
const makeFileIds = (files: ReadonlyArray<PendingFile>, ids: ReadonlyArray<File.FileId>): Uploads["Type"] => {
  let position = 0
  return {
    fileIdOf: (source, options) =>
      Effect.sync(() => {
        const known = indexOfFile(files, { source, options })
        const current = position++
        return ids[known === -1 ? current : known] ?? placeholderId
      })
  }
}

/** Returns the function that encodes the inputs of a model and uploads their files. */
const makePrepareInput = <In, InEncoded extends object>(
  model: string,
  schema: Schema.Schema<In, InEncoded, Uploads>
): Codec<never, SourceFailure>["prepareInput"] => {
  const encodeInput = ParseResult.encodeUnknown(schema, encodeOptions)
  return (operation, input) => {
    const encode = (uploads: Uploads["Type"]) =>
      Effect.suspend(() => encodeInput(input)).pipe(
        Effect.provideService(Uploads, uploads),
        Effect.catchAll((issue) => Effect.flatMap(inputError(operation, model, input, issue), Effect.fail)),
        Effect.catchAllDefect(() => Effect.fail(encoderDefect(operation)))
      )
    const finish = (files: ReadonlyArray<PendingFile>) => (upload: UploadSource) =>
      Effect.gen(function* () {
        yield* checkFiles(files)
        return yield* encode(makeFileIds(files, yield* uploadFiles(files, upload)))
      })
    return Effect.suspend(() => {
      const files: Array<PendingFile> = []
      // The whole input is encoded before the first upload, so that an invalid input causes no upload.
      const collect: Uploads["Type"]["fileIdOf"] = (source, options) =>
        Effect.sync(() => {
          files.push({ source, options })
          return placeholderId
        })
      return Effect.map(encode({ fileIdOf: collect }), (encoded): PreparedInput<SourceFailure> => ({
        input: encoded,
        finish: files.length === 0 ? undefined : finish(files)
      }))
    })
  }
}

const makeDecodeOutput = <Out, OutEncoded>(
  schema: Schema.Schema<Out, OutEncoded>
): Codec<Out, never>["decodeOutput"] => {
  const decode = ParseResult.decodeUnknown(schema, decodeOptions)
  return (output) =>
    Effect.suspend(() => decode(output)).pipe(
      Effect.catchAll((issue) => Effect.flatMap(describeIssues("output", issue, output), Effect.fail)),
      // An exception of the schema becomes an error. The execution is already paid for, and a defect would lose the
      // result.
      Effect.catchAllDefect(() =>
        Effect.fail([{ path: "output", message: "cannot be decoded, because the schema threw an exception" }])
      )
    )
}

/** @internal Returns the encoder and the decoder of a model with the given schemas. */
export const makeCodec = <In, InEncoded extends object, Out, OutEncoded>(
  model: string,
  input: Schema.Schema<In, InEncoded, Uploads>,
  output: Schema.Schema<Out, OutEncoded>
): Codec<Out, SourceFailure> => ({
  prepareInput: makePrepareInput(model, input),
  decodeOutput: makeDecodeOutput(output)
})
