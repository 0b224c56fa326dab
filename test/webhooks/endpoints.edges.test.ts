/** Webhook endpoints and API keys at their edges: what goes over the wire, other shapes of answers, ids that are none. */
import { inspect } from "node:util"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { ApiKey, type ModelRouteClient, type ModelRouteError, WebhookEndpoint } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { answering, type Reply } from "../utils/fake.js"
import { runToEnd, silent } from "../utils/harness.js"

const url = "https://your-app.com/webhooks/modelroute"
const secret = "whsec_k8m2n4p6r8t0v2x4z6a8c0e2g4i6k8m2n4p6r8t0"

/** Every request is answered in turn, the last answer again and again. */
const inTurn = (...replies: ReadonlyArray<Reply>) => {
  const asked: Array<string> = []
  const api = answering((_, n) => replies[n - 1] ?? replies.at(-1) ?? { status: 500, text: "" }, {
    transformClient: HttpClient.tapRequest(({ method, url }) =>
      Effect.sync(() => void asked.push(`${method} ${new URL(url).pathname}`))
    )
  })
  const using = <A, E>(use: (client: ModelRouteClient.Service) => Effect.Effect<A, E>) =>
    Effect.flatMap(api.client, (client) => runToEnd(silent(use(client))))
  return { ...api, asked, using }
}

const operations: Readonly<
  Record<
    string,
    (client: ModelRouteClient.Service, id: string) => Effect.Effect<unknown, ModelRouteError.RequestFailure>
  >
> = {
  "PATCH /v1/webhooks/endpoints/": ({ webhookEndpoints }, id) =>
    webhookEndpoints.update(WebhookEndpoint.EndpointId.make(id), { description: "d" }),
  "DELETE /v1/webhooks/endpoints/": ({ webhookEndpoints }, id) =>
    webhookEndpoints.remove(WebhookEndpoint.EndpointId.make(id)),
  "POST /v1/webhooks/endpoints/{}/test": ({ webhookEndpoints }, id) =>
    webhookEndpoints.test(WebhookEndpoint.EndpointId.make(id)),
  "POST /v1/api-keys/{}/rotate": ({ apiKeys }, id) => apiKeys.rotate(ApiKey.KeyId.make(id))
}

const answer = { status: 200, json: { id: "wh_1", url, secret, new_key: "sk_new", endpoints: [] } }

describe("over the wire", () => {
  it.effect("create is a POST, list a GET", () =>
    Effect.gen(function* () {
      const { asked, using } = inTurn(answer)
      valueOf(
        yield* using(({ webhookEndpoints }) => Effect.zipRight(webhookEndpoints.create({ url }), webhookEndpoints.list))
      )
      assert.deepStrictEqual(asked, ["POST /v1/webhooks/endpoints", "GET /v1/webhooks/endpoints"])
    })
  )

  for (const [request, use] of Object.entries(operations)) {
    it.effect(`${request} has its method, and its id in one segment of the path`, () =>
      Effect.gen(function* () {
        const { asked, using } = inTurn(answer)
        valueOf(yield* using((client) => use(client, "id/1?x")))
        const id = "id%2F1%3Fx"
        assert.deepStrictEqual(asked, [request.includes("{}") ? request.replace("{}", id) : `${request}${id}`])
      })
    )

    it.effect(`${request} refuses an id that would vanish from the path, before anything is sent`, () =>
      Effect.gen(function* () {
        for (const id of [".", ".."]) {
          const { asked, using } = inTurn(answer)
          const error = failureOf(yield* using((client) => use(client, id)))
          assert.strictEqual(error._tag === "InvalidRequest" && error.field, "id")
          assert.deepStrictEqual(asked, [])
        }
      })
    )
  }
})

describe("what must not happen twice", () => {
  for (const [code, requests] of [
    ["ECONNREFUSED", 2],
    ["ECONNRESET", 1]
  ] as const) {
    it.effect(`is sent again only where there was no connection: ${code}`, () =>
      Effect.gen(function* () {
        for (const use of [
          ({ webhookEndpoints }: ModelRouteClient.Service) => Effect.asVoid(webhookEndpoints.create({ url })),
          ({ apiKeys }: ModelRouteClient.Service) => Effect.asVoid(apiKeys.rotate(ApiKey.KeyId.make("key_1")))
        ]) {
          let sent = 0
          const { client } = answering(() => answer, {
            transformClient: HttpClient.mapRequestEffect((request) => {
              sent += 1
              const cause = Object.assign(new Error(code), { code })
              return sent === 1
                ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause }))
                : Effect.succeed(request)
            })
          })
          const exit = yield* runToEnd(silent(use(yield* client)))
          assert.strictEqual(sent, requests)
          if (requests === 2) valueOf(exit)
          else assert.strictEqual(failureOf(exit)._tag, "TransportError")
        }
      })
    )
  }
})

