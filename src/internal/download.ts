/**
 * From an answer about a file to the file's bytes, by every documented way: the bytes themselves, JSON with a link, or a
 * redirect. Beyond the API's own host nothing of ours travels along. What breaks off goes on where it stopped.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { FileId } from "../File.js"
import type { RequestFailure } from "../ModelRouteError.js"
import { granted, patient, send, type Sender } from "./call.js"
import { declaredLength } from "./body.js"
import * as classify from "./classify.js"
import * as decode from "./decode.js"
import * as exchange from "./exchange.js"
import { secretsOfUrl, withSecrets } from "./redact.js"
import * as requests from "./requests.js"
import type { Account } from "./telemetry.js"
import { diagnose } from "./transport.js"

type Bytes = Stream.Stream<Uint8Array, RequestFailure>

const largestLink = 64 * 1024
const mostHops = 5

const redirectTarget = (response: HttpClientResponse.HttpClientResponse, from: string): string | undefined => {
  const location = response.headers["location"]
  return response.status >= 300 && response.status < 400 && location !== undefined && URL.canParse(location, from)
    ? new URL(location, from).href
    : undefined
}

/** @internal How much of a file has come, and of which version of it. */
interface Part {
  received: number
  size: number | undefined
  /** Only a strong one: a weak one does not promise the same bytes. */
  etag: string | undefined
}

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

const etagOf = ({ headers }: HttpClientResponse.HttpClientResponse): string | undefined =>
  headers["etag"]?.startsWith('"') === true && headers["content-encoding"] === undefined ? headers["etag"] : undefined

// RFC 9110, 14.2 and 13.1.5
const rangeFrom = ({ etag, received }: Part): { readonly [name: string]: string } =>
  received === 0 ? {} : { range: `bytes=${received}-`, ...(etag === undefined ? {} : { "if-range": etag }) }

/** Where an answer begins in the file, and how large the file is. */
const placeOf = (
  response: HttpClientResponse.HttpClientResponse
): { readonly from: number | undefined; readonly size: number | undefined } => {
  if (response.status !== 206) return { from: 0, size: declaredLength(response.headers) }
  const [, from, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers["content-range"] ?? "") ?? []
  return { from: wholeNumber(from), size: wholeNumber(size) }
}

const differ = (a: string | number | undefined, b: string | number | undefined): boolean =>
  a !== undefined && b !== undefined && a !== b

