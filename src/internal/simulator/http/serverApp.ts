/**
 * Serves the simulator on a port. The `HttpApp` runs on any server of `@effect/platform`.
 *
 * @internal
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as FixedLength from "./fixedLength.js"
import type { RequestHead } from "./request.js"
import { errorResponse, type ResponseData } from "./response.js"
import type { Server } from "./server.js"

/**
 * Resets the connection of a request. With `flush`, sends the bytes of the response body before the reset.
 * `@effect/platform` has no such operation, so each module that starts an HTTP server provides this service. Without
 * this service, the response body fails with a defect.
 *
 * @internal
 */
export class Disconnect extends Context.Reference<Disconnect>()("effect-modelroute/Simulator/Disconnect", {
  defaultValue: () => ({
    run: (_request: HttpServerRequest.HttpServerRequest, _options: { readonly flush: boolean }): Effect.Effect<void> =>
      Effect.die(new Error("The simulator resets the connection"))
  })
}) {}

const maxBodyBytes = 10 * 1024 * 1024

const payloadTooLarge = errorResponse({
  code: "PAYLOAD_TOO_LARGE",
  status: 413,
  message: `The body is larger than ${maxBodyBytes} bytes`,
  requestId: null
})

const toServerResponse = (
  { body, headers, status, transmission }: ResponseData,
  disconnect: (options: { readonly flush: boolean }) => Effect.Effect<void>
) => {
  switch (transmission._tag) {
    case "Complete":
      return HttpServerResponse.raw(body, { status, headers })
    case "Chunked":
      return HttpServerResponse.stream(Stream.make(body), { status, headers })
    case "Cut":
      return HttpServerResponse.stream(
        Stream.concat(Stream.make(body.subarray(0, transmission.after)), Stream.execute(disconnect({ flush: true }))),
        { status, headers }
      )
    case "Dropped":
      // Resets the connection before the body starts, because the platform then sends no status and no headers.
      return HttpServerResponse.stream(Stream.execute(disconnect({ flush: false })))
  }
}

const emptyBytes = new Uint8Array(0)

/**
 * Reads the body of an upload. Does not read a body if the storage rejects its length. Does not use the platform's
 * `arrayBuffer`, because `arrayBuffer` copies all previous bytes with every chunk.
 */
const readUpload = (request: HttpServerRequest.HttpServerRequest, limit: number) => {
  const length = FixedLength.contentLength(request.headers)
  return length === undefined || length === 0 || length > limit
    ? Effect.succeed(emptyBytes)
    : Effect.map(
        FixedLength.readExactly(request.stream, length),
        Option.getOrElse(() => emptyBytes)
      )
}

/** @internal */
export const make = ({ handle, uploadLimit }: Server): HttpApp.Default =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const disconnect = yield* Disconnect
    const send = (response: ResponseData) => toServerResponse(response, (options) => disconnect.run(request, options))
    const origin = Option.match(HttpServerRequest.toURL(request), {
      onNone: () => "http://localhost",
      onSome: (url) => url.origin
    })
    const head: RequestHead = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      origin,
      storage: `${origin}/storage`
    }
    const limit = uploadLimit(head)
    if (limit === undefined && Number(request.headers["content-length"] ?? 0) > maxBodyBytes) {
      return send(payloadTooLarge)
    }
    const body = limit === undefined ? new Uint8Array(yield* request.arrayBuffer) : yield* readUpload(request, limit)
    return send(yield* handle({ ...head, body }))
  }).pipe(
    Effect.catchTag("RequestError", () => HttpServerResponse.empty({ status: 400 })),
    Effect.interruptible // The platform runs apps uninterruptibly, even after the client disconnects.
  )
