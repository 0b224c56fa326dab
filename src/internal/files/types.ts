/**
 * Declares the file methods and their options.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as File from "../../File.js"
import type { RequestFailure, UploadFailure } from "../../ModelRouteError.js"

/**
 * Options of `files.upload` and `files.uploadProgress`. See the API page "Uploading files".
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadOptions {
  /** Purpose of the file. `INPUT` is for executions, and `UPLOAD` is for storage. Default: `INPUT`. */
  readonly purpose?: "INPUT" | "UPLOAD" | (string & {}) | undefined
  /** Storage region of the file. Default: the API's default, `US`. */
  readonly region?: "US" | "EU" | "APAC" | (string & {}) | undefined
  /** Retention period of the file in days, from 1 to 365. Default: the setting of the organization. */
  readonly ttlDays?: number | undefined
  /**
   * Uses the request format of the older API edition. `contentType` must be the media type of the file. `filename`
   * defaults to the name of the source. Does not send `purpose`, `region` or `ttlDays`. Default: the format of the
   * newer edition.
   */
  readonly legacy?: { readonly contentType: string; readonly filename?: string | undefined } | undefined
  /**
   * Confirms the upload after the bytes have arrived. `"optional"` also succeeds if the API has no confirmation
   * endpoint (404 or 405). Default: `true`, or `false` with `legacy`.
   */
  readonly confirm?: boolean | "optional" | undefined
  /**
   * Maximum size in bytes. A larger source fails before the first request. Default: 150 MiB (157,286,400 bytes), the
   * API's limit.
   */
  readonly maxSize?: number | undefined
  /**
   * Runs for each chunk that the transport reads. The last run reports all bytes. The upload waits for this effect.
   * Default: no effect.
   */
  readonly onProgress?: ((progress: File.Progress) => Effect.Effect<void>) | undefined
}

/**
 * Methods for files. No method requires a service. The error type of each method contains all its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Files {
  /**
   * Uploads a file and returns its id. Requests an upload URL, streams the bytes with their length, and confirms the
   * upload. Sends no API headers to storage. Replaces an expired URL once.
   *
   * `fetch` cannot stream a body with its length on Deno and in browsers. There, each attempt reads the whole file into
   * memory, the progress counts the bytes that were read, and the attempt timeout is longer by 1 second per 64,000 bytes.
   * Node, Bun and Cloudflare Workers hold only a few chunks in memory. On Deno, `NodeHttpClient.layer` from
   * `@effect/platform-node` streams as well.
   *
   * The upload has no overall timeout. An attempt fails with `TransportError` if storage reads no bytes for the
   * `attemptTimeout`. With node:http, only the next attempt detects an early rejection by storage. Without retries, the
   * upload fails with `TransportError` instead.
   *
   * Fails with `FileTooLarge` or `InvalidRequest` before the first request if the source or an option is invalid. Fails
   * with `InvalidRequest` if the source does not match its declared size. Fails with the error of the source if the
   * source cannot be read. Fails with `UnexpectedResponse` if storage rejects the upload. See the API page "Uploading
   * files".
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
   */
  readonly upload: <E = never>(
    source: File.Source<E>,
    options?: UploadOptions
  ) => Effect.Effect<File.FileId, UploadFailure | E>
  /**
   * Uploads a file and streams its progress. The last element contains the id of the file. The upload does not wait for
   * a slow consumer, and drops older steps. Interrupts the upload if the consumer stops. Fails with the errors of
   * `upload`. See the API page "Uploading files".
   *
   * @example
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { File, ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { files } = yield* ModelRouteClient.ModelRouteClient
   *   const source = yield* File.fromPath("fox.png")
   *   yield* Stream.runForEach(
   *     files.uploadProgress(source),
   *     File.Upload.$match({
   *       Sending: ({ sent, size }) => Effect.log(`${sent} of ${size} bytes`),
   *       Uploaded: ({ fileId }) => Effect.log(`uploaded ${fileId}`)
   *     })
   *   )
   * })
   * ```
   */
  readonly uploadProgress: <E = never>(
    source: File.Source<E>,
    options?: UploadOptions
  ) => Stream.Stream<File.Upload, UploadFailure | E>
  /**
   * Streams the bytes of a file. Follows download links and redirects to storage. Never sends the API key to storage.
   * Use `File.toPath` to write the bytes to a file.
   *
   * The attempt timeout applies to each chunk. An interrupted download is resumed according to the retry policy. Sends
   * a `Range` request if storage supports ranges. Checks the number of bytes if the size of the file is known. Follows
   * at most 5 redirects. Each redirect must use `https` or the scheme of the base URL. A browser hides the target of a
   * redirect, so the client requests the link of the file there.
   *
   * Fails with `FileNotFound` if the file does not exist. With `fetch`, fails with `UnexpectedResponse` if the response
   * is encoded and the file size is unknown. `fetch` does not report an incomplete encoded response. See the API page
   * "Downloading files".
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
   */
  readonly download: (id: File.FileId) => Stream.Stream<Uint8Array, RequestFailure>
  /**
   * Returns a download link for a file. The link expires and requires no API key. Fails with `FileNotFound` if the file
   * does not exist. See the API page "Downloading files".
   *
   * @example
   * ```ts
   * import { Effect, Redacted } from "effect"
   * import { type File, ModelRouteClient } from "effect-modelroute"
   *
   * export const linkTo = (id: File.FileId) =>
   *   Effect.gen(function* () {
   *     const { files } = yield* ModelRouteClient.ModelRouteClient
   *     const link = yield* files.url(id)
   *     return Redacted.value(link.url)
   *   })
   * ```
   */
  readonly url: (id: File.FileId) => Effect.Effect<File.DownloadLink, RequestFailure>
}
