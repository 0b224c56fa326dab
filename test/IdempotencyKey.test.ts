import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { IdempotencyKey } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { canonicalJson } from "../src/internal/data/canonicalJson.js"
import { failureOf, valueOf } from "./utils/exit.js"
import { image, layer, prompt, runToEnd, withClient } from "./utils/harness.js"

const operation = "executions.create"

const keysFor = (layer: Layer.Layer<IdempotencyKey.IdempotencyKey>, bodies: ReadonlyArray<unknown>) =>
  Effect.flatMap(IdempotencyKey.IdempotencyKey, ({ next }) =>
    Effect.forEach(bodies, (body) => next({ operation, body }))
  ).pipe(Effect.provide(layer))

const sentKeys = Effect.flatMap(Simulator, ({ requests }) =>
  Effect.map(requests, (all) => all.map(({ idempotencyKey }) => idempotencyKey))
)

describe("IdempotencyKey.layer", () => {
  it.effect("creates a random UUID for every call, even with the same body", () =>
    Effect.gen(function* () {
      const keys = yield* keysFor(IdempotencyKey.layer, [image, image, image])
      for (const key of keys) assert.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.lengthOf(new Set(keys), 3)
    })
  )
})

describe("IdempotencyKey.layerSequence", () => {
  it.effect("numbers the keys from 1 after each build of the layer", () =>
    Effect.gen(function* () {
      const layer = IdempotencyKey.layerSequence("test")
      assert.deepStrictEqual(yield* keysFor(layer, [1, 2, 3]), ["test-1", "test-2", "test-3"])
      assert.deepStrictEqual(yield* keysFor(layer, [1]), ["test-1"])
    })
  )
})

describe("IdempotencyKey.layerDeterministic", () => {
  const job = IdempotencyKey.layerDeterministic({ scope: "job-7" })
  const a = { model: "m", input: { prompt, size: { w: 1, h: 2 } } }
  const aInOtherOrder = { input: { size: { h: 2, w: 1 }, prompt }, model: "m" }
  const b = { model: "m", input: { prompt: "another" } }

  it.effect("creates the same keys after a restart", () =>
    Effect.gen(function* () {
      const before = yield* keysFor(job, [a, b, a])
      const after = yield* keysFor(job, [b, aInOtherOrder, a])
      assert.deepStrictEqual([after[1], after[0], after[2]], before)
    })
  )

  it.effect("creates different keys for two calls with the same body", () =>
    Effect.gen(function* () {
      const [first, second, other] = yield* keysFor(job, [a, aInOtherOrder, b])
      assert.match(String(first), /^[0-9a-f]{32}-1$/)
      assert.strictEqual(second, first?.replace(/1$/, "2"))
      assert.match(String(other), /-1$/)
      assert.notStrictEqual(other, first)
    })
  )

  it.effect("creates different keys for different scopes and operations", () =>
    Effect.gen(function* () {
      const [here] = yield* keysFor(job, [a])
      const [there] = yield* keysFor(IdempotencyKey.layerDeterministic({ scope: "job-8" }), [a])
      const elsewhere = yield* Effect.flatMap(IdempotencyKey.IdempotencyKey, ({ next }) =>
        next({ operation: "webhookEndpoints.create", body: a })
      ).pipe(Effect.provide(job))
      assert.lengthOf(new Set([here, there, elsewhere]), 3)
    })
  )

  it.effect("creates different keys for concurrent calls", () =>
    Effect.gen(function* () {
      const keys = yield* Effect.flatMap(IdempotencyKey.IdempotencyKey, ({ next }) =>
        Effect.all(
          Array.from({ length: 50 }, () => next({ operation, body: a })),
          { concurrency: "unbounded" }
        )
      ).pipe(Effect.provide(job))
      assert.lengthOf(new Set(keys), 50)
    })
  )

  it.effect("prevents duplicate executions if a program repeats its create calls", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const bodies = Array.from({ length: 5 }, (_, i) => ({ model: "m", input: { prompt: `${prompt} ${i % 2}` } }))
        const submit = (count: number) =>
          Effect.forEach(bodies.slice(0, count), (body) =>
            Effect.flatMap(IdempotencyKey.IdempotencyKey, ({ next }) =>
              Effect.flatMap(next({ operation, body }), (idempotencyKey) =>
                client.executions.create(body, { idempotencyKey })
              )
            )
          ).pipe(Effect.provide(job))
        yield* submit(3)
        yield* submit(5)
        const { ledger } = yield* Simulator
        assert.lengthOf((yield* ledger).executions, 5)
      })
    ).pipe(Effect.provide(layer()))
  )

  it("canonicalizes JSON according to RFC 8785", () => {
    assert.strictEqual(
      canonicalJson({
        numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 1e-27],
        "\u20ac": "\u20ac$\u000f\nA'B\"\\",
        a: [null, true]
      }),
      '{"a":[null,true],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"\u20ac":"\u20ac$\\u000f\\nA\'B\\"\\\\"}'
    )
    assert.strictEqual(canonicalJson({ 10: "b", 9: "a", a: undefined }), '{"10":"b","9":"a"}')
  })
})

