/**
 * Implements the file methods of the client.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as File from "../../File.js"
import * as attempt from "../http/attempt.js"
import * as requests from "../http/requests.js"
import type { RequestSender } from "../http/requestSender.js"
import { runOperation } from "../http/retryLoop.js"
import { type CallStats, withOperationSpan, withOperationSpanStream } from "../telemetry.js"
import * as decode from "./decode.js"
import * as download from "./download.js"
import type { Files } from "./types.js"
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
  (source, options = {}) =>
    Stream.asyncPush(
      (emit) => {
        const onProgress = (progress: File.Progress) => {
          emit.single(File.Upload.Sending(progress))
          return options.onProgress?.(progress) ?? Effect.void
        }
        return uploadFile(source, { ...options, onProgress }).pipe(
          Effect.map((fileId) => emit.single(File.Upload.Uploaded({ fileId, size: source.size }))),
          Effect.matchCause({ onSuccess: () => emit.end(), onFailure: (cause) => emit.halt(cause) }),
          Effect.forkScoped
        )
      },
      { bufferSize: progressBufferSize, strategy: "sliding" }
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
