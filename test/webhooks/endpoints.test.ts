/** Webhook endpoints and API keys. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, type Exit, Redacted } from "effect"
import { ApiKey, type ModelRouteClient, type ModelRouteError, WebhookEndpoint } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { answering, type Reply } from "../utils/fake.js"
import { runToEnd, silent } from "../utils/harness.js"
import { spansOf } from "../utils/tracing.js"

const id = WebhookEndpoint.EndpointId.make("wh_1")
const secret = "whsec_k8m2n4p6r8t0v2x4z6a8c0e2g4i6k8m2n4p6r8t0"
const url = "https://your-app.com/webhooks/modelroute"
const events = ["execution.completed", "execution.failed"]

const long = {
  id: "wh_1",
  url,
  description: "Production webhook endpoint",
  events,
  secret,
  is_active: true,
  created_at: "2026-03-20T10:00:00Z"
}
const short = { id: "wh_1", url, secret, events, status: "active" }

/** Every request is answered in turn, the last answer again and again. */
const inTurn = (...replies: ReadonlyArray<Reply>) =>
  answering((_, n) => replies[n - 1] ?? replies.at(-1) ?? { status: 500, text: "" })

const using = <A, E>(
  api: ReturnType<typeof answering>,
  use: (client: ModelRouteClient.Service) => Effect.Effect<A, E>
): Effect.Effect<Exit.Exit<A, E>, unknown> => Effect.flatMap(api.client, (client) => runToEnd(silent(use(client))))

const refusal = (code: string, status: number) => ({ status, json: { error: { code, message: code } } })
const limited = { ...refusal("RATE_LIMITED", 429), headers: { "retry-after": "3" } }

const renderings = (value: unknown) => [
  String(value),
  JSON.stringify(value),
  inspect(value, { depth: 10, showHidden: true })
]

describe("webhookEndpoints.create", () => {
  for (const [name, json] of [
    ["long", long],
    ["short", short],
    ["wrapped", { endpoint: long }]
  ] as const) {
    it.effect(`registers an endpoint and gives its secret once, hidden: the ${name} shape`, () =>
      Effect.gen(function* () {
        const api = inTurn({ status: 201, json })
        const registered = valueOf(
          yield* using(api, ({ webhookEndpoints }) => webhookEndpoints.create({ url, events }))
        )
        assert.strictEqual(registered.id, id)
        assert.strictEqual(registered.url, url)
        assert.deepStrictEqual(registered.events, events)
        assert.strictEqual(registered.isActive, true)
        assert.strictEqual(Redacted.value(registered.secret), secret)
        assert.deepStrictEqual(registered.extra, {})
        assert.strictEqual(registered.description, json === short ? undefined : "Production webhook endpoint")
        for (const text of renderings(registered)) assert.notInclude(text, secret)
        assert.match(api.urls.join(), /\/v1\/webhooks\/endpoints$/)
        assert.deepStrictEqual(JSON.parse(api.bodies[0] ?? ""), { url, events })
      })
    )
  }

  it.effect("sends what is given, and shows no value of a header in an error", () =>
    Effect.gen(function* () {
      const headers = { "x-token": Redacted.make("canary-token-123"), "x-plain": "plain-canary-456" }
      const api = inTurn({
        status: 400,
        json: { error: { code: "INPUT_VALIDATION_ERROR", message: "not canary-token-123 nor plain-canary-456" } }
      })
      const exit = yield* using(api, ({ webhookEndpoints }) =>
        webhookEndpoints.create({ url, description: "d", events: [], headers })
      )
      assert.deepStrictEqual(JSON.parse(api.bodies[0] ?? ""), {
        url,
        description: "d",
        events: [],
        headers: { "x-token": "canary-token-123", "x-plain": "plain-canary-456" }
      })
      for (const text of renderings(failureOf(exit))) assert.notInclude(text, "canary")
    })
  )

  it.effect("refuses what is no address before anything is sent", () =>
    Effect.gen(function* () {
      for (const wrong of ["", "your-app.com", "ftp://your-app.com"]) {
        const api = inTurn({ status: 201, json: long })
        const error = failureOf(yield* using(api, ({ webhookEndpoints }) => webhookEndpoints.create({ url: wrong })))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "url")
        assert.deepStrictEqual(api.urls, [])
      }
    })
  )

  it.effect("fails where the answer has no secret, and shows the id all the same", () =>
    Effect.gen(function* () {
      const { secret: _, ...rest } = long
      const error = failureOf(
        yield* using(inTurn({ status: 201, json: rest }), ({ webhookEndpoints }) => webhookEndpoints.create({ url }))
      )
      assert.strictEqual(error._tag === "UnexpectedResponse" && /"id":"wh_1"/.test(error.body), true)
    })
  )
})

