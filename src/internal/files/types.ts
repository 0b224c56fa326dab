/**
 * The methods on files and their options.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as File from "../../File.js"
import type { UploadFailure, RequestFailure } from "../../ModelRouteError.js"

/**
 * Options of an upload (API page "Uploading files").
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadOptions {
  /** `INPUT` (default): for executions; `UPLOAD`: for storage. */
  readonly purpose?: "INPUT" | "UPLOAD" | (string & {}) | undefined
  /** Where it is stored. Default: the API's own, `US`. */
  readonly region?: "US" | "EU" | "APAC" | (string & {}) | undefined
  /** How many days it is kept, 1 to 365. Default: what the organization has set. */
  readonly ttlDays?: number | undefined
  /**
   * Uploads as the older edition of the API wants it: `contentType` is declared and has to be the file's own; `filename` is by
   * default the source's name. `purpose`, `region` and `ttlDays` are not sent then.
   */
  readonly legacy?: { readonly contentType: string; readonly filename?: string | undefined } | undefined
  /**
   * Whether the upload is confirmed in the end. Default `true`, with `legacy` `false`. `"optional"`: an API without that endpoint
   * (404, 405) is no failure.
   */
  readonly confirm?: boolean | "optional" | undefined
  /** Bytes; a larger source is refused before anything is sent. Default 150 MiB (157,286,400), the API's own limit. */
  readonly maxSize?: number | undefined
  /** Run with each chunk that the transport has taken, last with all of them; the transport waits for it. */
  readonly onProgress?: ((progress: File.Progress) => Effect.Effect<void>) | undefined
}

/**
 * The methods on files. None has a requirement; each lists its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Files {
  /**
   * Uploads a file: asks for a URL, puts the bytes there, confirms. The bytes are streamed with their length announced; storage
   * gets no header of ours. A URL that has expired is asked for once more; other refusals of the storage are an
   * `UnexpectedResponse`. The bytes as a whole have no time limit, but whenever the storage takes none of them for the time of
   * an attempt, that attempt fails. `FileTooLarge` comes before anything is sent, a failure of the source as it is. API page
   * "Uploading files".
   */
  readonly upload: <E = never>(
    source: File.Source<E>,
    options?: UploadOptions
  ) => Effect.Effect<File.FileId, UploadFailure | E>
  /**
   * The same as a stream: how far the upload is, and last of all the file's id. A consumer that is slow misses steps and does not
   * hold the upload up; one that stops ends it.
   */
  readonly uploadProgress: <E = never>(
    source: File.Source<E>,
    options?: UploadOptions
  ) => Stream.Stream<File.Upload, UploadFailure | E>
  /**
   * The bytes of a file, whichever way the API hands them out. The API key is never sent to the storage host. Each chunk has
   * the time limit of an attempt. What breaks off goes on where it stopped, as the retry policy says, by a `Range` request where
   * the storage allows it. API page "Downloading files"; `File.toPath` writes them to a file.
   */
  readonly download: (id: File.FileId) => Stream.Stream<Uint8Array, RequestFailure>
  /** A link to a file for a limited time, for someone without an API key. */
  readonly url: (id: File.FileId) => Effect.Effect<File.DownloadLink, RequestFailure>
}
