/** Tests the sources and the checks of idempotency keys. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { IdempotencyKey } from "effect-modelroute"
import { Simulator } from "effect-modelroute/Simulator"
import { checkKey } from "../../src/internal/http/idempotencyKey.js"
import { failureOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, layer, prompt, withClient } from "../utils/harness.js"

describe("idempotency key", () => {
  it.effect("is rejected if it is invalid and comes from withKey or the IdempotencyKey service", () =>
    Effect.gen(function* () {
      const longest = "x".repeat(255)
      const sent = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
      yield* (yield* sent.client).executions.create(image, { idempotencyKey: longest })
      assert.deepStrictEqual(
        sent.headers.map((headers) => headers["idempotency-key"]),
        [longest]
      )
      const create = withClient((client) =>
        Effect.exit(client.executions.create(image).pipe(IdempotencyKey.withKey(" padded")))
      )
      const given = failureOf(yield* create.pipe(Effect.provide(layer())))
      assert.strictEqual(given._tag === "InvalidRequest" && given.field, "idempotencyKey")
      const keys = Layer.succeed(IdempotencyKey.IdempotencyKey, { next: () => Effect.succeed("line\nbreak") })
      const made = failureOf(
        yield* withClient((client) => Effect.exit(client.executions.create(image))).pipe(
          Effect.provide(layer({ keys }))
        )
      )
      assert.strictEqual(made._tag === "InvalidRequest" && made.field, "idempotencyKey")
    })
  )

  it.effect("of withKey can be sent with another body in a second run of the effect", () => {
    const { client, headers } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { create } = (yield* client).executions
      let n = 0
      const one = Effect.suspend(() => create({ ...image, input: { prompt: `${prompt} ${n++}` } })).pipe(
        IdempotencyKey.withKey("k")
      )
      yield* one
      yield* one
      assert.deepStrictEqual(
        headers.map((h) => h["idempotency-key"]),
        ["k", "k"]
      )
    })
  })

  it.effect("of withKey cannot be sent with two different bodies in one run of the effect", () => {
    const { bodies, client } = makeFakeClient(() => ({ status: 202, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { create } = (yield* client).executions
      const other = { ...image, input: { prompt: "another" } }
      yield* Effect.gen(function* () {
        yield* create(image)
        for (const _ of [1, 2]) assert.strictEqual(failureOf(yield* Effect.exit(create(other)))._tag, "InvalidRequest")
        yield* create(image)
      }).pipe(IdempotencyKey.withKey("effect"))
      assert.deepStrictEqual(bodies, [JSON.stringify(image), JSON.stringify(image)])
    })
  })

  it.effect("of withKey is not sent with a GET request", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* Effect.zipRight(client.request("GET", "/executions"), client.executions.create(image)).pipe(
          IdempotencyKey.withKey("effect")
        )
        const { requests } = yield* Simulator
        assert.deepStrictEqual(
          (yield* requests).map(({ idempotencyKey }) => idempotencyKey),
          [undefined, "effect"]
        )
      })
    ).pipe(Effect.provide(layer()))
  )
})

describe("checkKey", () => {
  const outcome = (key: string) =>
    Effect.match(checkKey("executions.create", key), {
      onSuccess: (valid) => valid,
      onFailure: ({ message }) => message
    })

  it.effect("accepts 1 to 255 printable ASCII characters without spaces at the ends", () =>
    Effect.gen(function* () {
      const invalid: { readonly key: string } = JSON.parse('{"key":5}')
      const rejection =
        "executions.create: idempotencyKey cannot be sent in a header. Use 1 to 255 printable ASCII characters."
      for (const key of ["a", "!", "~", "a b", "!~", "x".repeat(255)]) assert.strictEqual(yield* outcome(key), key)
      for (const key of ["", " ", " a", "a ", "a\nb", "a\u007f", "\u00e4", "x".repeat(256), invalid.key]) {
        assert.strictEqual(yield* outcome(key), rejection)
      }
    })
  )
})
