/**
 * The body of a client's request, as a connection would carry it.
 *
 * @internal
 */
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { join } from "../../data/bytes.js"
import type { Head } from "./response.js"
import * as Whole from "./fixedLength.js"

/** @internal Bytes, and the headers that the connection adds. */
export interface Sent {
  readonly bytes: Uint8Array
  readonly headers: Head["headers"]
}

type Reading = Effect.Effect<Sent, HttpClientError.RequestError>

const none = new Uint8Array(0)

/** As RFC 9110 has it, an empty body has a length only where a body is usual. */
const measured = (request: HttpClientRequest.HttpClientRequest, bytes: Uint8Array, contentType?: string | null) => ({
  bytes,
  headers: {
    ...(typeof contentType === "string" ? { "content-type": contentType } : {}),
    ...request.headers,
    ...(bytes.length > 0 || ["POST", "PUT", "PATCH"].includes(request.method)
      ? { "content-length": String(bytes.length) }
      : {})
  }
})

/** Reads what `fetch` would, and says of what type `fetch` would take it to be. */
const fromWeb = (request: HttpClientRequest.HttpClientRequest, body: BodyInit): Reading =>
  Effect.tryPromise({
    try: async () => {
      const response = new Response(body)
      const bytes = new Uint8Array(await response.arrayBuffer())
      return measured(request, bytes, response.headers.get("content-type"))
    },
    catch: (cause) => new HttpClientError.RequestError({ request, reason: "Encode", cause })
  })

const fromStream = (
  request: HttpClientRequest.HttpClientRequest,
  stream: Stream.Stream<Uint8Array, unknown>,
  length: number | undefined
): Reading => {
  const broken = (cause: unknown) => new HttpClientError.RequestError({ request, reason: "Transport", cause })
  const whole =
    length === undefined
      ? Effect.map(Stream.runCollect(stream), (chunks) => Option.some(join(Chunk.toReadonlyArray(chunks))))
      : Whole.ofLength(stream, length)
  return whole.pipe(
    Effect.mapError(broken),
    Effect.flatMap(
      Option.match({
        onNone: () => Effect.fail(broken(new Error("The body is not as long as its content-length says"))),
        onSome: (bytes) => Effect.succeed({ bytes, headers: request.headers })
      })
    )
  )
}

/** @internal A stream that does not give what its content-length says never arrives. */
export const read = (request: HttpClientRequest.HttpClientRequest): Reading => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(measured(request, none))
    case "Uint8Array":
      return Effect.succeed(measured(request, body.body))
    case "Raw":
      if (body.body instanceof Uint8Array) {
        return Effect.succeed(measured(request, body.body))
      }
      return typeof body.body === "string" || body.body instanceof ArrayBuffer || body.body instanceof Blob
        ? fromWeb(request, body.body)
        : Effect.fail(
            new HttpClientError.RequestError({
              request,
              reason: "Encode",
              cause: new TypeError("The simulator reads bytes, text and blobs")
            })
          )
    case "FormData":
      return fromWeb(request, body.formData)
    case "Stream":
      return fromStream(request, body.stream, Whole.announcedLength(request.headers))
  }
}