describe("idempotency key of executions.create", () => {
  it.effect("is sent unchanged with the same body on every attempt", () =>
    withClient((client) =>
      Effect.gen(function* () {
        valueOf(yield* runToEnd(client.executions.create(image)))
        valueOf(yield* runToEnd(client.executions.create(image)))
        assert.deepStrictEqual(yield* sentKeys, ["key-1", "key-1", "key-1", "key-1", "key-2"])
        const { requests } = yield* Simulator
        const bodies = new Set((yield* requests).map(({ body }) => new TextDecoder().decode(body)))
        assert.deepStrictEqual(Array.from(bodies), [JSON.stringify(image)])
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.dropAfter, Fault.cutBody(), Fault.badGateway] } })))
  )

  it.effect("is read from the option first, then from withKey, then from the service", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { create } = client.executions
        yield* create(image, { idempotencyKey: "option" }).pipe(IdempotencyKey.withKey("effect"))
        yield* create(image).pipe(IdempotencyKey.withKey("effect"))
        yield* create(image)
        assert.deepStrictEqual(yield* sentKeys, ["option", "effect", "key-1"])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("is read from the service in the context first, then from the service of the client", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* client.executions.create(image).pipe(Effect.provide(IdempotencyKey.layerSequence("job")))
        yield* client.executions.create(image)
        assert.deepStrictEqual(yield* sentKeys, ["job-1", "key-1"])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("is rejected if the effect in withKey sends two different bodies", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { create } = client.executions
        const again = { ...image, input: { prompt: "another" } }
        const two = Effect.all([create(image), create(image), create(again)]).pipe(IdempotencyKey.withKey("effect"))
        const error = failureOf(yield* Effect.exit(two))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "idempotencyKey")
        assert.deepStrictEqual(yield* sentKeys, ["effect", "effect"])
        // A new run of the effect does not compare its body with earlier runs.
        const one = create(again).pipe(IdempotencyKey.withKey("other"))
        assert.strictEqual((yield* one).id, (yield* one).id)
      })
    ).pipe(Effect.provide(layer()))
  )

  for (const [what, key] of [
    ["is empty", ""],
    ["starts with a space", " padded"],
    ["contains a line break", "line\nbreak"],
    ["contains a character outside ASCII", "schl\u00fcssel"],
    ["has 256 characters", "x".repeat(256)]
  ] as const) {
    it.effect(`is rejected if it ${what}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const error = failureOf(yield* Effect.exit(client.executions.create(image, { idempotencyKey: key })))
          assert.strictEqual(error._tag === "InvalidRequest" && error.field, "idempotencyKey")
          assert.deepStrictEqual(yield* sentKeys, [])
        })
      ).pipe(Effect.provide(layer()))
    )
  }
})