describe("what must not happen twice", () => {
  const calls: Readonly<
    Record<string, (client: ModelRouteClient.Service) => Effect.Effect<unknown, ModelRouteError.RequestFailure>>
  > = {
    "webhookEndpoints.create": ({ webhookEndpoints }) => webhookEndpoints.create({ url }),
    "apiKeys.rotate": ({ apiKeys }) => apiKeys.rotate(ApiKey.KeyId.make("key_1"))
  }
  for (const [operation, use] of Object.entries(calls)) {
    for (const [name, reply, tag] of [
      ["a gateway's 502", { status: 502, text: "bad gateway" }, "UnexpectedResponse"],
      ["an answer that is cut", { status: 200, text: '{"id":"wh_' }, "TransportError"],
      ["MODEL_OVERLOADED", refusal("MODEL_OVERLOADED", 503), "ModelOverloaded"],
      ["a conflict", refusal("CONFLICT", 409), "UnrecognizedError"]
    ] as const) {
      it.effect(`${operation} is sent once: ${name}`, () =>
        Effect.gen(function* () {
          const api = inTurn(reply)
          assert.strictEqual(failureOf(yield* using(api, use))._tag, tag)
          assert.lengthOf(api.urls, 1)
        })
      )
    }
    it.effect(`${operation} is sent again when it was certainly not carried out`, () =>
      Effect.gen(function* () {
        const api = inTurn(limited, { status: 200, json: { ...long, new_key: "sk_new" } })
        valueOf(yield* using(api, use))
        assert.lengthOf(api.urls, 2)
        assert.strictEqual((api.at[1] ?? 0) - (api.at[0] ?? 0), 3000)
        assert.isTrue(api.headers.every((headers) => headers["idempotency-key"] === undefined))
      })
    )
  }
})

describe("webhookEndpoints.list", () => {
  const listed = {
    id: "wh_1",
    url,
    events,
    is_active: false,
    failure_count: 10,
    last_success: "2026-03-20T10:15:00Z",
    region: "EU"
  }
  for (const [name, json] of [
    ["endpoints", { endpoints: [listed, { ...short, last_success: null }, "no endpoint"] }],
    ["data", { data: [listed, short] }],
    ["no wrapper", [listed, short]]
  ] as const) {
    it.effect(`gives all endpoints, without secrets: ${name}`, () =>
      Effect.gen(function* () {
        const api = inTurn({ status: 502 }, { status: 200, json })
        const endpoints = valueOf(yield* using(api, ({ webhookEndpoints }) => webhookEndpoints.list))
        assert.lengthOf(endpoints, 2)
        const [one, two] = endpoints
        assert.deepStrictEqual(
          [one?.isActive, one?.failureCount, one?.extra, two?.isActive, two?.lastSuccess],
          [false, 10, { region: "EU" }, true, undefined]
        )
        assert.strictEqual(one?.lastSuccess && DateTime.toEpochMillis(one.lastSuccess), Date.UTC(2026, 2, 20, 10, 15))
        for (const text of renderings(endpoints)) assert.notInclude(text, secret)
        assert.lengthOf(api.urls, 2)
      })
    )
  }

  it.effect("knows an empty list from none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        valueOf(
          yield* using(
            inTurn({ status: 200, json: { endpoints: [] } }),
            ({ webhookEndpoints }) => webhookEndpoints.list
          )
        ),
        []
      )
      const error = failureOf(
        yield* using(inTurn({ status: 200, json: {} }), ({ webhookEndpoints }) => webhookEndpoints.list)
      )
      assert.strictEqual(error._tag, "UnexpectedResponse")
    })
  )

  it.effect("does not tell what it cannot know: whether an endpoint is active", () =>
    Effect.gen(function* () {
      const states = [
        { status: "Active" },
        { status: "disabled" },
        { is_active: "yes" },
        { is_active: null, status: "ACTIVE" }
      ]
      const json = states.map((state, n) => Object.assign({ id: `wh_${n}` }, state))
      const endpoints = valueOf(
        yield* using(inTurn({ status: 200, json }), ({ webhookEndpoints }) => webhookEndpoints.list)
      )
      assert.deepStrictEqual(
        endpoints.map(({ isActive }) => isActive),
        [true, false, undefined, true]
      )
    })
  )
})

