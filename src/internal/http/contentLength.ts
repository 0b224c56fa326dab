/**
 * Gives streamed bodies a length over `fetch`, too. The platform's client for `fetch` takes the header away, and object storage
 * refuses bodies without a length.
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
 * Unless a redirect is an error, Node keeps a second copy of the body for it. A larger upload is not copied, and the status of a
 * redirect is then unknown.
 */
const maxCopiedBytes = 1024 * 1024

/** The `fetch` that the client was built with is seen by what runs inside it alone; nothing is sent. */
const findFetch = (client: HttpClient.HttpClient): Effect.Effect<typeof globalThis.fetch> =>
  Effect.suspend(() => {
    let found = Option.none<typeof globalThis.fetch>()
    const look = HttpClient.mapRequestInputEffect(client, (request) =>
      Effect.flatMap(Effect.serviceOption(FetchHttpClient.Fetch), (fetch) => {
        found = fetch
        return Effect.fail(new HttpClientError.RequestError({ request, reason: "Encode" }))
      })
    )
    return Effect.map(Effect.exit(look.execute(HttpClientRequest.get("http://fetch.invalid"))), () =>
      Option.getOrElse(found, () => globalThis.fetch)
    )
  })

/** @internal `length` is of the body of every request that the client is then used for. */
export const withContentLength = (
  client: HttpClient.HttpClient,
  length: number
): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(findFetch(client), (fetch) => {
    const sized: typeof globalThis.fetch = (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set("content-length", String(length))
      return fetch(input, { ...init, headers, redirect: length > maxCopiedBytes ? "error" : "manual" })
    }
    return HttpClient.transformResponse(
      client,
      Effect.mapInputContext((context: Context.Context<never>) => Context.add(context, FetchHttpClient.Fetch, sized))
    )
  })
