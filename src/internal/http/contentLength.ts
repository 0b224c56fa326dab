/**
 * Sends a `Content-Length` header with streamed bodies over `fetch`. The `fetch` client of `@effect/platform` removes
 * this header, but object storage rejects uploads without a length.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as runtime from "./runtime.js"
import { findLayerService } from "./transports.js"

/**
 * The maximum size of a body that is sent with the redirect mode `manual`. In this mode, Node keeps a second copy of
 * the body. Larger bodies are sent with the mode `error`, which needs no copy.
 */
const maxCopiedBytes = 1024 * 1024

/** Returns the `fetch` function of the caller, or else of the transport's layer. */
const findFetch = (client: HttpClient.HttpClient): Effect.Effect<typeof globalThis.fetch> =>
  Effect.contextWithEffect((context: Context.Context<never>) => {
    const current = Context.getOption(context, FetchHttpClient.Fetch)
    const found = Option.isSome(current) ? Effect.succeed(current) : findLayerService(client, FetchHttpClient.Fetch)
    return Effect.map(
      found,
      Option.getOrElse(() => globalThis.fetch)
    )
  })

/** Sends the same request with another body, other headers or another redirect mode. */
type Send = (options: Pick<RequestInit, "body" | "headers" | "redirect">) => Promise<Response>

const ignore = (): void => {}

/**
 * Sends a streamed body with its length. If the runtime cannot stream a body with a length, the body is read into
 * memory first. The redirect mode `error` is used only in Node and Bun, because Cloudflare Workers reject this mode.
 */
const sendWithLength = async (
  send: Send,
  body: ReadableStream<Uint8Array>,
  length: number,
  headers: Headers,
  onCollected: () => void
): Promise<Response> => {
  if (runtime.keepsContentLength()) {
    headers.set("content-length", String(length))
    return send({ body, headers, redirect: length > maxCopiedBytes ? "error" : "manual" })
  }
  const stream = runtime.makeFixedLengthStream(length)
  if (stream !== undefined) {
    // A failure of the body is ignored here, because `fetch` then fails as well.
    void body.pipeTo(stream.writable).catch(ignore)
    return send({ body: stream.readable, headers, redirect: "manual" })
  }
  const collected = await new Response(body).blob()
  onCollected()
  // Deno sends an empty `Blob` in chunks.
  return send({ body: collected.size === 0 ? null : collected, headers, redirect: "manual" })
}

/**
 * Returns a client that sends `length` as the `Content-Length` of every streamed body. If a body is read into memory,
 * calls `onCollected` before the first byte is sent.
 *
 * @internal
 */
export const withContentLength = (
  client: HttpClient.HttpClient,
  length: number,
  onCollected: () => void
): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(findFetch(client), (fetch) => {
    const fetchWithLength: typeof globalThis.fetch = (input, init = {}) => {
      const send: Send = (options) => fetch(input, { ...init, ...options })
      return init.body instanceof ReadableStream
        ? sendWithLength(send, init.body, length, new Headers(init.headers), onCollected)
        : send({})
    }
    return HttpClient.transformResponse(
      client,
      Effect.mapInputContext((context: Context.Context<never>) =>
        Context.add(context, FetchHttpClient.Fetch, fetchWithLength)
      )
    )
  })