describe("webhookEndpoints.update", () => {
  it.effect("sends what changes, again if need be, and gives the endpoint", () =>
    Effect.gen(function* () {
      const api = inTurn({ status: 503 }, { status: 200, json: { ...short, status: "inactive" } })
      const changes = { description: "new", isActive: true, headers: { "x-a": "b" } }
      const endpoint = valueOf(yield* using(api, ({ webhookEndpoints }) => webhookEndpoints.update(id, changes)))
      assert.strictEqual(endpoint.isActive, false)
      assert.deepStrictEqual(
        api.bodies.map((body) => JSON.parse(body)),
        [1, 2].map(() => ({ description: "new", headers: { "x-a": "b" }, is_active: true }))
      )
      assert.match(api.urls[0] ?? "", /\/v1\/webhooks\/endpoints\/wh_1$/)
    })
  )

  it.effect("finds the endpoint in the list where the answer is empty", () =>
    Effect.gen(function* () {
      const api = inTurn({ status: 204 }, { status: 200, json: { endpoints: [{ id: "wh_0" }, long] } })
      const endpoint = valueOf(yield* using(api, ({ webhookEndpoints }) => webhookEndpoints.update(id, { events })))
      assert.strictEqual(endpoint.description, "Production webhook endpoint")
      const gone = inTurn({ status: 204 }, { status: 200, json: { endpoints: [] } })
      const error = failureOf(yield* using(gone, ({ webhookEndpoints }) => webhookEndpoints.update(id, { events })))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.strictEqual(error.operation, "webhookEndpoints.update")
    })
  )

  it.effect("refuses a wrong url and an empty id", () =>
    Effect.gen(function* () {
      const api = inTurn({ status: 200, json: long })
      const wrong = failureOf(yield* using(api, ({ webhookEndpoints }) => webhookEndpoints.update(id, { url: "x" })))
      assert.strictEqual(wrong._tag === "InvalidRequest" && wrong.field, "url")
      assert.deepStrictEqual(api.urls, [])
    })
  )
})

describe("webhookEndpoints.remove", () => {
  const removing = (...replies: ReadonlyArray<Reply>) => {
    const api = inTurn(...replies)
    return Effect.map(
      using(api, ({ webhookEndpoints }) => webhookEndpoints.remove(id)),
      (exit) => ({ exit, urls: api.urls })
    )
  }

  it.effect("is content with any success, and with what an earlier request has done", () =>
    Effect.gen(function* () {
      for (const reply of [{ status: 204 }, { status: 200, json: { deleted: true } }, { status: 200, text: "OK" }]) {
        assert.strictEqual(valueOf((yield* removing(reply)).exit), undefined)
      }
      const twice = yield* removing({ status: 502 }, refusal("NOT_FOUND", 404))
      assert.strictEqual(valueOf(twice.exit), undefined)
      assert.lengthOf(twice.urls, 2)
      const unknown = failureOf((yield* removing(refusal("NOT_FOUND", 404))).exit)
      assert.strictEqual(unknown._tag === "UnrecognizedError" && unknown.status, 404)
    })
  )
})

