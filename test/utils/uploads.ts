/** A client with a storage that the test defines. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { apiKey, start } from "./harness.js"
import { monotonicMillis } from "./settableClock.js"

/** Returns the upload URL of the n-th file. */
export const uploadUrl = (n: number) => `https://storage.example/uploads/file_${n}?X-Amz-Signature=canary0123456789`

export const pathsOf = (urls: ReadonlyArray<string>) => urls.map((url) => new URL(url).pathname)

/** `put` consumes the body of each upload. `puts` holds the times of the uploads, in milliseconds after `start`. */
export const clientWithStorage = (
  put: (bytes: Stream.Stream<Uint8Array, unknown>, n: number) => Effect.Effect<void, unknown>,
  options: Partial<ModelRouteClient.Options> = {}
) => {
  const puts: Array<number> = []
  const http = HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const json = (value: unknown) => HttpClientResponse.fromWeb(request, Response.json(value))
      if (request.body._tag !== "Stream") {
        return json(url.pathname.endsWith("upload") ? { file_id: "file_1", upload_url: uploadUrl(1) } : {})
      }
      const n = puts.push((yield* monotonicMillis) - start)
      yield* Effect.mapError(
        put(request.body.stream, n),
        (cause) => new HttpClientError.RequestError({ request, reason: "Transport", cause })
      )
      return json({})
    })
  )
  const client = ModelRouteClient.make({
    apiKey: Redacted.make(apiKey),
    attemptTimeout: "10 seconds",
    ...options
  }).pipe(Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layerSequence("key"))))
  return { client, puts }
}
