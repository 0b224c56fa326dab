/**
 * The face on a port: an `HttpApp` for any server of the platform.
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
import type { Answer, Head } from "./response.js"
import * as AnswerOf from "./response.js"
import type { Handler } from "./server.js"
import * as Whole from "./fixedLength.js"

/**
 * How the connection of a request is broken, `flush` after what has been written. The platform has no way to ask for
 * that, so the one who serves brings it; without it the body of the answer fails.
 *
 * @internal
 */
export class Disconnect extends Context.Reference<Disconnect>()("effect-modelroute/Simulator/Disconnect", {
  defaultValue: () => ({
    run: (_request: HttpServerRequest.HttpServerRequest, _options: { readonly flush: boolean }): Effect.Effect<void> =>
      Effect.die(new Error("The simulator breaks the connection"))
  })
}) {}

const maxBody = 10 * 1024 * 1024

const tooLarge = AnswerOf.refusal({
  code: "PAYLOAD_TOO_LARGE",
  status: 413,
  message: `The body is larger than ${maxBody} bytes`,
  requestId: null
})

const sent = (answer: Answer, disconnect: (options: { readonly flush: boolean }) => Effect.Effect<void>) => {
  const { status, headers, body, delivery } = answer
  switch (delivery._tag) {
    case "Whole":
      return HttpServerResponse.raw(body, { status, headers })
    case "Chunked":
      return HttpServerResponse.stream(Stream.make(body), { status, headers })
    case "Cut":
      return HttpServerResponse.stream(
        Stream.concat(Stream.make(body.subarray(0, delivery.after)), Stream.execute(disconnect({ flush: true }))),
        { status, headers }
      )
    case "Dropped":
      // nothing is sent before a body begins
      return HttpServerResponse.stream(Stream.execute(disconnect({ flush: false })))
  }
}

const nothing = new Uint8Array(0)

/** What the storage would refuse by its length is not read. The platform's `arrayBuffer` copies with every chunk. */
const upload = (request: HttpServerRequest.HttpServerRequest, limit: number) => {
  const length = Whole.announcedLength(request.headers)
  return length === undefined || length === 0 || length > limit
    ? Effect.succeed(nothing)
    : Effect.map(
        Whole.ofLength(request.stream, length),
        Option.getOrElse(() => nothing)
      )
}

/** @internal */
export const make = ({ handle, uploadLimit }: Handler): HttpApp.Default =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const disconnect = yield* Disconnect
    const send = (answer: Answer) => sent(answer, (options) => disconnect.run(request, options))
    const origin = Option.match(HttpServerRequest.toURL(request), {
      onNone: () => "http://localhost",
      onSome: (url) => url.origin
    })
    const head: Head = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      origin,
      storage: `${origin}/storage`
    }
    const limit = uploadLimit(head)
    if (limit === undefined && Number(request.headers["content-length"] ?? 0) > maxBody) {
      return send(tooLarge)
    }
    const body = limit === undefined ? new Uint8Array(yield* request.arrayBuffer) : yield* upload(request, limit)
    return send(yield* handle({ ...head, body }))
  }).pipe(
    Effect.catchTag("RequestError", () => HttpServerResponse.empty({ status: 400 })),
    Effect.interruptible // the platform serves without, and a client that leaves would be waited for
  )
