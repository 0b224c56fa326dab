/** Tests the differences between runtimes with the globals of each runtime. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as runtime from "../../src/internal/http/runtime.js"
import { layerRuntime, setGlobal } from "../utils/runtimes.js"

describe("keepsContentLength", () => {
  it("returns true in Node", () => assert.isTrue(runtime.keepsContentLength()))

  it.scoped("returns true in Bun", () =>
    Effect.gen(function* () {
      // Bun has `process.versions.node`. The global `document` shows that the global `Bun` is sufficient.
      yield* setGlobal("document", {})
      assert.isFalse(runtime.keepsContentLength())
      yield* setGlobal("Bun", {})
      assert.isTrue(runtime.keepsContentLength())
    })
  )

  for (const name of ["Deno", "Cloudflare Workers", "browsers"]) {
    it.scoped(`returns false in ${name}`, () =>
      Effect.gen(function* () {
        yield* Layer.build(layerRuntime(name))
        assert.isFalse(runtime.keepsContentLength())
      })
    )
  }

  for (const [what, process] of [
    ["no process", undefined],
    ["a process without versions", {}],
    ["a process without the version of Node", { versions: {} }]
  ] as const) {
    it(`returns false in a runtime with ${what}`, () => {
      const original = globalThis.process
      let result: boolean
      try {
        Reflect.set(globalThis, "process", process)
        result = runtime.keepsContentLength()
      } finally {
        globalThis.process = original
      }
      assert.isFalse(result)
    })
  }
})

describe("isolatesRequests", () => {
  for (const [name, expected] of [
    ["Deno", false],
    ["browsers", false],
    ["Cloudflare Workers", true]
  ] as const) {
    it.scoped(`returns ${expected} in ${name}`, () =>
      Effect.gen(function* () {
        yield* Layer.build(layerRuntime(name))
        assert.strictEqual(runtime.isolatesRequests(), expected)
      })
    )
  }

  it("returns false in Node", () => assert.isFalse(runtime.isolatesRequests()))
})

describe("bindToRequest", () => {
  it("returns the function itself in Node", () => {
    let calls = 0
    const resume = () => void (calls += 1)
    const bound = runtime.bindToRequest(resume)
    bound()
    assert.strictEqual(bound, resume)
    assert.strictEqual(calls, 1)
  })

  it.scoped("calls the function once, and not synchronously, in Cloudflare Workers", () =>
    Effect.gen(function* () {
      yield* Layer.build(layerRuntime("Cloudflare Workers"))
      let calls = 0
      const bound = runtime.bindToRequest(() => void (calls += 1))
      yield* Effect.promise(() => Promise.resolve())
      assert.strictEqual(calls, 0)
      bound()
      bound()
      assert.strictEqual(calls, 0)
      yield* Effect.promise(() => Promise.resolve())
      assert.strictEqual(calls, 1)
    })
  )
})

describe("makeFixedLengthStream", () => {
  it("returns undefined in Node", () => assert.isUndefined(runtime.makeFixedLengthStream(5)))

  it.scoped("returns a FixedLengthStream of the given length in Cloudflare Workers", () =>
    Effect.gen(function* () {
      class FixedLengthStream extends TransformStream<Uint8Array, Uint8Array> {
        constructor(readonly length: number) {
          super()
        }
      }
      yield* setGlobal("FixedLengthStream", FixedLengthStream)
      const stream = runtime.makeFixedLengthStream(5)
      assert.strictEqual(stream instanceof FixedLengthStream && stream.length, 5)
    })
  )
})
