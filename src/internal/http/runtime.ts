/**
 * Detects differences between the JavaScript runtimes that the web standards do not describe. Each function reads the
 * globals again, so that loading this module has no effect.
 *
 * @internal
 */
import * as Predicate from "effect/Predicate"

const hasGlobal = (name: string): boolean => Predicate.hasProperty(globalThis, name)

/**
 * Returns `true` in Node. Excludes Deno and Cloudflare Workers, because these runtimes also report a version of Node.
 * Excludes programs with a `document`, because their `fetch` belongs to a browser.
 */
const isNode = (): boolean =>
  globalThis.process?.versions?.node !== undefined &&
  !["Deno", "WebSocketPair", "document"].some((name) => hasGlobal(name))

/**
 * Returns `true` if `fetch` sends the header `content-length` of a streamed body. Other runtimes remove the header and
 * send the body in chunks, and browsers reject a streamed body over HTTP/1.1.
 *
 * @internal
 */
export const keepsContentLength = (): boolean => hasGlobal("Bun") || isNode()

type FixedLengthStreamClass = new (length: number) => TransformStream<Uint8Array, Uint8Array>

const isClass = (u: unknown): u is FixedLengthStreamClass => Predicate.isFunction(u)

/**
 * Returns a stream with a known length, or `undefined` if the runtime has no such stream. On Cloudflare Workers, `fetch`
 * sends the length of this stream.
 *
 * @internal
 */
export const makeFixedLengthStream = (length: number): TransformStream<Uint8Array, Uint8Array> | undefined => {
  const FixedLengthStream: unknown = Reflect.get(globalThis, "FixedLengthStream")
  return isClass(FixedLengthStream) ? new FixedLengthStream(length) : undefined
}
