/**
 * Models of files, upload sources and downloads.
 *
 * @since 0.1.0
 */
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { omitUndefined, lenient } from "./internal/data/lenient.js"

/**
 * Schema of the id of a file, such as `file_abc123`. The id has no documented format. `FileId.make(text)` returns a
 * stored id as a `FileId`, and throws if the text is empty.
 *
 * @example
 * ```ts
 * import { File } from "effect-modelroute"
 *
 * export const id = File.FileId.make("file_abc123")
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const FileId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/FileId"))

/**
 * The id of a file.
 *
 * @since 0.1.0
 * @category models
 */
export type FileId = typeof FileId.Type

/**
 * A presigned URL from which a file can be downloaded. The URL works without an API key, for 1 hour by default. Anyone
 * with the URL can read the file, so the URL is `Redacted`. `Redacted.value(link.url)` returns the text of the URL. See
 * the API page "Downloading files".
 *
 * @since 0.1.0
 * @category models
 */
export class DownloadLink extends Schema.Class<DownloadLink>("effect-modelroute/DownloadLink")({
  /** The presigned URL. `Redacted.value(url)` returns the text of the URL. */
  url: Schema.Redacted(Schema.String),
  /** The time when the URL expires. */
  expiresAt: lenient(Schema.DateTimeUtc),
  /** The media type of the file, such as `image/png`. */
  contentType: lenient(Schema.String),
  /** The size of the file in bytes. */
  size: lenient(Schema.NonNegativeInt)
}) {}

/**
 * The source of an upload. If the stream fails, the upload fails with the same error `E`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Source<out E = never> {
  /** The number of bytes in `stream`. If the stream has more or fewer bytes, the upload fails with `InvalidRequest`. */
  readonly size: number
  /** The content of the file. Each attempt runs the stream again from the start. */
  readonly stream: Stream.Stream<Uint8Array, E>
  /** The name of the file. The API receives the name only in the older upload format (`UploadOptions.legacy`). */
  readonly name?: string | undefined
}

const KiB = 1024

/**
 * Minimum size of the chunks of a file, and size of the chunks of bytes in memory. An upload reports its progress after
 * each chunk.
 */
const chunkBytes = 64 * KiB

/**
 * Maximum size of the chunks of a file. Larger chunks would need less CPU time. However, each chunk must be sent within
 * the attempt timeout, so larger chunks would need a faster connection.
 */
const maxChunkBytes = 256 * KiB

/** Maximum number of chunks that are read from the file ahead of the upload. */
const readAheadChunks = 4

/**
 * Returns the size of the chunks of a file in bytes. A large file has at least 64 chunks, so that its upload reports
 * its progress often.
 */
const chunkBytesOf = (fileBytes: number): number =>
  Math.min(maxChunkBytes, Math.max(chunkBytes, Math.floor(fileBytes / 64 / KiB) * KiB))

/**
 * Creates a source from bytes in memory.
 *
 * @example
 * ```ts
 * import { File } from "effect-modelroute"
 *
 * export const source = File.fromBytes(new TextEncoder().encode("hello"), { name: "hello.txt" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromBytes = (bytes: Uint8Array, options: { readonly name?: string | undefined } = {}): Source => ({
  size: bytes.length,
  stream: Stream.unfold(0, (offset) =>
    offset < bytes.length
      ? Option.some([bytes.subarray(offset, offset + chunkBytes), offset + chunkBytes] as const)
      : Option.none()
  ),
  ...omitUndefined(options)
})

/**
 * Creates a source from a stream. `size` is the number of bytes in the stream. Each retry runs the stream again from
 * the start. A `ReadableStream` that is already open is not suitable, because an open stream can be read only once. On
 * Deno and in browsers, `files.upload` reads the whole stream into memory before the upload.
 *
 * @example
 * ```ts
 * import { Stream } from "effect"
 * import { File } from "effect-modelroute"
 *
 * export const source = File.fromStream(Stream.make(new Uint8Array(1024), new Uint8Array(512)), { size: 1536 })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStream = <E>(
  stream: Stream.Stream<Uint8Array, E>,
  options: { readonly size: number; readonly name?: string | undefined }
): Source<E> => ({ size: options.size, stream, ...omitUndefined({ name: options.name }) })

/**
 * Creates a source from a file on disk. Each attempt reads the file in chunks of 64 to 256 KiB. `fromPath` fails with
 * `PlatformError` if the file does not exist or is not a regular file. If a later read of the file fails, the upload
 * fails with `PlatformError`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { File, ModelRouteClient } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const { files } = yield* ModelRouteClient.ModelRouteClient
 *   return yield* files.upload(yield* File.fromPath("fox.png"))
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromPath = (
  path: string
): Effect.Effect<Source<PlatformError.PlatformError>, PlatformError.PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { size, type } = yield* fs.stat(path)
    if (type !== "File") {
      return yield* new PlatformError.BadArgument({
        module: "FileSystem",
        method: "fromPath",
        description: `${path} is not a file`
      })
    }
    return {
      size: Number(size),
      stream: fs.stream(path, { chunkSize: chunkBytesOf(Number(size)), bufferSize: readAheadChunks }),
      ...omitUndefined({ name: nameOf(path) || undefined })
    }
  })

/**
 * The progress of an upload in bytes. The progress never decreases, because bytes that a retry sends again are not
 * counted again.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** The number of bytes that the transport has accepted. */
  readonly sent: number
  /** The size of the upload in bytes. */
  readonly size: number
}

