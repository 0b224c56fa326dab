/** Defines a fault and the common forms of a fault. */
import * as Effect from "effect/Effect"
import type { Exchange } from "./exchange.js"
import type { ApiResponse } from "./http.js"
import type { FaultHooks } from "./server.js"

export interface Fault extends FaultHooks {
  readonly name: string
  /** Sends a request without the fault before the call, so that the call reuses its connection. Default: `false`. */
  readonly hasWarmUp?: boolean
  /** Uploads more bytes than the buffers of both sockets can hold. Default: `false`. */
  readonly hasLargeUpload?: boolean
  /** Operations with the fault. Default: all. */
  readonly operations?: ReadonlyArray<string>
  /** Indicates that only the full suite has the fault. Default: `false`. */
  readonly isSlow?: boolean
}

export type OnRequest = (exchange: Exchange) => Effect.Effect<void>

export const half = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, bytes.length >> 1)

/** Sends bytes instead of the healthy response. Then ends the connection. */
export const send =
  (
    encode: (response: ApiResponse, exchange: Exchange) => Uint8Array,
    end: "finish" | "reset" | "untilClosed" | "keepOpen"
  ): OnRequest =>
  (exchange) =>
    Effect.flatMap(exchange.execute, (response) =>
      Effect.zipRight(exchange.write(encode(response, exchange)), exchange[end])
    )

type Encode = (response: ApiResponse, exchange: Exchange) => Uint8Array

/** Sends a well-formed response to the first request. The connection can serve more requests. */
export const once = (name: string, encode: Encode): Fault => ({
  name,
  isOnce: true,
  onRequest: send(encode, "keepOpen")
})

/** Sends a well-formed response to every request. */
export const always = (name: string, encode: Encode): Fault => ({ ...once(name, encode), isOnce: false })

/** Sends a malformed response to the first request. The client must close the connection. */
export const malformed = (name: string, encode: Encode): Fault => ({
  name,
  isOnce: true,
  onRequest: send(encode, "untilClosed")
})

/** Header line of a chunked body. */
export const chunked = ["transfer-encoding: chunked"]
