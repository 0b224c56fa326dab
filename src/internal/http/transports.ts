/**
 * Removes the differences between the transports `fetch`, undici and `node:http`.
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
 * Prevents `fetch` from following redirects. A followed redirect would resend the body or change POST to GET. The other
 * transports return the 3xx response.
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
 * Returns the client for object storage. The client creates no spans because a span records the URL and a presigned URL
 * is a secret. The fibers of the client do not log failures because failures contain the URL.
 *
 * @internal
 */
export const storageClient = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  withoutRedirects(client).pipe(
    HttpClient.transformResponse(Effect.withUnhandledErrorLogLevel(Option.none())),
    HttpClient.withTracerDisabledWhen(() => true)
  )

/** Returns the response object of the transport. */
const sourceOf = (response: HttpClientResponse.HttpClientResponse): unknown => {
  // The platform wraps the response of a transport to close the connection on interruption.
  const inner = Predicate.hasProperty(response, "original") ? response.original : response
  return Predicate.hasProperty(inner, "source") ? inner.source : undefined
}

/**
 * Returns `true` if the transport does not decode the body. undici and `node:http` do not decode bodies. Only their
 * responses have a `statusCode`. `fetch` decodes the body and keeps the header.
 *
 * @internal
 */
export const keepsContentEncoding = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "statusCode")

/**
 * Returns `true` if the transport loses a response that ends before its request. `node:http` loses such a response.
 *
 * @internal
 */
export const losesEarlyResponses = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "rawHeaders")
