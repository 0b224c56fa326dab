/**
 * From an answer about a file to the file's bytes, by every documented way: the bytes themselves, JSON with a link, or a
 * redirect. Beyond the API's own host nothing of ours travels along.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { RequestFailure } from "../ModelRouteError.js"
import * as classify from "./classify.js"
import * as decode from "./decode.js"
import * as exchange from "./exchange.js"
import { diagnose } from "./transport.js"

type Bytes = Stream.Stream<Uint8Array, RequestFailure>

/** @internal `fetch` would follow a redirect by itself; the other transports do not. Here all of them leave it to us. */
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

const largestLink = 64 * 1024
const mostHops = 5

const redirectTarget = (response: HttpClientResponse.HttpClientResponse, from: string): string | undefined => {
  const location = response.headers["location"]
  return response.status >= 300 && response.status < 400 && location !== undefined && URL.canParse(location, from)
    ? new URL(location, from).href
    : undefined
}

const lengthOf = (response: HttpClientResponse.HttpClientResponse): number | undefined => {
  const length = response.headers["content-length"]
  return length === undefined || response.headers["content-encoding"] !== undefined ? undefined : Number(length)
}

/** @internal The bytes as they come; each chunk has the time limit of an attempt. */
const bytesOf = (
  response: HttpClientResponse.HttpClientResponse,
  context: classify.Context,
  timeLimit: Duration.Duration,
  size: number | undefined
): Bytes =>
  Stream.suspend(() => {
    let received = 0
    const complete = Effect.suspend(() =>
      size !== undefined && received < size
        ? Effect.fail(classify.unanswered("truncated", context, `${received} of ${size} bytes arrived`))
        : Effect.void
    )
    return response.stream.pipe(
      Stream.catchAll((error) =>
        error.reason === "EmptyBody"
          ? Stream.empty
          : Stream.fail(classify.unanswered("truncated", context, diagnose(error).words))
      ),
      Stream.timeoutFail(() => classify.unanswered("timeout", context, "the file's bytes stopped coming"), timeLimit),
      Stream.tap((chunk) =>
        Effect.sync(() => {
          received += chunk.length
        })
      ),
      Stream.concat(Stream.execute(complete))
    )
  })

/** @internal */
export const accept = (
  storage: HttpClient.HttpClient,
  timeLimit: Duration.Duration
): ((arrival: exchange.Arrival) => Effect.Effect<Bytes, RequestFailure>) => {
  const follow = (
    url: string,
    context: classify.Context,
    size: number | undefined,
    hops: number
  ): Effect.Effect<Bytes, RequestFailure> => {
    // Whoever has the signature has the file: storage likes to quote it in its errors.
    const secrets = Array.from(new URL(url).searchParams.values())
    const elsewhere: classify.Context = { ...context, secrets: [...(context.secrets ?? []), ...secrets] }
    return Effect.gen(function* () {
      const response = yield* exchange.answerTo(storage, HttpClientRequest.get(url), elsewhere)
      const receivedAt = yield* Clock.currentTimeMillis
      const next = redirectTarget(response, url)
      if (next !== undefined && hops > 1) return yield* follow(next, elsewhere, size, hops - 1)
      if (!exchange.isSuccess(response.status)) {
        return yield* exchange.reject({ response, receivedAt, context: elsewhere })
      }
      return bytesOf(response, elsewhere, timeLimit, size ?? lengthOf(response))
    })
  }

  return (arrival) => {
    const { context, response } = arrival
    const target = redirectTarget(response, response.request.url)
    if (target !== undefined) return follow(target, context, undefined, mostHops)
    if (!exchange.isSuccess(response.status)) return exchange.reject(arrival)
    const isJson = /^application\/json\b/i.test(response.headers["content-type"] ?? "")
    if (!isJson || (lengthOf(response) ?? 0) > largestLink) {
      return Effect.succeed(bytesOf(response, context, timeLimit, lengthOf(response)))
    }
    return Effect.flatMap(exchange.readWhole(arrival), (bytes) => {
      const link = decode.downloadLink(classify.parseJson(classify.decodeText(bytes, undefined)))
      // A stored file can be JSON itself, even with a `url`; only a link expires.
      return link?.expiresAt === undefined
        ? Effect.succeed(Stream.make(bytes))
        : follow(Redacted.value(link.url), context, link.size, mostHops)
    })
  }
}
