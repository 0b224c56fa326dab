/** Provides clients with an API and a storage that the test defines. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { File, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { type FakeResponse, makeFakeClient } from "./fake.js"
import { apiKey, isoDate, runToEnd, silent, start } from "./harness.js"
import { monotonicMillis } from "./settableClock.js"

/** Returns the upload URL of the n-th file. */
export const uploadUrl = (n: number) => `https://storage.example/uploads/file_${n}?X-Amz-Signature=canary0123456789`

export const pathsOf = (urls: ReadonlyArray<string>) => urls.map((url) => new URL(url).pathname)

/** Responses of the API and its storage to the n-th request of each kind. */
export interface UploadScript {
  /** Returns the response with a link. `undefined` selects the default link. */
  readonly link?: (n: number) => FakeResponse | undefined
  readonly put?: (n: number) => FakeResponse
  readonly confirm?: (n: number) => FakeResponse
  /** Expiry time of the links, in milliseconds after `start`. Default: 1 hour. */
  readonly expiresIn?: number
  /** Headers of the responses with a link. */
  readonly headers?: Record<string, string>
}

/** Returns a client with a fake API and storage. The n-th link is for the file `file_n`. */
export const fakeUploadApi = ({ confirm, expiresIn = 3_600_000, headers = {}, link, put }: UploadScript = {}) => {
  const counts = { link: 0, put: 0, confirm: 0 }
  return makeFakeClient((url) => {
    if (url.endsWith("/v1/files/upload")) {
      const n = (counts.link += 1)
      const json = { file_id: `file_${n}`, upload_url: uploadUrl(n), expires_at: isoDate(start + expiresIn) }
      return link?.(n) ?? { status: 201, headers, json }
    }
    if (url.endsWith("/v1/files/confirm")) return confirm?.((counts.confirm += 1)) ?? { status: 200, json: {} }
    return put?.((counts.put += 1)) ?? { status: 200 }
  })
}

/** Default source of `upload`, with 10 bytes. */
export const digits = File.fromBytes(new TextEncoder().encode("0123456789"), { name: "digits.txt" })

/** Uploads a source at `start` and returns the exit. */
export const upload = <E = never, E2 = never>(
  { client }: { readonly client: Effect.Effect<ModelRouteClient.Service, E2> },
  source?: File.Source<E>,
  options?: ModelRouteClient.UploadOptions
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { files } = yield* client
    return yield* runToEnd(silent(files.upload(source ?? digits, options)))
  })

/**
 * Returns a client with a storage. `put` consumes the body of each upload. `puts` contains the times of the uploads, in
 * milliseconds after `start`.
 */
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