/**
 * An element of the stream that `files.uploadProgress` returns. `Sending` contains the progress. The last element is
 * `Uploaded`, which contains the id and the size of the file.
 *
 * @since 0.1.0
 * @category models
 */
export type Upload = Data.TaggedEnum<{
  Sending: Progress
  Uploaded: { readonly fileId: FileId; readonly size: number }
}>

/**
 * The constructors and matchers of `Upload`.
 *
 * @example
 * ```ts
 * import { File } from "effect-modelroute"
 *
 * export const describe = File.Upload.$match({
 *   Sending: ({ sent, size }) => `${sent} of ${size} bytes`,
 *   Uploaded: ({ fileId }) => `uploaded ${fileId}`
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const Upload: Data.TaggedEnum.Constructor<Upload> = Data.taggedEnum<Upload>()

/**
 * A downloaded file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Download {
  /** The path that was passed to `toPath`. */
  readonly path: string
  /** The size of the file in bytes. */
  readonly size: number
}

/**
 * Writes a stream of bytes to a file. The bytes are first written to a temporary file in the same folder. When all
 * bytes are on the disk, the temporary file replaces the file at `path`. Other processes therefore never read an
 * incomplete file. A failure or an interruption removes the temporary file. If the process is killed, the temporary
 * file remains. The name of a temporary file ends with `.part`.
 *
 * If a file exists at `path`, the new file keeps the mode of the existing file. If `path` is a symbolic link, the
 * target of the link is replaced. A device or a pipe is written directly. Fails with the error of the stream. Fails
 * with `PlatformError` if the file cannot be written.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { File, ModelRouteClient } from "effect-modelroute"
 *
 * export const save = (id: File.FileId) =>
 *   Effect.gen(function* () {
 *     const { files } = yield* ModelRouteClient.ModelRouteClient
 *     return yield* files.download(id).pipe(File.toPath("fox.png"))
 *   })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const toPath =
  (path: string) =>
  <E>(
    bytes: Stream.Stream<Uint8Array, E>
  ): Effect.Effect<Download, E | PlatformError.PlatformError, FileSystem.FileSystem> =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const target = yield* resolveTarget(fs, path)
      const existing = Option.getOrUndefined(yield* Effect.option(fs.stat(target)))
      if (existing !== undefined && existing.type !== "File") {
        // A device or a pipe is written directly, because neither can be replaced or synced.
        return { path, size: yield* writeTo(yield* fs.open(target, { flag: "w" }), bytes) }
      }
      const suffix = (yield* Random.nextIntBetween(0, 2 ** 48)).toString(36)
      const temporary = `${folderOf(target)}${nameOf(target).slice(0, maxPrefixLength)}.${suffix}.part`
      const create = fs.writeFile(temporary, new Uint8Array(0), {
        flag: "wx",
        ...(existing === undefined ? {} : { mode: 0o600 })
      })
      yield* Effect.acquireRelease(create, (_, exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.ignore(fs.remove(temporary))
      )
      const size = yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* fs.open(temporary, { flag: "w" })
          const size = yield* writeTo(file, bytes)
          yield* file.sync
          return size
        })
      )
      if (existing !== undefined) yield* fs.chmod(temporary, existing.mode & 0o7777)
      yield* fs.rename(temporary, target)
      return { path, size }
    }).pipe(Effect.scoped)

/**
 * The maximum number of characters that the name of a temporary file takes from the name of its target. A longer name
 * could exceed the limit of the file system.
 */
const maxPrefixLength = 32

/**
 * Returns the folder of a path, including the last separator. Returns an empty string for a file in the current folder.
 */
const folderOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)

const nameOf = (path: string): string => path.slice(folderOf(path).length)

const maxSymbolicLinks = 40

/** Returns the path to which a chain of symbolic links leads. The target does not have to exist. */
const resolveTarget = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string> =>
  Effect.gen(function* () {
    let target = path
    for (let i = 0; i < maxSymbolicLinks; i++) {
      const link = yield* Effect.option(fs.readLink(target))
      if (Option.isNone(link)) return target
      target = /^([/\\]|[a-z]:)/i.test(link.value) ? link.value : folderOf(target) + link.value
    }
    return path
  })

const writeTo = <E>(
  file: FileSystem.File,
  bytes: Stream.Stream<Uint8Array, E>
): Effect.Effect<number, E | PlatformError.PlatformError> =>
  Stream.runFoldEffect(bytes, 0, (total, chunk) => Effect.as(file.writeAll(chunk), total + chunk.length))
