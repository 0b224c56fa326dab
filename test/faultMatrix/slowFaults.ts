/** Faults that send slow or endless responses, or that stop to read. */
import * as Effect from "effect/Effect"
import { endpointOf } from "./api.js"
import type { Exchange } from "./exchange.js"
import { chunked, type Fault, half, type OnRequest } from "./fault.js"
import { type ApiResponse, encodeChunk, encodeHead } from "./http.js"

/** Interval of real time between the bytes of a slow response. */
const byteInterval = "2 millis"

/** Sends one byte after the other until the client closes the connection. */
const drip = (exchange: Exchange, byte: string): Effect.Effect<void> =>
  Effect.suspend(() =>
    exchange.isClosed()
      ? Effect.void
      : Effect.zipRight(
          exchange.write(Buffer.from(byte)),
          Effect.delay(
            Effect.suspend(() => drip(exchange, byte)),
            byteInterval
          )
        )
  )

/** Sends bytes again and again until the client closes the connection. Slows down after `limit` bytes. */
const flood = (exchange: Exchange, bytes: Uint8Array, limit: number, sent = 0): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (exchange.isClosed()) return Effect.void
    const next = Effect.suspend(() => flood(exchange, bytes, limit, sent + bytes.length))
    return Effect.zipRight(exchange.write(bytes), sent < limit ? next : Effect.delay(next, byteInterval))
  })

/**
 * Sends the first bytes of a response and continues with `next` until the client has closed the connection. Lets the limit
 * of the attempt pass, unless `limit` is another effect.
 */
const stallAfter =
  (
    encode: (response: ApiResponse) => Uint8Array,
    next: (exchange: Exchange) => Effect.Effect<void>,
    limit: (exchange: Exchange) => Effect.Effect<void> = ({ passLimit }) => passLimit
  ): OnRequest =>
  (exchange) =>
    Effect.gen(function* () {
      yield* exchange.write(encode(yield* exchange.execute))
      const stall = Effect.all([next(exchange), limit(exchange)], { concurrency: "unbounded", discard: true })
      yield* Effect.raceFirst(exchange.untilClosed, Effect.zipRight(stall, Effect.never))
    })

/** Pads a JSON or XML body with white space. The content stays valid. A file stays unchanged. */
const pad = (response: ApiResponse, length: number): ApiResponse =>
  response.headers["content-type"] === "image/png"
    ? response
    : { ...response, body: Buffer.concat([response.body, Buffer.alloc(length, " ")]) }

const slowHeader = stallAfter(
  () => Buffer.from("HTTP/1.1 200 OK\r\nx-slow: "),
  (exchange) => drip(exchange, "a")
)

const slowBody = stallAfter(
  (response) => Buffer.concat([encodeHead(pad(response, 1_000_000)), half(response.body)]),
  (exchange) => drip(exchange, " ")
)

const endlessHeader = stallAfter(
  () => Buffer.from("HTTP/1.1 200 OK\r\n"),
  (exchange) => flood(exchange, Buffer.from(`x-endless: ${"a".repeat(1000)}\r\n`), 1_000_000),
  // Every transport limits the size of the header.
  () => Effect.void
)

const endlessBody = stallAfter(
  (response) => Buffer.concat([encodeHead(response, chunked), encodeChunk(response.body)]),
  (exchange) => flood(exchange, encodeChunk(Buffer.alloc(1000, " ")), 100_000),
  // A download ends at the first byte beyond the size of the file.
  ({ head, passLimit }) => (endpointOf(head) === "storage" ? Effect.void : passLimit)
)

export const slowResponses: ReadonlyArray<Fault> = [
  {
    name: "no response",
    isOnce: false,
    onRequest: stallAfter(
      () => new Uint8Array(0),
      () => Effect.void
    )
  },
  { name: "slow header", isOnce: false, onRequest: slowHeader },
  { name: "slow header once", isOnce: true, onRequest: slowHeader },
  { name: "slow body", isOnce: false, onRequest: slowBody },
  { name: "slow body once", isOnce: true, onRequest: slowBody },
  { name: "endless header", isOnce: false, onRequest: endlessHeader },
  { name: "endless body", isOnce: false, onRequest: endlessBody },
  { name: "server stops reading", isOnce: false, hasLargeUpload: true, onRequest: ({ stopReading }) => stopReading }
]
