/**
 * The methods on files.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as File from "../../File.js"
import type { Files, UploadOptions } from "./types.js"
import type { UploadFailure } from "../../ModelRouteError.js"
import { call, type Sender } from "../http/retryLoop.js"
import * as decode from "./decode.js"
import * as download from "./download.js"
import * as exchange from "../http/attempt.js"
import * as requests from "../http/requests.js"
import { type Account, spanned, spannedStream } from "../telemetry.js"
import * as upload from "./upload.js"

/** A slow consumer sees the newest steps. */
const stepsKept = 16

/** @internal `storage` is the client without the API key: for whatever host a link points to. */
export const make = (sender: Sender, storage: HttpClient.HttpClient): Files => {
  const bytesOf = download.make(sender, storage)
  const uploadTo = upload.make(sender, storage)

  const uploaded = <E>(
    source: File.Source<E>,
    options: UploadOptions = {}
  ): Effect.Effect<File.FileId, UploadFailure | E> =>
    Effect.suspend(() => {
      const account: Account = { attempts: 0 }
      return spanned("files.upload", account, uploadTo(source, options, account))
    })

  const progress = <E>(
    source: File.Source<E>,
    options: UploadOptions = {}
  ): Stream.Stream<File.Upload, UploadFailure | E> =>
    Stream.asyncPush(
      (emit) => {
        const onProgress = (step: File.Progress) =>
          Effect.zipRight(
            Effect.sync(() => emit.single(File.Upload.Sending(step))),
            options.onProgress?.(step) ?? Effect.void
          )
        return uploaded(source, { ...options, onProgress }).pipe(
          Effect.map((fileId) => emit.single(File.Upload.Uploaded({ fileId, size: source.size }))),
          Effect.matchCause({ onSuccess: () => emit.end(), onFailure: (cause) => emit.halt(cause) }),
          Effect.forkScoped
        )
      },
      { bufferSize: stepsKept, strategy: "sliding" }
    )

  return {
    upload: uploaded,

    uploadProgress: progress,

    url: (id) => {
      const operation = "files.url"
      return Effect.flatMap(requests.segment(operation, "id", id), (segment) =>
        call(sender, {
          operation,
          request: requests.make("GET", `/v1/files/${segment}/url`),
          accept: exchange.json("a download URL", decode.downloadLink),
          repeatable: true,
          fileId: id
        })
      )
    },

    download: (id) =>
      Stream.suspend(() => {
        const account: Account = { attempts: 0, fileId: id }
        return spannedStream(download.operation, account, bytesOf(id, account))
      })
  }
}
