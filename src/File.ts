/**
 * Models of files, sources of uploads, and the destination of downloads.
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
 * Schema of a file id, such as `file_…`. The id is opaque. `FileId.make(text)` turns a stored text into an id.
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
 * Id of a file.
 *
 * @since 0.1.0
 * @category models
 */
export type FileId = typeof FileId.Type

/**
 * A link to a file that works without an API key, for 1 hour by default. Anyone who has the URL can read the file, so
 * it is `Redacted`. `Redacted.value(link.url)` returns its text. API page "Downloading files".
 *
 * @since 0.1.0
 * @category models
 */
export class DownloadLink extends Schema.Class<DownloadLink>("effect-modelroute/DownloadLink")({
  url: Schema.Redacted(Schema.String),
  expiresAt: lenient(Schema.DateTimeUtc),
  contentType: lenient(Schema.String),
  /** Size in bytes. */
  size: lenient(Schema.NonNegativeInt)
}) {}

/**
 * Source of an upload. The upload fails with an error `E` if reading the source fails with it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Source<out E = never> {
  /** Number of bytes in the stream. The upload fails with `InvalidRequest` if there are more or fewer. */
  readonly size: number
  /** Runs once for each attempt, from the start. */
  readonly stream: Stream.Stream<Uint8Array, E>
  /** Name of the file, for the older edition of the API (`UploadOptions.legacy`). */
  readonly name?: string | undefined
}

/** Small enough for visible progress, and large enough for little overhead. */
const chunkBytes = 64 * 1024

/**
 * Makes a source from bytes in memory.
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
 * Makes a source from a stream, which is never held in memory as a whole. `size` is the number of bytes in the stream.
 * Each retry runs the stream again, so it must not read from a `ReadableStream` that is already open.
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
 * Makes a source from a file on disk. It is read in chunks of 64 KiB and never held in memory as a whole. Fails with
 * `PlatformError` if the file does not exist or is not a file. An error while it is read fails the upload.
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
      stream: fs.stream(path, { chunkSize: chunkBytes }),
      ...omitUndefined({ name: nameOf(path) || undefined })
    }
  })

/**
 * Progress of an upload in bytes. It never decreases, because bytes that a retry sends again do not count.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** Number of bytes that the transport has taken. */
  readonly sent: number
  readonly size: number
}

/**
 * A step of `files.uploadProgress`. The last step is `Uploaded`, with the id of the file.
 *
 * @since 0.1.0
 * @category models
 */
export type Upload = Data.TaggedEnum<{
  Sending: Progress
  Uploaded: { readonly fileId: FileId; readonly size: number }
}>

/**
 * Constructors and matchers of `Upload`.
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
  readonly path: string
  /** Size in bytes. */
  readonly size: number
}

/**
 * Writes bytes to a file. They are written to a temporary file in the same folder, which is renamed after all bytes are
 * on disk. No reader sees an incomplete file. A failure or an interruption removes the temporary file.
 *
 * Replaces an existing file and keeps its mode. Keeps a symbolic link and replaces its target. Writes directly to a
 * device or a pipe. Fails as the stream does, or with `PlatformError`.
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
        // A device or a pipe cannot be replaced or synced.
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
 * A temporary file starts with the name of its target, shortened because the suffix could exceed the limit for names.
 */
const maxPrefixLength = 32

/** Returns the folder of a path with its separator, or an empty text for the current folder. */
const folderOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)

const nameOf = (path: string): string => path.slice(folderOf(path).length)

const maxSymbolicLinks = 40

/** Resolves symbolic links. The target may not exist yet. */
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
