/**
 * Compensates for the differences between the transports `fetch`, undici and `node:http`.
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
 * Returns a client that does not follow redirects. A redirect that `fetch` follows would send the body again or change
 * POST to GET. The other transports never follow redirects.
 *
 * @internal
 */
export const withoutRedirects = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(client, Effect.mapInputContext(rejectRedirects))

/**
 * The options of the fiber that runs an attempt. `fetch` does not follow redirects in this fiber. The HTTP client
 * creates no span, because the operation already has a span. The same settings on the HTTP client would allocate
 * several kilobytes per attempt.
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
 * Returns a client for requests to presigned URLs of object storage. A presigned URL is a secret. The client therefore
 * creates no spans and its fibers log no failures, because both would contain the URL.
 *
 * @internal
 */
export const storageClient = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  withoutRedirects(client).pipe(
    HttpClient.transformResponse(Effect.withUnhandledErrorLogLevel(Option.none())),
    HttpClient.withTracerDisabledWhen(() => true)
  )

/** Returns the response object of the transport, such as the `Response` of `fetch`. */
const sourceOf = (response: HttpClientResponse.HttpClientResponse): unknown => {
  // `@effect/platform` wraps each response, so that an interruption closes the connection. `original` is the wrapped
  // response.
  const inner = Predicate.hasProperty(response, "original") ? response.original : response
  return Predicate.hasProperty(inner, "source") ? inner.source : undefined
}

/**
 * Returns the body object of the transport. Returns `undefined` if the transport is unknown, or if `transformClient`
 * has replaced the response. Also returns `undefined` if another reader, such as a logger, has already opened the body.
 *
 * @internal
 */
export const transportBodyOf = (response: HttpClientResponse.HttpClientResponse): TransportBody | undefined => {
  // An object whose prototype is the response can have another body. `transformClient` can return such an object.
  if (!Object.hasOwn(response, "original") && !Object.hasOwn(response, "source")) return undefined
  const source = sourceOf(response)
  // In `node:http`, the response itself is the body.
  const body = isNodeReadable(source) ? source : Predicate.hasProperty(source, "body") ? source.body : undefined
  if (isNodeReadable(body)) return body.readableEnded ? undefined : body
  return body instanceof ReadableStream && !body.locked ? body : undefined
}

/**
 * Returns `true` if the transport does not decode encoded bodies. Only undici and `node:http` return encoded bodies,
 * and only their responses have a `statusCode`. `fetch` decodes bodies, but keeps the `Content-Encoding` header.
 *
 * @internal
 */
export const keepsContentEncoding = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "statusCode")

/**
 * Returns `true` if the transport loses a response that arrives before the whole request is sent. Only `node:http`
 * loses such responses, and only its responses have `rawHeaders`.
 *
 * @internal
 */
export const losesEarlyResponses = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Predicate.hasProperty(sourceOf(response), "rawHeaders")
