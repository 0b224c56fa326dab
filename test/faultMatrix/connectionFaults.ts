/** Faults that break a connection or prevent it. */
import type * as Net from "node:net"
import * as Effect from "effect/Effect"
import * as certificates from "./certificates.js"
import { type Exchange, writeTo } from "./exchange.js"
import { type Fault, half, type OnRequest, send } from "./fault.js"
import { ByteReader, encodeHead, encodeResponse } from "./http.js"

const closeRaw = (socket: Net.Socket, end: "finish" | "reset"): Effect.Effect<void> =>
  Effect.suspend(() => {
    const reader = new ByteReader(socket)
    if (end === "finish") socket.end()
    else socket.resetAndDestroy()
    return reader.drain
  })

export const breakWith = (name: "FIN" | "RST", end: "finish" | "reset"): ReadonlyArray<Fault> => {
  const breakAfter =
    (step: (exchange: Exchange) => Effect.Effect<unknown>): OnRequest =>
    (exchange) =>
      Effect.zipRight(step(exchange), exchange[end])
  const inHeader = send((response) => half(encodeHead(response)), end)
  const inBody = send((response) => Buffer.concat([encodeHead(response), half(response.body)]), end)
  return [
    { name: `${name} on accept`, isOnce: true, onConnection: ({ socket }) => closeRaw(socket, end) },
    { name: `${name} before the request is read`, isOnce: true, onRequest: breakAfter(() => Effect.void) },
    { name: `${name} after the request is read`, isOnce: true, onRequest: breakAfter(({ readBody }) => readBody) },
    { name: `${name} after the execution`, isOnce: true, onRequest: breakAfter(({ execute }) => execute) },
    { name: `${name} after every execution`, isOnce: false, onRequest: breakAfter(({ execute }) => execute) },
    { name: `${name} inside the response header`, isOnce: true, onRequest: inHeader },
    { name: `${name} inside the response body`, isOnce: true, onRequest: inBody }
  ]
}

export const reusedConnections: ReadonlyArray<Fault> = [
  {
    name: "FIN as a reused connection receives the request",
    isOnce: true,
    hasWarmUp: true,
    onRequest: ({ finish }) => finish
  },
  {
    name: "FIN directly behind the previous response",
    isOnce: true,
    hasWarmUp: true,
    afterResponse: ({ finish }) => finish
  }
]

export const tlsFaults: ReadonlyArray<Fault> = [
  {
    name: "TLS certificate for another host",
    isTls: true,
    isOnce: false,
    onConnection: ({ serveTls }) => serveTls(certificates.otherHost)
  },
  {
    name: "self-signed TLS certificate",
    isTls: true,
    isOnce: false,
    onConnection: ({ serveTls }) => serveTls(certificates.selfSigned)
  },
  {
    name: "plain text on a TLS port",
    isTls: true,
    isOnce: false,
    onConnection: ({ socket }) =>
      Effect.suspend(() => {
        const reader = new ByteReader(socket)
        const response = encodeResponse({ status: 400, headers: {}, body: Buffer.from("plain HTTP") })
        return Effect.all([reader.peek, writeTo(socket, response), reader.drain], { discard: true })
      })
  },
  ...(["finish", "reset"] as const).map((end): Fault => ({
    name: `TLS handshake ends with ${end === "finish" ? "FIN" : "RST"}`,
    isTls: true,
    isOnce: false,
    onConnection: ({ socket }) =>
      Effect.suspend(() => {
        const reader = new ByteReader(socket)
        if (end === "finish")
          return Effect.zipRight(
            reader.peek,
            Effect.zipRight(
              Effect.sync(() => socket.end()),
              reader.drain
            )
          )
        return Effect.zipRight(
          reader.peek,
          Effect.sync(() => void socket.resetAndDestroy())
        )
      })
  }))
]
