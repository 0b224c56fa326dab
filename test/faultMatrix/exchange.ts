/** Provides the means of a fault: to respond, to stall, or to break the connection at a chosen point of an exchange. */
import type * as Net from "node:net"
import * as Effect from "effect/Effect"
import type { Api } from "./api.js"
import { type ApiResponse, type ByteReader, readRequestBody, type RequestHead } from "./http.js"

/** Request whose body has not been read. */
export interface Exchange {
  readonly head: RequestHead
  /** Origin of another server. */
  readonly otherOrigin: string
  /** Reads the body without executing the request. Never returns if the body is incomplete. */
  readonly readBody: Effect.Effect<void>
  /** Reads the body and executes the request. Never returns if the body is incomplete. */
  readonly execute: Effect.Effect<ApiResponse>
  /** Sends bytes. Returns after the operating system has accepted the bytes, or after the connection is closed. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void>
  readonly isClosed: () => boolean
  /** Closes the sending side. Then waits until the client closes the connection. */
  readonly finish: Effect.Effect<void>
  /** Resets the connection. */
  readonly reset: Effect.Effect<void>
  /** Lets the time limit of the attempt pass. Continues forever if the limit applies to each read or write. */
  readonly passLimit: Effect.Effect<void>
  /** Indicates that the transport returns the response only after the request has been sent completely. */
  readonly isResponseBlocked: boolean
  /** Reads nothing until the attempt has ended. */
  readonly pause: Effect.Effect<void>
  /** Lets the time limit of the attempt pass without reading. Reads again after the attempt has ended. */
  readonly stopReading: Effect.Effect<void>
  /** Lets the connection serve the next request. */
  readonly keepOpen: Effect.Effect<void>
  /** Reads and discards until the client closes the connection. */
  readonly untilClosed: Effect.Effect<void>
}

/** Connection of an exchange. */
export interface ExchangeContext {
  readonly socket: Net.Socket
  readonly reader: ByteReader
  readonly api: Api
  readonly otherOrigin: string
  readonly isResponseBlocked: boolean
  readonly passLimit: Effect.Effect<void>
  /** Waits until the client has sent another request, or the call has ended. */
  readonly untilSuperseded: Effect.Effect<void>
}

export const writeTo = (socket: Net.Socket, bytes: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (socket.destroyed) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    socket.once("close", done)
    socket.write(bytes, () => {
      socket.off("close", done)
      done()
    })
    return undefined
  })

export const makeExchange = (
  { api, isResponseBlocked, otherOrigin, passLimit, reader, socket, untilSuperseded }: ExchangeContext,
  head: RequestHead
): Exchange => {
  const body = Effect.flatMap(readRequestBody(reader, head), (bytes) =>
    bytes === undefined ? Effect.never : Effect.succeed(bytes)
  )
  return {
    head,
    otherOrigin,
    readBody: Effect.asVoid(body),
    execute: Effect.map(body, (bytes) => api.execute(head, bytes)),
    write: (bytes) => writeTo(socket, bytes),
    isClosed: () => socket.destroyed,
    finish: Effect.zipRight(
      Effect.sync(() => socket.end()),
      reader.drain
    ),
    reset: Effect.sync(() => void socket.resetAndDestroy()),
    isResponseBlocked,
    pause: Effect.zipRight(untilSuperseded, reader.drain),
    passLimit,
    stopReading: Effect.zipRight(
      Effect.raceFirst(untilSuperseded, Effect.zipRight(passLimit, Effect.never)),
      reader.drain
    ),
    keepOpen: Effect.void,
    untilClosed: reader.drain
  }
}
