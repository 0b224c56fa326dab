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
  /**
   * Purpose of the file. `INPUT` is for files that executions read, and `UPLOAD` is for general storage. Default:
   * `INPUT`.
   */
  readonly purpose?: "INPUT" | "UPLOAD" | (string & {}) | undefined
  /** Storage region of the file. Default: the API's default, `US`. */
  readonly region?: "US" | "EU" | "APAC" | (string & {}) | undefined
  /** Retention period of the file in days, from 1 to 365. Default: the setting of the organization. */
  readonly ttlDays?: number | undefined
  /**
   * Requests the upload URL in the format of the older API edition. `contentType` is the media type of the file.
   * Default of `filename`: the name of the source. The older format has no `purpose`, `region` or `ttlDays`, so these
   * options are not sent. Default: the format of the newer edition.
   */
  readonly legacy?: { readonly contentType: string; readonly filename?: string | undefined } | undefined
  /**
   * Indicates whether the client confirms the upload to the API after storage has received all bytes. With
   * `"optional"`, the upload also succeeds if the API has no confirmation endpoint (404 or 405). Default: `true`.
   * Default with `legacy`: `false`.
   */
  readonly confirm?: boolean | "optional" | undefined
  /**
   * Maximum size of the source in bytes. If the source is larger, the upload fails with `FileTooLarge` before the first
   * request. Default: 150 MiB (157,286,400 bytes), which is the API's limit.
   */
  readonly maxSize?: number | undefined
  /**
   * Returns an effect that runs for each chunk that the transport reads from the source. The argument contains the
   * number of sent bytes and the size of the source, in bytes. The last call reports all bytes. The upload waits for
   * the end of each effect. If the result is not an Effect, the upload fails with `InvalidRequest`. Default: no effect.
   */
  readonly onProgress?: ((progress: File.Progress) => Effect.Effect<void>) | undefined
}

/**
 * Methods for files. No method requires a service. The error type of each method contains all its failures. If a
 * request fails, the method fails with an error of `RequestFailure`, such as `Unauthorized` or `TransportError`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Files {
  /**
   * Uploads a file and returns its id. Requests an upload URL, streams the bytes of the file to storage, and confirms
   * the upload. Requests to storage contain no API headers. If the upload URL expires, the client requests another URL
   * once.
   *
   * On Deno and in browsers, `fetch` cannot stream a body with a known length. On these platforms, each attempt reads
   * the whole file into memory before it sends the file. During this read, the progress counts the bytes that have been
   * read. The attempt timeout is extended by 1 second per 64,000 bytes. On Node, Bun and Cloudflare Workers, an upload
   * holds only a few chunks in memory. To stream an upload on Deno, use `NodeHttpClient.layer` from
   * `@effect/platform-node`.
   *
   * The upload has no overall timeout. An attempt fails with `TransportError` if storage reads no bytes during the
   * `attemptTimeout` of the client. The client for node:http cannot return a rejection that storage sends before the
   * end of the body. In this case, only the next attempt detects the rejection. If retries are disabled, the upload
   * fails with `TransportError` instead of the rejection.
   *
   * Fails with `FileTooLarge` before the first request if the source is larger than `maxSize`. Fails with
   * `InvalidRequest` before the first request if the source or an option is invalid. Also fails with `InvalidRequest`
   * if the stream has more or fewer bytes than the source declares. If the stream of the source fails, the upload fails
   * with the same error `E`. Fails with `UnexpectedResponse` if storage rejects the upload. If another request fails,
   * fails with an error of `RequestFailure`. See the API page "Uploading files".
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
   * Uploads a file and streams its progress. The last element of the stream contains the id of the file. The upload
   * does not wait for a slow consumer. Instead, the stream drops the oldest progress elements. If the consumer stops,
   * the upload is interrupted. Fails with the errors of `upload`. See the API page "Uploading files".
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
   * Streams the bytes of a file. Follows download links and redirects to storage. Requests to storage never contain the
   * API key. To write the bytes to a file, use `File.toPath`.
   *
   * The `attemptTimeout` of the client applies to each chunk, not to the whole download. If the connection breaks, the
   * download is resumed according to the retry policy. If storage supports range requests, the client requests only the
   * missing bytes. If the size of the file is known, the client checks the number of received bytes.
   *
   * Follows at most 5 redirects. Each redirect must use `https` or the scheme of the base URL. A browser hides the target
   * of a redirect. In this case, the client requests a download link from the API instead.
   *
   * Fails with `FileNotFound` if the file does not exist. With `fetch`, fails with `UnexpectedResponse` if the response
   * has a content encoding and the size of the file is unknown. In this case, `fetch` would not report an incomplete
   * response. If another request fails, fails with an error of `RequestFailure`. See the API page "Downloading files".
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
   * Returns a download link for a file. A request with this link needs no API key, and the link expires. Fails with
   * `FileNotFound` if the file does not exist. If the request fails, fails with an error of `RequestFailure`. See the
   * API page "Downloading files".
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
