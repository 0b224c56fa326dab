/**
 * Compensates for the differences between the transports `fetch`, undici and `node:http`.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRefs from "effect/FiberRefs"
import * as Function from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { FiberOptions } from "./childFiber.js"
import { isNodeReadable, type TransportBody } from "./transportBody.js"

/**
 * Returns a service of the transport's layer without sending a request. Only an effect inside the client can read this
 * service. Ignores the same service in the context of the caller.
 *
 * @internal
 */
export const findLayerService = <I, S>(
  client: HttpClient.HttpClient,
  tag: Context.Tag<I, S>
): Effect.Effect<Option.Option<S>> =>
  Effect.suspend(() => {
    let found = Option.none<S>()
    const probe = HttpClient.mapRequestInputEffect(client, (request) =>
      Effect.contextWithEffect((context: Context.Context<never>) => {
        found = Context.getOption(context, tag)
        return Effect.fail(new HttpClientError.RequestError({ request, reason: "Encode" }))
      })
    )
    return Effect.exit(probe.execute(HttpClientRequest.get("http://fetch.invalid"))).pipe(
      Effect.mapInputContext((context: Context.Context<never>) => Context.omit(tag)(context)),
      Effect.map(() => found)
    )
  })

/** @internal Options of `fetch` in the layer of the transport. */
export type FetchOptions = Option.Option<RequestInit>

/** @internal Returns the options of `fetch` in the layer of the transport. Other transports have no such options. */
export const findFetchOptions = (client: HttpClient.HttpClient): Effect.Effect<FetchOptions> =>
  findLayerService(client, FetchHttpClient.RequestInit)

/**
 * Sets the redirect mode of `fetch` to `manual`. Keeps the other options of the caller. If the caller has no options,
 * copies the options of the layer. Without the copy, the platform would ignore the options of the layer.
 */
const rejectRedirects =
  (layerOptions: FetchOptions) =>
  (context: Context.Context<never>): Context.Context<never> =>
    Context.add(context, FetchHttpClient.RequestInit, {
      ...Option.getOrUndefined(
        Option.orElse(Context.getOption(context, FetchHttpClient.RequestInit), () => layerOptions)
      ),
      redirect: "manual"
    })

/**
 * Returns a client that does not follow redirects. A redirect that `fetch` follows would send the body again or change
 * POST to GET. The other transports never follow redirects.
 *
 * @internal
 */
export const withoutRedirects = (client: HttpClient.HttpClient, options: FetchOptions): HttpClient.HttpClient =>
  HttpClient.transformResponse(client, Effect.mapInputContext(rejectRedirects(options)))

/**
 * Returns the options of the fiber that runs an attempt. `fetch` does not follow redirects in this fiber. The HTTP client
 * creates no span, because the operation already has a span. The same settings on the HTTP client would allocate
 * several kilobytes per attempt.
 *
 * @internal
 */
export const attemptFiberOptions = (options: FetchOptions): FiberOptions => ({
  mapContext: rejectRedirects(options),
  updateRefs: (refs, fiberId) =>
    FiberRefs.updateAs(refs, {
      fiberId,
      fiberRef: HttpClient.currentTracerDisabledWhen,
      value: Function.constTrue
    })
})

/**
 * Returns a client for requests to presigned URLs of object storage. A presigned URL is a secret. The client therefore
 * creates no spans and its fibers log no failures, because both would contain the URL.
 *
 * @internal
 */
export const storageClient = (client: HttpClient.HttpClient, options: FetchOptions): HttpClient.HttpClient =>
  withoutRedirects(client, options).pipe(
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