describe("what must not happen twice, answered with", () => {
  const refusal = (code: string) => ({ error: { code, message: "no", retryable: true } })
  for (const [name, status, json, requests] of [
    ["429", 429, {}, 2],
    ["429 and a code of its own", 429, refusal("TOO_FAST"), 2],
    ["RATE_LIMITED under another status", 503, refusal("RATE_LIMITED"), 2],
    ["a refusal for the balance that may be repeated", 402, refusal("INSUFFICIENT_BALANCE"), 2],
    ["an overload that may be repeated", 503, refusal("MODEL_OVERLOADED"), 1]
  ] as const) {
    it.effect(`${name} is sent ${requests === 2 ? "again" : "once"}`, () =>
      Effect.gen(function* () {
        const { asked, using } = inTurn({ status, json }, answer)
        yield* using(({ webhookEndpoints }) => webhookEndpoints.create({ url }))
        assert.lengthOf(asked, requests)
      })
    )
  }
})

describe("webhookEndpoints.update", () => {
  it.effect("shows no value of a header in an error", () =>
    Effect.gen(function* () {
      const headers = { "x-token": Redacted.make("canary-token-123"), "x-plain": "plain-canary-456" }
      const { using } = inTurn({
        status: 400,
        json: { error: { code: "INPUT_VALIDATION_ERROR", message: "not canary-token-123 nor plain-canary-456" } }
      })
      const id = WebhookEndpoint.EndpointId.make("wh_1")
      const error = failureOf(yield* using(({ webhookEndpoints }) => webhookEndpoints.update(id, { headers })))
      assert.strictEqual(error._tag, "InputValidationError")
      for (const text of [String(error), JSON.stringify(error), inspect(error, { depth: 10 })]) {
        assert.notInclude(text, "canary")
      }
    })
  )
})

describe("webhookEndpoints.test", () => {
  it.effect("is sent again when it was lost: an event that comes twice does no harm", () =>
    Effect.gen(function* () {
      const { asked, using } = inTurn({ status: 502 }, { status: 200, json: { event_id: "evt_1" } })
      const id = WebhookEndpoint.EndpointId.make("wh_1")
      assert.deepStrictEqual(valueOf(yield* using(({ webhookEndpoints }) => webhookEndpoints.test(id))), {
        event_id: "evt_1"
      })
      assert.lengthOf(asked, 2)
    })
  )
})

describe("an endpoint", () => {
  it.effect(
    "is found in either wrapper; what an unwrapped one has under the wrapper's name is a field of its own",
    () =>
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
          const { using } = inTurn({ status: 201, json })
          const registered = valueOf(yield* using(({ webhookEndpoints }) => webhookEndpoints.create({ url })))
          assert.strictEqual(registered.id, "wh_1")
          assert.strictEqual(Redacted.value(registered.secret), secret)
          assert.deepStrictEqual(registered.extra, extra)
        }
      })
  )
})

describe("apiKeys.rotate", () => {
  it.effect(
    "tells the id that the answer gives, or else that of the key that was asked for; the key by either name",
    () =>
      Effect.gen(function* () {
        const asked = ApiKey.KeyId.make("key_1")
        for (const [json, id] of [
          [{ id: "key_2", new_key: "sk_new" }, "key_2"],
          [{ new_key: "sk_new", key: "sk_old" }, "key_1"],
          [{ id: "", key: "sk_new" }, "key_1"]
        ] as const) {
          const { using } = inTurn({ status: 200, json })
          const rotated = valueOf(yield* using(({ apiKeys }) => apiKeys.rotate(asked)))
          assert.strictEqual(String(rotated.id), id)
          assert.strictEqual(Redacted.value(rotated.newKey), "sk_new")
        }
      })
  )
})
