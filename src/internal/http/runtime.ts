/**
 * Detects differences between JavaScript runtimes that no web standard covers. Each function reads the globals on each
 * call, so that the import of this module has no effect.
 *
 * @internal
 */
import * as Predicate from "effect/Predicate"

const hasGlobal = (name: string): boolean => Predicate.hasProperty(globalThis, name)

/**
 * Returns `true` on Cloudflare Workers. There, the code of a request can use only the timers and the connections of this
 * request. A request without a timer or a connection is canceled, even if another request would resume it.
 *
 * @internal
 */
export const isolatesRequests = (): boolean => hasGlobal("WebSocketPair")

/**
 * Returns a function that runs `resume` in the current request. Code of another request can call this function.
 * Cloudflare Workers run the reactions of a promise in the request that created the promise. Other runtimes run `resume`
 * immediately.
 *
 * @internal
 */
export const bindToRequest = (resume: () => void): (() => void) => {
  if (!isolatesRequests()) return resume
  let settle = (): void => {}
  const settled = new Promise<void>((resolve) => {
    settle = resolve
  })
  void settled.then(resume)
  return settle
}

/**
 * Returns `true` in Node. Deno and Cloudflare Workers also have `process.versions.node`, so their own globals exclude
 * these runtimes. A global `document` excludes browser environments, because `fetch` is then the `fetch` of a browser.
 */
const isNode = (): boolean =>
  globalThis.process?.versions?.node !== undefined &&
  !["Deno", "WebSocketPair", "document"].some((name) => hasGlobal(name))

/**
 * Returns `true` if `fetch` sends the `content-length` header of a streamed body. Other runtimes remove the header and
 * send the body in chunks. Browsers reject streamed bodies over HTTP/1.1.
 *
 * @internal
 */
export const keepsContentLength = (): boolean => hasGlobal("Bun") || isNode()

type FixedLengthStreamClass = new (length: number) => TransformStream<Uint8Array, Uint8Array>

const isClass = (u: unknown): u is FixedLengthStreamClass => Predicate.isFunction(u)

/**
 * Returns a stream of `length` bytes, or `undefined` if the runtime has no `FixedLengthStream`. Cloudflare Workers have
 * this class. Their `fetch` sends the length of such a stream as the `Content-Length`.
 *
 * @internal
 */
export const makeFixedLengthStream = (length: number): TransformStream<Uint8Array, Uint8Array> | undefined => {
  const FixedLengthStream: unknown = Reflect.get(globalThis, "FixedLengthStream")
  return isClass(FixedLengthStream) ? new FixedLengthStream(length) : undefined
}
