/**
 * Makes the transports behave the same. Each of `fetch`, undici and `node:http` has habits that the others lack.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** @internal `fetch` follows redirects and resends the body, or turns a POST into a GET; the other transports return the 3xx. */
export const withoutRedirects = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(
    client,
    Effect.mapInputContext((context: Context.Context<never>) =>
      Context.add(context, FetchHttpClient.RequestInit, {
        ...Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit)),
        redirect: "manual"
      })
    )
  )

/**
 * The client for object storage. It has no span, because a span records the URL, and a presigned URL is a secret; and a fiber of the
 * transport that fails does not log its error, which contains the URL as well.
 *
 * @internal
 */
export const storageClient = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  withoutRedirects(client).pipe(
    HttpClient.transformResponse(Effect.withUnhandledErrorLogLevel(Option.none())),
    HttpClient.withTracerDisabledWhen(() => true)
  )
