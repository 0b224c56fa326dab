/**
 * Reads the body of an `HttpClientRequest` and adds the headers that `fetch` adds.
 *
 * @internal
 */
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { concatBytes } from "../../data/bytes.js"
import * as FixedLength from "./fixedLength.js"
import type { RequestHead } from "./request.js"

/** @internal The bytes and the headers of a request. The headers include the headers that `fetch` adds. */
export interface SentBody {
  readonly bytes: Uint8Array
  readonly headers: RequestHead["headers"]
}

type ReadBodyEffect = Effect.Effect<SentBody, HttpClientError.RequestError>

const emptyBytes = new Uint8Array(0)

/**
 * Adds the Content-Length of a body to the headers. For an empty body, adds the header only if the method is POST, PUT
 * or PATCH. RFC 9110, section 8.6.
 */
const withContentLength = (
  request: HttpClientRequest.HttpClientRequest,
  bytes: Uint8Array,
  contentType?: string | null
): SentBody => ({
  bytes,
  headers: {
    ...(typeof contentType === "string" ? { "content-type": contentType } : {}),
    ...request.headers,
    ...(bytes.length > 0 || ["POST", "PUT", "PATCH"].includes(request.method)
      ? { "content-length": String(bytes.length) }
      : {})
  }
})

/** Reads the body and adds the content type that `fetch` would send. */
const readBodyInit = (request: HttpClientRequest.HttpClientRequest, body: BodyInit): ReadBodyEffect =>
  Effect.tryPromise({
    try: async () => {
      const response = new Response(body)
      const bytes = new Uint8Array(await response.arrayBuffer())
      return withContentLength(request, bytes, response.headers.get("content-type"))
    },
    catch: (cause) => new HttpClientError.RequestError({ request, reason: "Encode", cause })
  })

const readStream = (
  request: HttpClientRequest.HttpClientRequest,
  stream: Stream.Stream<Uint8Array, unknown>,
  length: number | undefined
): ReadBodyEffect => {
  const toTransportError = (cause: unknown) => new HttpClientError.RequestError({ request, reason: "Transport", cause })
  const readAll =
    length === undefined
      ? Effect.map(Stream.runCollect(stream), (chunks) => Option.some(concatBytes(Chunk.toReadonlyArray(chunks))))
      : FixedLength.readExactly(stream, length)
  return readAll.pipe(
    Effect.mapError(toTransportError),
    Effect.flatMap(
      Option.match({
        onNone: () =>
          Effect.fail(toTransportError(new Error("The length of the body differs from its content-length"))),
        onSome: (bytes) => Effect.succeed({ bytes, headers: request.headers })
      })
    )
  )
}

/**
 * Reads the body of a request. Fails with `RequestError` if the type of the body is unsupported, or if a stream does
 * not match its Content-Length.
 *
 * @internal
 */
export const read = (request: HttpClientRequest.HttpClientRequest): ReadBodyEffect => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(withContentLength(request, emptyBytes))
    case "Uint8Array":
      return Effect.succeed(withContentLength(request, body.body))
    case "Raw":
      if (body.body instanceof Uint8Array) {
        return Effect.succeed(withContentLength(request, body.body))
      }
      return typeof body.body === "string" || body.body instanceof ArrayBuffer || body.body instanceof Blob
        ? readBodyInit(request, body.body)
        : Effect.fail(
            new HttpClientError.RequestError({
              request,
              reason: "Encode",
              cause: new TypeError("Unsupported body type. The simulator supports bytes, text and blobs")
            })
          )
    case "FormData":
      return readBodyInit(request, body.formData)
    case "Stream":
      return readStream(request, body.stream, FixedLength.contentLength(request.headers))
  }
}
