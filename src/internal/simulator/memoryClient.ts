/**
 * The face in memory: an `HttpClient` that asks the server in the calling fiber, and hands on what `fetch` would.
 *
 * @internal
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Answer, Request } from "./answer.js"

const storage = "https://storage.modelroute.example"

const connectionReset = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let to = 0
  for (const chunk of chunks) {
    whole.set(chunk, to)
    to += chunk.length
  }
  return whole
}

const requestBody = (
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<Uint8Array, HttpClientError.RequestError> => {
  const { body } = request
  const unreadable = (cause: unknown) => new HttpClientError.RequestError({ request, reason: "Encode", cause })
  const fromWeb = (init: BodyInit) =>
    Effect.tryPromise({ try: async () => new Uint8Array(await new Response(init).arrayBuffer()), catch: unreadable })
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(new Uint8Array(0))
    case "Uint8Array":
      return Effect.succeed(body.body)
    case "Raw":
      if (body.body instanceof Uint8Array) {
        return Effect.succeed(body.body)
      }
      return typeof body.body === "string" || body.body instanceof ArrayBuffer || body.body instanceof Blob
        ? fromWeb(body.body)
        : Effect.fail(unreadable(new TypeError("The simulator reads bytes, text and blobs")))
    case "FormData":
      return fromWeb(body.formData)
    case "Stream":
      return Stream.runCollect(body.stream).pipe(
        Effect.map((chunks) => joined(Chunk.toReadonlyArray(chunks))),
        Effect.mapError(unreadable)
      )
  }
}

const brokenOff = (bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> => {
  let rest = bytes
  return new ReadableStream({
    // an error at once would throw away the bytes before it
    pull: (controller) => {
      if (rest.length === 0) {
        controller.error(connectionReset())
      } else {
        controller.enqueue(rest)
        rest = rest.subarray(rest.length)
      }
    }
  })
}

const withoutBody = new Set([204, 205, 304])

const response = (answer: Answer, body: BodyInit | null): Response => {
  const { status, headers } = answer
  if (withoutBody.has(status)) {
    return new Response(null, { status, headers })
  }
  const plain = new Response(body, { status, headers })
  return headers["content-encoding"] === "gzip" && plain.body !== null
    ? new Response(plain.body.pipeThrough(new DecompressionStream("gzip")), { status, headers })
    : plain
}

/** @internal */
export const make = (handle: (request: Request) => Effect.Effect<Answer>): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const body = yield* requestBody(request)
      const answer = yield* handle({
        method: request.method,
        url: `${url.pathname}${url.search}`,
        headers: request.headers,
        body,
        origin: url.origin,
        storage
      })
      switch (answer.delivery._tag) {
        case "Dropped":
          return yield* new HttpClientError.RequestError({ request, reason: "Transport", cause: connectionReset() })
        case "Cut":
          return HttpClientResponse.fromWeb(
            request,
            response(answer, brokenOff(answer.body.slice(0, answer.delivery.after)))
          )
        case "Chunked":
        case "Whole":
          return HttpClientResponse.fromWeb(request, response(answer, answer.body.slice()))
      }
    })
  )
