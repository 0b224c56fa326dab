/**
 * Delivers webhooks in memory. The `HttpClient` runs an HTTP app in the calling fiber.
 *
 * @internal
 */
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FixedLength from "../http/fixedLength.js"
import * as RequestBody from "../http/requestBody.js"

/** The services that an app requires, except its request. */
type AppContext<R> = Exclude<R, HttpServerRequest.HttpServerRequest>

/** @internal Returns a client that runs the app for each request, with the services of the caller. */
export const make = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpClient.HttpClient, never, AppContext<R>> =>
  Effect.map(Effect.context<AppContext<R>>(), (context) =>
    fromApp(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.provideService(app, HttpServerRequest.HttpServerRequest, request).pipe(
          Effect.mapInputContext((current: Context.Context<never>) => Context.merge(context, current))
        )
      )
    )
  )

const toWebRequest = (request: HttpClientRequest.HttpClientRequest, url: URL) =>
  Effect.flatMap(RequestBody.read(request), ({ bytes, headers }) =>
    Effect.try({
      try: () =>
        new Request(url, {
          method: request.method,
          headers: { host: url.host, ...headers },
          ...(bytes.length === 0 ? {} : { body: FixedLength.toArrayBufferBytes(bytes) })
        }),
      catch: (cause) => new HttpClientError.RequestError({ request, reason: "Encode", cause })
    })
  )

/** @internal Returns a client that runs the app for each request. */
export const fromApp = <E>(app: HttpApp.Default<E>): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const webRequest = yield* toWebRequest(request, url)
      const runtime = yield* Effect.runtime<never>()
      let webResponse = new Response(null, { status: 500 })
      // The platform runs apps uninterruptibly, even after the client disconnects.
      yield* HttpApp.toHandled(Effect.interruptible(app), (_, response) =>
        Effect.sync(() => {
          webResponse = HttpServerResponse.toWeb(response, { runtime })
        })
      ).pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(webRequest)),
        // Only logs the failure, because the platform has already converted the failure to a response.
        Effect.catchAllCause((cause) => Effect.logDebug("The webhook app failed", cause))
      )
      return HttpClientResponse.fromWeb(request, webResponse)
    })
  )
