/**
 * Files: what goes into an execution and what comes out of it.
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
import { present, tolerant } from "./internal/data/lenient.js"

/**
 * The id of a file, `file_…`: opaque. `FileId.make(text)` makes one of an id that was stored as text.
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
 * Where to fetch a file for a limited time (the API gives 1 hour), without an API key. Whoever has the URL has the file, so
 * it is `Redacted`: `Redacted.value(link.url)` is the text. API page: "Downloading files".
 *
 * @since 0.1.0
 * @category models
 */
export class DownloadLink extends Schema.Class<DownloadLink>("effect-modelroute/DownloadLink")({
  url: Schema.Redacted(Schema.String),
  expiresAt: tolerant(Schema.DateTimeUtc, "expires_at"),
  contentType: tolerant(Schema.String, "content_type"),
  /** Bytes. */
  size: tolerant(Schema.NonNegativeInt, "size_bytes")
}) {}

/**
 * What to upload. `E` is what reading it can fail with, which fails the upload as it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Source<out E = never> {
  /** Bytes; the upload fails with `InvalidRequest` when the stream holds more or fewer. */
  readonly size: number
  /** Run once for each attempt, from the start. */
  readonly stream: Stream.Stream<Uint8Array, E>
  /** The file's name, which only the older edition of the API wants to know. */
  readonly name?: string | undefined
}

/** Small enough for progress to be seen, large enough to cost little. */
const chunkSize = 64 * 1024

/**
 * Bytes that are in memory.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromBytes = (bytes: Uint8Array, options: { readonly name?: string | undefined } = {}): Source => ({
  size: bytes.length,
  stream: Stream.unfold(0, (at) =>
    at < bytes.length ? Option.some([bytes.subarray(at, at + chunkSize), at + chunkSize] as const) : Option.none()
  ),
  ...present(options)
})

/**
 * Bytes as they come, never held all at once. `size` is how many there will be. A retry runs the stream again, so it must be
 * one that can be: not one over a `ReadableStream` that was opened before.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStream = <E>(
  stream: Stream.Stream<Uint8Array, E>,
  options: { readonly size: number; readonly name?: string | undefined }
): Source<E> => ({ size: options.size, stream, ...present({ name: options.name }) })

/**
 * A file on disk, read in chunks of 64 KiB, never held all at once. Fails with a `PlatformError` where there is none; what goes
 * wrong while it is read fails the upload.
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
      stream: fs.stream(path, { chunkSize }),
      ...present({ name: nameOf(path) || undefined })
    }
  })

/**
 * How much of a file has been handed to the transport, in bytes. Never goes back: what a retry sends again does not count.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly sent: number
  readonly size: number
}

/**
 * An upload as `files.uploadProgress` tells of it: how far it is, and last of all the id of the file.
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
 * @since 0.1.0
 * @category constructors
 */
export const Upload: Data.TaggedEnum.Constructor<Upload> = Data.taggedEnum<Upload>()

/**
 * A file that has been downloaded.
 *
 * @since 0.1.0
 * @category models
 */
export interface Download {
  readonly path: string
  /** Bytes. */
  readonly size: number
}

/**
 * Writes bytes to a file: `files.download(id).pipe(File.toPath("fox.png"))`. They go to a temporary file in the same folder, which is
 * renamed when all of it is on the disk, so that nobody sees half a file; a failure or an interruption removes it. A file of that name
 * is replaced and keeps its mode; a symbolic link is kept, and the file that it leads to replaced. Fails as the stream does, or with a
 * `PlatformError`.
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
      const target = yield* targetOf(fs, path)
      const existing = Option.getOrUndefined(yield* Effect.option(fs.stat(target)))
      if (existing !== undefined && existing.type !== "File") {
        // A device or a pipe is written to, not replaced, and cannot be synced.
        return { path, size: yield* writeTo(yield* fs.open(target, { flag: "w" }), bytes) }
      }
      const random = (yield* Random.nextIntBetween(0, 2 ** 48)).toString(36)
      // The path's own name may be as long as names can be.
      const temporary = `${folderOf(target)}${nameOf(target).slice(0, prefixLength)}.${random}.part`
      const created = fs.writeFile(temporary, new Uint8Array(0), {
        flag: "wx",
        ...(existing === undefined ? {} : { mode: 0o600 })
      })
      yield* Effect.acquireRelease(created, (_, exit) =>
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

/** How much of its name a temporary file takes over, so that it is known whose it is. */
const prefixLength = 32

/** With its separator; empty for the current folder. */
const folderOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)

const nameOf = (path: string): string => path.slice(folderOf(path).length)

const longestLinkChain = 40

/** The file that a path leads to, also through links to a file that does not exist yet. */
const targetOf = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string> =>
  Effect.gen(function* () {
    let target = path
    for (let i = 0; i < longestLinkChain; i++) {
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
