/** Imitates the `fetch` of other runtimes under Node. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** Sets a global until the scope closes. */
export const setGlobal = (name: string, value: unknown): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.getOwnPropertyDescriptor(globalThis, name)
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) Reflect.deleteProperty(globalThis, name)
        else Object.defineProperty(globalThis, name, before)
      })
  )

const lengths = new WeakMap<object, number>()

/** The stream of Cloudflare Workers, which has a known length. */
class FixedLengthStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(length: number) {
    super()
    lengths.set(this.readable, length)
  }
}

/** Sends a stream in chunks, unless the length of the stream is known. */
const sendStream = (input: Parameters<typeof fetch>[0], init: RequestInit, body: object): Promise<Response> => {
  const headers = new Headers(init.headers)
  headers.delete("content-length")
  const length = lengths.get(body)
  if (length !== undefined) headers.set("content-length", String(length))
  return fetch(input, { ...init, headers })
}

interface RuntimeSettings {
  readonly globals: { readonly [name: string]: unknown }
  readonly fetch: typeof fetch
}

const runtimeSettings: { readonly [name: string]: RuntimeSettings } = {
  Deno: {
    globals: { Deno: {} },
    fetch: (input, init = {}) => {
      if (init.body instanceof Blob && init.body.size === 0) {
        const body = init.body.stream()
        const chunked: RequestInit & { readonly duplex: "half" } = { ...init, body, duplex: "half" }
        return sendStream(input, chunked, body)
      }
      return init.body instanceof ReadableStream ? sendStream(input, init, init.body) : fetch(input, init)
    }
  },
  "Cloudflare Workers": {
    globals: { WebSocketPair: Object, FixedLengthStream },
    fetch: async (input, init = {}) => {
      if (init.redirect === "error") throw new TypeError('Invalid redirect value, must be one of "follow" or "manual"')
      return init.body instanceof ReadableStream ? sendStream(input, init, init.body) : fetch(input, init)
    }
  },
  browsers: {
    globals: { document: {} },
    fetch: async (input, init = {}) => {
      if (init.body instanceof ReadableStream) throw new TypeError("Failed to fetch")
      return fetch(input, init)
    }
  }
}

/** Names of the runtimes. */
export const runtimeNames = Object.keys(runtimeSettings)

/** Provides the platform's client for `fetch` with the `fetch` and the globals of another runtime. */
export const layerRuntime = (name: string) => {
  const settings = runtimeSettings[name]
  if (settings === undefined) throw new Error(`No runtime ${name}`)
  const globals = Object.entries(settings.globals)
  return FetchHttpClient.layer.pipe(
    Layer.provideMerge(Layer.succeed(FetchHttpClient.Fetch, settings.fetch)),
    Layer.provideMerge(Layer.scopedDiscard(Effect.forEach(globals, ([key, value]) => setGlobal(key, value))))
  )
}
