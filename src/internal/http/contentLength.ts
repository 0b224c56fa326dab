/**
 * Sends `Content-Length` with streamed bodies over `fetch`. The `fetch` client of `@effect/platform` removes this
 * header, but object storage rejects bodies without a length.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/**
 * Maximum body size for the redirect mode `manual`. In this mode, Node keeps a second copy of the body. The mode
 * `error` for larger bodies avoids the copy.
 */
const maxCopiedBytes = 1024 * 1024

/**
 * Returns the `fetch` function of a client without sending a request. Only an effect inside the client can read this
 * function.
 */
const findFetch = (client: HttpClient.HttpClient): Effect.Effect<typeof globalThis.fetch> =>
  Effect.suspend(() => {
    let found = Option.none<typeof globalThis.fetch>()
    const probe = HttpClient.mapRequestInputEffect(client, (request) =>
      Effect.flatMap(Effect.serviceOption(FetchHttpClient.Fetch), (fetch) => {
        found = fetch
        return Effect.fail(new HttpClientError.RequestError({ request, reason: "Encode" }))
      })
    )
    return Effect.map(Effect.exit(probe.execute(HttpClientRequest.get("http://fetch.invalid"))), () =>
      Option.getOrElse(found, () => globalThis.fetch)
    )
  })

/** @internal Returns a client that sends `length` as the `Content-Length` of every body. */
export const withContentLength = (
  client: HttpClient.HttpClient,
  length: number
): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(findFetch(client), (fetch) => {
    const fetchWithLength: typeof globalThis.fetch = (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set("content-length", String(length))
      return fetch(input, { ...init, headers, redirect: length > maxCopiedBytes ? "error" : "manual" })
    }
    return HttpClient.transformResponse(
      client,
      Effect.mapInputContext((context: Context.Context<never>) =>
        Context.add(context, FetchHttpClient.Fetch, fetchWithLength)
      )
    )
  })
