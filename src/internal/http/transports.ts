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
import * as FiberRefs from "effect/FiberRefs"
import * as Function from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { FiberOptions } from "./childFiber.js"
import { isNodeReadable, type TransportBody } from "./transportBody.js"

const rejectRedirects = (context: Context.Context<never>): Context.Context<never> =>
  Context.add(context, FetchHttpClient.RequestInit, {
    ...Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit)),
    redirect: "manual"
  })

/**
 * Prevents `fetch` from following redirects. A followed redirect would resend the body or change POST to GET. The other
 * transports return the 3xx response.
 *
 * @internal
 */
export const withoutRedirects = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(client, Effect.mapInputContext(rejectRedirects))

/**
 * Options for the fiber of an attempt. With these options, `fetch` does not follow redirects. The HTTP client creates
 * no span, because the operation already has a span. The same settings on the client would allocate several kilobytes
 * per attempt.
 *
 * @internal
 */
export const attemptFiberOptions: FiberOptions = {
  mapContext: rejectRedirects,
  updateRefs: (refs, fiberId) =>
    FiberRefs.updateAs(refs, {
      fiberId,
      fiberRef: HttpClient.currentTracerDisabledWhen,
      value: Function.constTrue
    })
}

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
 * Returns the body object of the transport. Returns `undefined` if the transport is unknown or `transformClient` has
 * replaced the response. Also returns `undefined` if the body is already being read, for example by a logger.
 *
 * @internal
 */
export const transportBodyOf = (response: HttpClientResponse.HttpClientResponse): TransportBody | undefined => {
  // An object that inherits from the response can replace the body.
  if (!Object.hasOwn(response, "original") && !Object.hasOwn(response, "source")) return undefined
  const source = sourceOf(response)
  // The response of `node:http` is its own body.
  const body = isNodeReadable(source) ? source : Predicate.hasProperty(source, "body") ? source.body : undefined
  if (isNodeReadable(body)) return body.readableEnded ? undefined : body
  return body instanceof ReadableStream && !body.locked ? body : undefined
}

/**
 * Returns `true` if the transport does not decode the body. undici and `node:http` do not decode bodies. Only responses
 * of these two transports have a `statusCode`. `fetch` decodes the body and keeps the header.
 *
 * @internal
 */
export const keepsContentEncoding = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "statusCode")

/**
 * Returns `true` if the transport loses a response that arrives before the end of its request. Only `node:http` loses
 * such a response.
 *
 * @internal
 */
export const losesEarlyResponses = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "rawHeaders")
