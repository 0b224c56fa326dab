/**
 * Reads a response body with the API of its transport. Reading the body as a `Stream` would use several times the CPU
 * time of a whole call.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { concatBytes } from "../data/bytes.js"
import { awaitCallback } from "./awaitCallback.js"

/** @internal The bytes of a body. */
export interface ReadResult {
  readonly bytes: Uint8Array
  /**
   * `truncated` means that the connection ended before the body was complete. `too large` means that the body exceeds
   * the limit. The bytes beyond the limit are then not read.
   */
  readonly end: "complete" | "truncated" | "too large"
}

/** @internal A body that no reader has opened. */
export type TransportBody = ReadableStream<Uint8Array> | NodeReadable

/** @internal The members of a Node.js `Readable` that a reader uses. */
export interface NodeReadable {
  readonly destroyed: boolean
  readonly readableEnded: boolean
  read(): Uint8Array | null
  on(event: string, listener: (chunk: Uint8Array) => void): unknown
  off(event: string, listener: (chunk: Uint8Array) => void): unknown
  destroy(): unknown
}

/** @internal */
export const isNodeReadable = (u: unknown): u is NodeReadable =>
  Predicate.hasProperty(u, "on") &&
  Predicate.isFunction(u.on) &&
  Predicate.hasProperty(u, "destroy") &&
  Predicate.isFunction(u.destroy) &&
  Predicate.hasProperty(u, "readableEnded")

/** Collects the chunks of a body, up to `maxBytes` bytes. */
class Collector {
  private readonly chunks: Array<Uint8Array> = []
  private size = 0

  constructor(private readonly maxBytes: number) {}

  /** Adds a chunk. Returns `false` if the collected chunks exceed the limit. */
  add(chunk: Uint8Array): boolean {
    this.chunks.push(chunk)
    this.size += chunk.length
    return this.size <= this.maxBytes
  }

  finish(end: ReadResult["end"]): Effect.Effect<ReadResult> {
    return Effect.succeed({ bytes: concatBytes(this.chunks).subarray(0, this.maxBytes), end })
  }
}

const ignore = (): void => {}

const readWebStream = (body: ReadableStream<Uint8Array>, maxBytes: number): Effect.Effect<ReadResult> =>
  awaitCallback((resume) => {
    const reader = body.getReader()
    const collector = new Collector(maxBytes)
    const cancel = (): void => void reader.cancel().catch(ignore)
    const onChunk = ({ done, value }: ReadableStreamReadResult<Uint8Array>): void => {
      if (done) {
        resume(collector.finish("complete"))
      } else if (collector.add(value)) {
        readNext()
      } else {
        resume(collector.finish("too large"))
        cancel()
      }
    }
    const onError = (): void => resume(collector.finish("truncated"))
    const readNext = (): void => void reader.read().then(onChunk, onError)
    readNext()
    return Effect.sync(cancel)
  })

const readNodeReadable = (body: NodeReadable, maxBytes: number): Effect.Effect<ReadResult> =>
  awaitCallback((resume) => {
    const collector = new Collector(maxBytes)
    const finish = (end: ReadResult["end"]): void => {
      stop()
      resume(collector.finish(end))
    }
    const onData = (chunk: Uint8Array): void => {
      if (collector.add(chunk)) return
      finish("too large")
      body.destroy()
    }
    const onEnd = (): void => finish("complete")
    const onBreak = (): void => finish("truncated")
    const stop = (): void => {
      body.off("data", onData)
      body.off("end", onEnd)
      body.off("error", onBreak)
      body.off("close", onBreak)
    }
    if (body.destroyed) {
      onBreak()
      return Effect.void
    }
    body.on("end", onEnd)
    body.on("error", onBreak)
    body.on("close", onBreak)
    body.on("data", onData)
    return Effect.sync(() => {
      stop()
      body.destroy()
    })
  })

/** @internal Reads a body. Never fails. Closes the connection if the body is too large or the fiber is interrupted. */
export const readTransportBody = (body: TransportBody, maxBytes: number): Effect.Effect<ReadResult> =>
  isNodeReadable(body) ? readNodeReadable(body, maxBytes) : readWebStream(body, maxBytes)
