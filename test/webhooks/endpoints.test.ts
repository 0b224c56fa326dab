/** Tests for the webhook endpoint methods. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Redacted } from "effect"
import { type ModelRouteClient, type ModelRouteError, WebhookEndpoint } from "effect-modelroute"
import * as samples from "../utils/apiSamples.js"
import { failureOf, valueOf } from "../utils/exit.js"
import type { FakeResponse } from "../utils/fake.js"
import { describeNonIdempotent } from "../utils/nonIdempotent.js"
import { renderings } from "../utils/renderings.js"
import { errorReply, scriptedApi } from "../utils/scriptedApi.js"
import { spansOf } from "../utils/tracing.js"

const id = WebhookEndpoint.EndpointId.make("wh_1")
const { events, secret, url } = samples.createdEndpoint.json

const longShape = { ...samples.createdEndpoint.json, id: "wh_1" }
const shortShape = { ...samples.createdEndpointWithStatus.json, id: "wh_1", secret }

const privateHeaders = { "x-token": Redacted.make("canary-token-123"), "x-plain": "plain-canary-456" }
const quotedHeaders = {
  status: 400,
  json: { error: { code: "INPUT_VALIDATION_ERROR", message: "not canary-token-123 nor plain-canary-456" } }
}

describe("webhookEndpoints.create", () => {
  for (const [name, json] of [
    ["contains is_active", longShape],
    ["contains status instead of is_active", shortShape],
    ["is wrapped in the field endpoint", { endpoint: longShape }]
  ] as const) {
    it.effect(`returns the endpoint with a redacted secret if the response ${name}`, () =>
      Effect.gen(function* () {
        const { bodies, run, urls } = scriptedApi({ status: 201, json })
        const created = valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.create({ url, events })))
        assert.strictEqual(created.id, id)
        assert.strictEqual(created.url, url)
        assert.deepStrictEqual(created.events, events)
        assert.strictEqual(created.isActive, true)
        assert.strictEqual(Redacted.value(created.secret), secret)
        assert.deepStrictEqual(created.extra, {})
        assert.strictEqual(created.description, json === shortShape ? undefined : "Production webhook endpoint")
        for (const text of renderings(created)) assert.notInclude(text, secret)
        assert.match(urls.join(), /\/v1\/webhooks\/endpoints$/)
        assert.deepStrictEqual(JSON.parse(bodies[0] ?? ""), { url, events })
      })
    )
  }

  it.effect("reads the endpoint from the field data or endpoint if the response is wrapped", () =>
    Effect.gen(function* () {
      const endpoint = { id: "wh_1", url, secret, region: "EU" }
      const data = { id: "wh_2", secret: "whsec_other" }
      for (const [json, extra] of [
        [{ data: endpoint }, { region: "EU" }],
        [{ endpoint }, { region: "EU" }],
        [
          { ...endpoint, data },
          { region: "EU", data }
        ],
        [
          { ...endpoint, endpoint: "main" },
          { region: "EU", endpoint: "main" }
        ]
      ] as const) {
        const { run } = scriptedApi({ status: 201, json })
        const created = valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.create({ url })))
        assert.strictEqual(created.id, "wh_1")
        assert.strictEqual(Redacted.value(created.secret), secret)
        assert.deepStrictEqual(created.extra, extra)
      }
    })
  )

  it.effect("sends all fields of the request", () =>
    Effect.gen(function* () {
      const { bodies, run } = scriptedApi(quotedHeaders)
      const exit = yield* run(({ webhookEndpoints }) =>
        webhookEndpoints.create({ url, description: "d", events: [], headers: privateHeaders })
      )
      assert.deepStrictEqual(JSON.parse(bodies[0] ?? ""), {
        url,
        description: "d",
        events: [],
        headers: { "x-token": "canary-token-123", "x-plain": "plain-canary-456" }
      })
      for (const text of renderings(failureOf(exit))) assert.notInclude(text, "canary")
    })
  )

  it.effect("rejects an invalid URL before it sends a request", () =>
    Effect.gen(function* () {
      for (const invalidUrl of ["", "your-app.com", "ftp://your-app.com"]) {
        const { run, urls } = scriptedApi({ status: 201, json: longShape })
        const error = failureOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.create({ url: invalidUrl })))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "url")
        assert.deepStrictEqual(urls, [])
      }
    })
  )

  it.effect("includes the endpoint id in the error if the response has no secret", () =>
    Effect.gen(function* () {
      const { secret: _, ...json } = longShape
      const { run } = scriptedApi({ status: 201, json })
      const error = failureOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.create({ url })))
      assert.strictEqual(error._tag === "UnexpectedResponse" && /"id":"wh_1"/.test(error.body), true)
    })
  )
})

describeNonIdempotent("webhookEndpoints.create", ({ webhookEndpoints }) => webhookEndpoints.create({ url }), longShape)

describe("webhookEndpoints.list", () => {
  const listed = {
    ...samples.listedEndpoints.json.endpoints[0],
    id: "wh_1",
    is_active: false,
    failure_count: 10,
    region: "EU"
  }
  for (const [name, json] of [
    ["in the endpoints field", { endpoints: [listed, { ...shortShape, last_success: null }, "no endpoint"] }],
    ["in the data field", { data: [listed, shortShape] }],
    ["without a wrapper", [listed, shortShape]]
  ] as const) {
    it.effect(`returns all endpoints if the array of endpoints is ${name}`, () =>
      Effect.gen(function* () {
        const { run, urls } = scriptedApi({ status: 502 }, { status: 200, json })
        const endpoints = valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.list))
        assert.lengthOf(endpoints, 2)
        const [one, two] = endpoints
        assert.deepStrictEqual(
          [one?.isActive, one?.failureCount, one?.extra, two?.isActive, two?.lastSuccess],
          [false, 10, { region: "EU" }, true, undefined]
        )
        assert.strictEqual(one?.lastSuccess && DateTime.toEpochMillis(one.lastSuccess), Date.UTC(2026, 2, 20, 10, 15))
        for (const text of renderings(endpoints)) assert.notInclude(text, secret)
        assert.lengthOf(urls, 2)
      })
    )
  }

  it.effect("fails with UnexpectedResponse if the response contains no array of endpoints", () =>
    Effect.gen(function* () {
      const empty = scriptedApi({ status: 200, json: { endpoints: [] } })
      assert.deepStrictEqual(valueOf(yield* empty.run(({ webhookEndpoints }) => webhookEndpoints.list)), [])
      const missing = scriptedApi({ status: 200, json: {} })
      const error = failureOf(yield* missing.run(({ webhookEndpoints }) => webhookEndpoints.list))
      assert.strictEqual(error._tag, "UnexpectedResponse")
    })
  )

  it.effect("determines isActive from is_active or status", () =>
    Effect.gen(function* () {
      const states = [
        { status: "Active" },
        { status: "disabled" },
        { is_active: "yes" },
        { is_active: null, status: "ACTIVE" }
      ]
      const json = states.map((state, n) => Object.assign({ id: `wh_${n}` }, state))
      const { run } = scriptedApi({ status: 200, json })
      const endpoints = valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.list))
      assert.deepStrictEqual(
        endpoints.map(({ isActive }) => isActive),
        [true, false, undefined, true]
      )
    })
  )
})

describe("webhookEndpoints.update", () => {
  it.effect("sends the changed fields again when it retries the request", () =>
    Effect.gen(function* () {
      const { bodies, run, urls } = scriptedApi(
        { status: 503 },
        { status: 200, json: { ...shortShape, status: "inactive" } }
      )
      const changes = { description: "new", isActive: true, headers: { "x-a": "b" } }
      const endpoint = valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.update(id, changes)))
      assert.strictEqual(endpoint.isActive, false)
      assert.deepStrictEqual(
        bodies.map((body) => JSON.parse(body)),
        [1, 2].map(() => ({ description: "new", headers: { "x-a": "b" }, is_active: true }))
      )
      assert.match(urls[0] ?? "", /\/v1\/webhooks\/endpoints\/wh_1$/)
    })
  )

  it.effect("returns the endpoint from `list` if the response is empty", () =>
    Effect.gen(function* () {
      const { run } = scriptedApi({ status: 204 }, { status: 200, json: { endpoints: [{ id: "wh_0" }, longShape] } })
      const endpoint = valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.update(id, { events })))
      assert.strictEqual(endpoint.description, "Production webhook endpoint")
      for (const json of [{ endpoints: [] }, {}]) {
        const missing = scriptedApi({ status: 204 }, { status: 200, json })
        const error = failureOf(yield* missing.run(({ webhookEndpoints }) => webhookEndpoints.update(id, { events })))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.strictEqual(error.operation, "webhookEndpoints.update")
        assert.include(error.message, "the endpoint")
      }
    })
  )

  it.effect("rejects an invalid URL before it sends a request", () =>
    Effect.gen(function* () {
      const { run, urls } = scriptedApi({ status: 200, json: longShape })
      const error = failureOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.update(id, { url: "x" })))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "url")
      assert.deepStrictEqual(urls, [])
    })
  )

  it.effect("redacts the webhook header values in the error", () =>
    Effect.gen(function* () {
      const { run } = scriptedApi(quotedHeaders)
      const error = failureOf(
        yield* run(({ webhookEndpoints }) => webhookEndpoints.update(id, { headers: privateHeaders }))
      )
      assert.strictEqual(error._tag, "InputValidationError")
      for (const text of renderings(error)) assert.notInclude(text, "canary")
    })
  )
})

describe("webhookEndpoints.remove", () => {
  const removeWith = (...replies: ReadonlyArray<FakeResponse>) => {
    const { run, urls } = scriptedApi(...replies)
    return Effect.map(
      run(({ webhookEndpoints }) => webhookEndpoints.remove(id)),
      (exit) => ({ exit, urls })
    )
  }

  it.effect("succeeds after any 2xx response or a 404 response to a retry", () =>
    Effect.gen(function* () {
      for (const reply of [{ status: 204 }, { status: 200, json: { deleted: true } }, { status: 200, text: "OK" }]) {
        assert.strictEqual(valueOf((yield* removeWith(reply)).exit), undefined)
      }
      const retried = yield* removeWith({ status: 502 }, errorReply("NOT_FOUND", 404))
      assert.strictEqual(valueOf(retried.exit), undefined)
      assert.lengthOf(retried.urls, 2)
      const missing = failureOf((yield* removeWith(errorReply("NOT_FOUND", 404))).exit)
      assert.strictEqual(missing._tag === "UnrecognizedError" && missing.status, 404)
    })
  )
})

describe("webhookEndpoints.test", () => {
  it.effect("returns the JSON of the response", () =>
    Effect.gen(function* () {
      const { run, urls } = scriptedApi({ status: 200, json: { event_id: "evt_1" } })
      assert.deepStrictEqual(valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.test(id))), {
        event_id: "evt_1"
      })
      assert.match(urls[0] ?? "", /\/v1\/webhooks\/endpoints\/wh_1\/test$/)
      const empty = scriptedApi({ status: 202 })
      assert.strictEqual(valueOf(yield* empty.run(({ webhookEndpoints }) => webhookEndpoints.test(id))), undefined)
    })
  )

  it.effect("retries after a 502 response", () =>
    Effect.gen(function* () {
      const { requests, run } = scriptedApi({ status: 502 }, { status: 200, json: { event_id: "evt_1" } })
      assert.deepStrictEqual(valueOf(yield* run(({ webhookEndpoints }) => webhookEndpoints.test(id))), {
        event_id: "evt_1"
      })
      assert.lengthOf(requests, 2)
    })
  )
})

describe("webhookEndpoints requests", () => {
  const success = { status: 200, json: { id: "wh_1", url, secret, endpoints: [] } }

  it.effect("use POST for create and GET for list", () =>
    Effect.gen(function* () {
      const { requests, run } = scriptedApi(success)
      valueOf(
        yield* run(({ webhookEndpoints }) => Effect.zipRight(webhookEndpoints.create({ url }), webhookEndpoints.list))
      )
      assert.deepStrictEqual(requests, ["POST /v1/webhooks/endpoints", "GET /v1/webhooks/endpoints"])
    })
  )

  const operations: Readonly<
    Record<
      string,
      (
        client: ModelRouteClient.Service,
        id: WebhookEndpoint.EndpointId
      ) => Effect.Effect<unknown, ModelRouteError.RequestFailure>
    >
  > = {
    "PATCH /v1/webhooks/endpoints/{id}": ({ webhookEndpoints }, id) =>
      webhookEndpoints.update(id, { description: "d" }),
    "DELETE /v1/webhooks/endpoints/{id}": ({ webhookEndpoints }, id) => webhookEndpoints.remove(id),
    "POST /v1/webhooks/endpoints/{id}/test": ({ webhookEndpoints }, id) => webhookEndpoints.test(id)
  }
  for (const [request, use] of Object.entries(operations)) {
    it.effect(`encode the id as one path segment in ${request}`, () =>
      Effect.gen(function* () {
        const { requests, run } = scriptedApi(success)
        valueOf(yield* run((client) => use(client, WebhookEndpoint.EndpointId.make("id/1?x"))))
        assert.deepStrictEqual(requests, [request.replace("{id}", "id%2F1%3Fx")])
      })
    )

    it.effect(`are not sent if the id is "." or "..": ${request}`, () =>
      Effect.gen(function* () {
        for (const dots of [".", ".."]) {
          const { requests, run } = scriptedApi(success)
          const error = failureOf(yield* run((client) => use(client, WebhookEndpoint.EndpointId.make(dots))))
          assert.strictEqual(error._tag === "InvalidRequest" && error.field, "id")
          assert.deepStrictEqual(requests, [])
        }
      })
    )
  }
})

it.effect("webhookEndpoints creates one span for each method call", () =>
  Effect.gen(function* () {
    const { client } = scriptedApi({ status: 200, json: { ...longShape, endpoints: [longShape] } })
    const { webhookEndpoints } = yield* client
    const all = Effect.all(
      [
        webhookEndpoints.create({ url }),
        webhookEndpoints.list,
        webhookEndpoints.update(id, { events }),
        webhookEndpoints.remove(id),
        webhookEndpoints.test(id)
      ],
      { discard: true }
    )
    const names = (yield* spansOf(all)).map(({ attributes, name }) => [name, attributes.get("error.type") ?? "ok"])
    assert.deepStrictEqual(
      names,
      [
        "webhookEndpoints.create",
        "webhookEndpoints.list",
        "webhookEndpoints.update",
        "webhookEndpoints.remove",
        "webhookEndpoints.test"
      ].map((name) => [`modelroute.${name}`, "ok"])
    )
  })
)
