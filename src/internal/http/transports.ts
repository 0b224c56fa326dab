/**
 * Makes the transports `fetch`, undici and `node:http` behave in the same way.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/**
 * Stops `fetch` from following redirects. It would send the body again, or turn a POST into a GET. The other transports return the 3xx.
 *
 * @internal
 */
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
 * Returns the client for object storage. It opens no span, because a span records the URL, and a presigned URL is a secret. Its fibers
 * do not log their failures, which contain the URL, too.
 *
 * @internal
 */
export const storageClient = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  withoutRedirects(client).pipe(
    HttpClient.transformResponse(Effect.withUnhandledErrorLogLevel(Option.none())),
    HttpClient.withTracerDisabledWhen(() => true)
  )

/** Returns the response in the form of the transport. */
const sourceOf = (response: HttpClientResponse.HttpClientResponse): unknown => {
  // The platform wraps the response of a transport to close the connection on interruption.
  const inner = Predicate.hasProperty(response, "original") ? response.original : response
  return Predicate.hasProperty(inner, "source") ? inner.source : undefined
}

/**
 * Returns whether the transport leaves the body in its content encoding. undici and node:http do, and name the status `statusCode`.
 * `fetch` decodes the body and keeps the header.
 *
 * @internal
 */
export const keepsContentEncoding = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "statusCode")

/**
 * Returns whether the transport loses a response that is complete before the request is. node:http does.
 *
 * @internal
 */
export const losesEarlyResponses = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "rawHeaders")
