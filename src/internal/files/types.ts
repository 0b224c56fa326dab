/**
 * Declares the methods on files and their options.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as File from "../../File.js"
import type { RequestFailure, UploadFailure } from "../../ModelRouteError.js"

/**
 * Options of an upload. API page "Uploading files".
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadOptions {
  /** Use of the file: `INPUT` for executions, `UPLOAD` for storage. Default: `INPUT`. */
  readonly purpose?: "INPUT" | "UPLOAD" | (string & {}) | undefined
  /** Region in which the file is stored. Default: the API's default, `US`. */
  readonly region?: "US" | "EU" | "APAC" | (string & {}) | undefined
  /** Number of days for which the file is kept, 1 to 365. Default: the setting of the organization. */
  readonly ttlDays?: number | undefined
  /**
   * Uploads in the format of the older edition of the API. `contentType` must be the type of the file. `filename`
   * defaults to the name of the source. `purpose`, `region` and `ttlDays` are not sent.
   */
  readonly legacy?: { readonly contentType: string; readonly filename?: string | undefined } | undefined
  /**
   * Confirms the upload after the bytes have arrived. `"optional"` succeeds if the API has no endpoint for it (404 or
   * 405). Default: `true`, or `false` with `legacy`.
   */
  readonly confirm?: boolean | "optional" | undefined
  /**
   * Maximum size in bytes. A larger source fails before anything is sent. Default: 150 MiB (157,286,400), the API's
   * limit.
   */
  readonly maxSize?: number | undefined
  /** Runs for each chunk that the transport has taken, and at the end for all bytes. The transport waits for it. */
  readonly onProgress?: ((progress: File.Progress) => Effect.Effect<void>) | undefined
}

/**
 * Methods on files. No method requires a service. All failures are in its type.
 *
 * @since 0.1.0
 * @category models
 */
export interface Files {
  /**
   * Uploads a file and returns its id. Requests a URL, streams the bytes to it with their length, and confirms the
   * upload. Storage receives no header of the API. An expired URL is replaced once.
   *
   * The upload as a whole has no time limit. An attempt fails with `TransportError` if storage takes no bytes for the
   * `attemptTimeout`. Over node:http, a rejection that arrives before all bytes are sent is known only to the next
   * attempt, so a policy without retries reports a `TransportError` instead.
   *
   * Fails with `FileTooLarge` or `InvalidRequest` before anything is sent. Fails with `InvalidRequest` if the source
   * has another size than it declares. Fails with the error of the source if reading it fails. Any other rejection by
   * storage is an `UnexpectedResponse`. API page "Uploading files".
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
   * Uploads a file and streams its progress. The last element holds the id of the file. A slow consumer misses steps
   * and does not delay the upload. The upload is interrupted if the consumer stops. Fails as `upload` does. API page
   * "Uploading files".
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
   * Streams the bytes of a file, whether the API returns them directly, through a link or through redirects. The API
   * key is never sent to storage. `File.toPath` writes the bytes to a file.
   *
   * The time limit of an attempt applies to each chunk. An interrupted download is resumed as the retry policy allows,
   * with a `Range` request if storage supports it. The number of bytes is checked if the size is known. Follows at most 5
   * redirects, and only to `https` or the scheme of the base URL. Fails with `FileNotFound` if there is no such file. Fails with
   * `UnexpectedResponse` over `fetch` if the bytes have a content encoding and the size of the file is unknown, because
   * `fetch` does not report an incomplete encoding. API page "Downloading files".
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
   * Returns a link to a file. The link works for a limited time and without an API key. Fails with `FileNotFound` if
   * there is no such file. API page "Downloading files".
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
