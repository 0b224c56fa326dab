/**
 * A receiver of webhooks in memory: an `HttpClient` whose requests go to an app in the calling fiber.
 *
 * @internal
 */
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as RequestBody from "../http/requestBody.js"
import * as Whole from "../http/fixedLength.js"

/** @internal In the context of now. */
export const make = <E, R>(app: HttpApp.Default<E, R>): Effect.Effect<HttpClient.HttpClient, never, R> =>
  Effect.map(Effect.context<R>(), (context) =>
    client(Effect.mapInputContext(app, (request: Incoming) => Context.merge(context, request)))
  )

type Incoming = Context.Context<HttpServerRequest.HttpServerRequest>

/** @internal */
export const client = <E>(app: HttpApp.Default<E>): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const { bytes, headers } = yield* RequestBody.read(request)
      const incoming = yield* Effect.try({
        try: () =>
          new Request(url, {
            method: request.method,
            headers: { host: url.host, ...headers },
            ...(bytes.length === 0 ? {} : { body: Whole.plain(bytes) })
          }),
        catch: (cause) => new HttpClientError.RequestError({ request, reason: "Encode", cause })
      })
      const runtime = yield* Effect.runtime<never>()
      let answer = new Response(null, { status: 500 })
      // the platform handles a request without interruption, and a client that leaves would be waited for
      yield* HttpApp.toHandled(Effect.interruptible(app), (_, response) =>
        Effect.sync(() => {
          answer = HttpServerResponse.toWeb(response, { runtime })
        })
      ).pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(incoming)),
        // answered already
        Effect.catchAllCause((cause) => Effect.logDebug("The app that receives webhooks has failed", cause))
      )
      return HttpClientResponse.fromWeb(request, answer)
    })
  )
