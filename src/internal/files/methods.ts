/**
 * Implements the file methods of the client.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import * as Stream from "effect/Stream"
import * as File from "../../File.js"
import type { UploadFailure } from "../../ModelRouteError.js"
import * as attempt from "../http/attempt.js"
import * as requests from "../http/requests.js"
import type { RequestSender } from "../http/requestSender.js"
import { runOperation } from "../http/retryLoop.js"
import { type CallStats, withOperationSpan, withOperationSpanStream } from "../telemetry.js"
import * as decode from "./decode.js"
import * as download from "./download.js"
import type { Files, UploadOptions } from "./types.js"
import * as upload from "./upload.js"
import { uploadOperation } from "./uploadChecks.js"

/**
 * Maximum number of progress updates that are kept for a slow consumer. If the buffer is full, the oldest update is
 * dropped.
 */
const progressBufferSize = 16

const makeUpload = (sender: RequestSender, storage: HttpClient.HttpClient): Files["upload"] => {
  const uploadSource = upload.make(sender, storage)
  return (source, options = {}) =>
    Effect.suspend(() => {
      const stats: CallStats = { attempts: 0 }
      return withOperationSpan(uploadOperation, stats, uploadSource(source, options, stats))
    })
}

const makeUploadProgress =
  (uploadFile: Files["upload"]): Files["uploadProgress"] =>
  <E = never>(source: File.Source<E>, options: UploadOptions = {}) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        // Before effect 3.22.1, the buffer of `Stream.asyncPush` grows without a limit.
        const steps = yield* Effect.acquireRelease(
          Mailbox.make<File.Upload, UploadFailure | E>({
            capacity: progressBufferSize,
            strategy: "sliding"
          }),
          ({ shutdown }) => shutdown
        )
        const onProgress = (progress: File.Progress) =>
          Effect.zipRight(steps.offer(File.Upload.Sending(progress)), options.onProgress?.(progress) ?? Effect.void)
        yield* uploadFile(source, { ...options, onProgress }).pipe(
          Effect.flatMap((fileId) => steps.offer(File.Upload.Uploaded({ fileId, size: source.size }))),
          Mailbox.into(steps),
          Effect.forkScoped
        )
        return Mailbox.toStream(steps)
      })
    )

const makeDownload = (sender: RequestSender, storage: HttpClient.HttpClient): Files["download"] => {
  const downloadBytes = download.make(sender, storage)
  return (id) =>
    Stream.suspend(() => {
      const stats: CallStats = { attempts: 0, fileId: id }
      return withOperationSpanStream(download.operation, stats, downloadBytes(id, stats))
    })
}

const makeUrl = (sender: RequestSender): Files["url"] => {
  const operation = "files.url"
  return (id) =>
    Effect.flatMap(requests.encodeSegment(operation, "id", id), (segment) =>
      runOperation(sender, {
        operation,
        request: requests.make("GET", `/v1/files/${segment}/url`),
        decode: attempt.decodeJson("a download URL", decode.downloadLink),
        isRepeatable: true,
        fileId: id
      })
    )
}

/**
 * Creates the file methods. `storage` is an HTTP client that does not send the API key, because a link can point to any
 * host.
 *
 * @internal
 */
export const make = (sender: RequestSender, storage: HttpClient.HttpClient): Files => {
  const uploadFile = makeUpload(sender, storage)
  return {
    upload: uploadFile,
    uploadProgress: makeUploadProgress(uploadFile),
    url: makeUrl(sender),
    download: makeDownload(sender, storage)
  }
}