/** Leaves out the bytes that have come before. */
const without =
  (count: number) =>
  <E>(bytes: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
    count === 0
      ? bytes
      : Stream.mapAccum(bytes, count, (left, chunk) => [
          Math.max(0, left - chunk.length),
          chunk.subarray(Math.min(left, chunk.length))
        ])

/** The bytes as they come, from where the last answer broke off; each chunk has the time limit of an attempt. */
const bytesOf = (
  arrival: exchange.Arrival,
  timeLimit: Duration.Duration,
  part: Part,
  promised?: number
): Effect.Effect<Bytes, RequestFailure> => {
  const { context, response } = arrival
  const { from, size } = placeOf(response)
  const isOther = differ(size, part.size) || differ(size, promised) || differ(promised, part.size)
  if (from === undefined || from > part.received || isOther || differ(etagOf(response), part.etag)) {
    return Effect.zipRight(discarded(response), otherFile(arrival))
  }
  part.size ??= size ?? promised
  part.etag ??= etagOf(response)
  const complete = Effect.suspend(() => {
    if (part.size === undefined || part.received === part.size) return Effect.void
    return part.received > part.size
      ? otherFile(arrival)
      : Effect.fail(classify.unanswered("truncated", context, `${part.received} of ${part.size} bytes arrived`))
  })
  return Effect.succeed(
    response.stream.pipe(
      Stream.catchAll((error) =>
        error.reason === "EmptyBody"
          ? Stream.empty
          : Stream.fail(classify.unanswered("truncated", context, diagnose(error).words))
      ),
      Stream.timeoutFail(() => classify.unanswered("timeout", context, "the file's bytes stopped coming"), timeLimit),
      without(part.received - from),
      Stream.filter(({ length }) => length > 0),
      Stream.tap(({ length }) =>
        Effect.sync(() => {
          part.received += length
        })
      ),
      Stream.concat(Stream.execute(complete))
    )
  )
}

const otherFile = ({ context, receivedAt, response }: exchange.Arrival): Effect.Effect<never, RequestFailure> => {
  const answer = { status: response.status, headers: response.headers, body: new Uint8Array(0), receivedAt }
  return Effect.fail(
    classify.unexpected(answer, context, "the answer is not the file, or not what has come of it so far")
  )
}

/** A body that nobody reads would keep its connection. */
const discarded = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Effect.ignore(Stream.runForEachWhile(response.stream, () => Effect.succeed(false)))

const accept = (
  storage: HttpClient.HttpClient,
  timeLimit: Duration.Duration,
  part: Part
): ((arrival: exchange.Arrival) => Effect.Effect<Bytes, RequestFailure>) => {
  const follow = (
    url: string,
    context: classify.Context,
    promised: number | undefined,
    hops: number
  ): Effect.Effect<Bytes, RequestFailure> => {
    const elsewhere: classify.Context = {
      ...context,
      storage: true,
      confidential: withSecrets(context.confidential, secretsOfUrl(url))
    }
    return Effect.gen(function* () {
      const request = HttpClientRequest.get(url, { headers: rangeFrom(part) })
      const response = yield* exchange.answerTo(storage, request, elsewhere)
      const receivedAt = yield* Clock.currentTimeMillis
      const next = redirectTarget(response, url)
      if (next !== undefined && hops > 1) return yield* follow(next, elsewhere, promised, hops - 1)
      const arrival = { response, receivedAt, context: elsewhere }
      if (!exchange.isSuccess(response.status)) return yield* exchange.reject(arrival)
      return yield* bytesOf(arrival, timeLimit, part, promised)
    })
  }

  return (arrival) => {
    const { context, response } = arrival
    const target = redirectTarget(response, response.request.url)
    if (target !== undefined) return follow(target, context, undefined, mostHops)
    if (!exchange.isSuccess(response.status)) return exchange.reject(arrival)
    const isJson = /^application\/json\b/i.test(response.headers["content-type"] ?? "")
    if (!isJson || (declaredLength(response.headers) ?? 0) > largestLink) return bytesOf(arrival, timeLimit, part)
    return Effect.flatMap(exchange.readWhole(arrival), (bytes) => {
      const link = decode.downloadLink(classify.parseJson(classify.decodeText(bytes, undefined)))
      // A stored file can be JSON itself, even with a `url`; only a link expires.
      return link?.expiresAt === undefined
        ? Effect.succeed(Stream.make(bytes))
        : follow(Redacted.value(link.url), context, link.size, mostHops)
    })
  }
}

/** @internal */
export const operation = "files.download"

/** @internal `storage` is the client without the API key, which follows no redirect. */
export const make = (sender: Sender, storage: HttpClient.HttpClient) => {
  return (id: FileId, account: Account): Bytes =>
    Stream.unwrap(
      Effect.map(requests.segment(operation, "id", id), (segment) => {
        const part: Part = { received: 0, size: undefined, etag: undefined }
        const call = {
          operation,
          request: requests.make("GET", `/v1/files/${segment}/download`),
          accept: accept(storage, sender.limits.duration, part),
          repeatable: true
        }
        const patience = patient(sender)
        const goingOn = (error: RequestFailure): Bytes =>
          // Nothing is missing: it broke after the last byte.
          part.received === part.size
            ? Stream.empty
            : Stream.concat(Stream.execute(granted(call, error, patience)), rest)
        const rest: Bytes = Stream.unwrap(
          Effect.map(send(sender, call, account, patience), (bytes) => Stream.catchAll(bytes, goingOn))
        )
        return rest
      })
    )
}