describe("webhookEndpoints.test", () => {
  it.effect("gives the answer as it is", () =>
    Effect.gen(function* () {
      const api = inTurn({ status: 200, json: { event_id: "evt_1" } })
      assert.deepStrictEqual(valueOf(yield* using(api, ({ webhookEndpoints }) => webhookEndpoints.test(id))), {
        event_id: "evt_1"
      })
      assert.match(api.urls[0] ?? "", /\/v1\/webhooks\/endpoints\/wh_1\/test$/)
      assert.strictEqual(
        valueOf(yield* using(inTurn({ status: 202 }), ({ webhookEndpoints }) => webhookEndpoints.test(id))),
        undefined
      )
    })
  )
})

describe("apiKeys.rotate", () => {
  const keyId = ApiKey.KeyId.make("key_a1b2c3d4")
  const rotation = {
    id: "key_a1b2c3d4",
    new_key: "sk_new_canary_value_0badcafe",
    previous_key_valid_until: "2026-03-20T11:00:00Z"
  }

  it.effect("gives the new key, hidden, and how long the old one works", () =>
    Effect.gen(function* () {
      const api = inTurn({ status: 200, json: rotation })
      const rotated = valueOf(yield* using(api, ({ apiKeys }) => apiKeys.rotate(keyId)))
      assert.strictEqual(rotated.id, keyId)
      assert.strictEqual(Redacted.value(rotated.newKey), rotation.new_key)
      assert.strictEqual(
        rotated.previousKeyValidUntil && DateTime.toEpochMillis(rotated.previousKeyValidUntil),
        Date.UTC(2026, 2, 20, 11)
      )
      for (const text of renderings(rotated)) assert.notInclude(text, "canary")
      assert.match(api.urls[0] ?? "", /\/v1\/api-keys\/key_a1b2c3d4\/rotate$/)
      assert.deepStrictEqual(api.bodies, [""])
    })
  )

  it.effect("shows no key when the answer is not what it should be", () =>
    Effect.gen(function* () {
      for (const json of [
        { id: "key_1", secret: rotation.new_key },
        { error: { code: "X", message: rotation.new_key } }
      ]) {
        const exit = yield* using(inTurn({ status: 200, json }), ({ apiKeys }) => apiKeys.rotate(keyId))
        for (const text of renderings(failureOf(exit))) assert.notInclude(text, "canary")
      }
    })
  )

  it.effect("says what to do when it is not known whether it was carried out", () =>
    Effect.gen(function* () {
      const exit = yield* using(inTurn({ status: 200, text: '{"id":"key' }), ({ apiKeys }) => apiKeys.rotate(keyId))
      const error = failureOf(exit)
      assert.strictEqual(error._tag === "TransportError" && error.retryable, false)
      assert.include(error.message, "may have been carried out")
    })
  )
})

describe("each of them", () => {
  it.effect("is one span", () =>
    Effect.gen(function* () {
      const api = inTurn({ status: 200, json: { ...long, endpoints: [long], new_key: "sk_new" } })
      const { apiKeys, webhookEndpoints } = yield* api.client
      const all = Effect.all(
        [
          webhookEndpoints.create({ url }),
          webhookEndpoints.list,
          webhookEndpoints.update(id, { events }),
          webhookEndpoints.remove(id),
          webhookEndpoints.test(id),
          apiKeys.rotate(ApiKey.KeyId.make("key_1"))
        ],
        { discard: true }
      )
      const names = (yield* spansOf(all)).map(({ attributes, name }) => [name, attributes.get("modelroute.outcome")])
      assert.deepStrictEqual(
        names,
        [
          "webhookEndpoints.create",
          "webhookEndpoints.list",
          "webhookEndpoints.update",
          "webhookEndpoints.remove",
          "webhookEndpoints.test",
          "apiKeys.rotate"
        ].map((name) => [`modelroute.${name}`, "ok"])
      )
    })
  )
})
