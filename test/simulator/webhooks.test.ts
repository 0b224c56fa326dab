/** Tests the webhooks of the simulator: endpoints, events and deliveries. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { valueOf } from "../utils/exit.js"
import { start } from "../utils/harness.js"
import { call, describeError, fluxRequest, type Json, listAt, objectAt, test } from "../utils/rawApi.js"
import { isSigned, type ReceivedEvent, makeReceiver } from "../utils/eventReceiver.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

const { Fault } = Simulator
const hook = "https://backend.test/hook"
const minutesToMillis = (n: number) => n * 60_000

type CallEffect<A> = Effect.Effect<A, HttpClientError.HttpClientError, HttpClient.HttpClient>

const createEndpoint = (body: unknown = { url: hook }): CallEffect<Json> =>
  Effect.map(call("POST", "/webhooks/endpoints", body), ({ json }) => json)

const listEndpoints: CallEffect<ReadonlyArray<Json>> = Effect.map(call("GET", "/webhooks/endpoints"), ({ json }) =>
  listAt(json, "endpoints")
)

const create = (body: unknown = fluxRequest): CallEffect<string> =>
  Effect.map(call("POST", "/executions", body), ({ json }) => String(json["id"]))

/** Returns the type and time of each event. */
const describeEvents = (received: ReadonlyArray<ReceivedEvent>) =>
  received.map(({ at, json }) => [String(json["event_type"]).replace("execution.", ""), at])

describe("Simulator webhook endpoints", { concurrent: true }, () => {
  test(
    "have the long shape by default",
    {},
    Effect.gen(function* () {
      const events = ["execution.completed", "execution.failed"]
      const created = yield* call("POST", "/webhooks/endpoints", { url: hook, description: "Production", events })
      assert.strictEqual(created.status, 201)
      const { id, secret, ...rest } = created.json
      assert.match(String(id), /^wh_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.match(String(secret), /^whsec_[a-z0-9]{40}$/)
      const visible = {
        url: hook,
        description: "Production",
        events,
        is_active: true,
        created_at: "2026-03-20T10:30:00Z"
      }
      assert.deepStrictEqual(rest, visible)
      assert.deepStrictEqual(yield* listEndpoints, [
        { id, url: hook, events, is_active: true, failure_count: 0, last_success: null }
      ])
      const changes = { events: ["execution.started"], description: "Staging", is_active: false }
      const patched = yield* call("PATCH", `/webhooks/endpoints/${String(id)}`, changes)
      assert.strictEqual(patched.status, 200)
      assert.deepStrictEqual(patched.json, { id, ...visible, ...changes })
      assert.deepInclude((yield* listEndpoints)[0], { events: ["execution.started"], is_active: false })
    })
  )

  test(
    "have the short shape if `endpointShape` is `short`",
    { webhooks: { endpointShape: "short" } },
    Effect.gen(function* () {
      const { id, secret, ...rest } = yield* createEndpoint({ url: hook, description: "Production" })
      assert.match(String(secret), /^whsec_/)
      assert.deepStrictEqual(rest, { url: hook, events: [], status: "active" })
      const path = `/webhooks/endpoints/${String(id)}`
      const moved = "http://127.0.0.1:1/"
      assert.deepStrictEqual((yield* call("PATCH", path, { is_active: false, url: moved })).json, {
        id,
        url: moved,
        events: [],
        status: "inactive"
      })
      assert.deepStrictEqual(yield* listEndpoints, [
        { id, url: moved, events: [], status: "inactive", failure_count: 0, last_success: null }
      ])
    })
  )

  test(
    "are not found after their removal",
    {},
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      const other = yield* createEndpoint()
      const path = `/webhooks/endpoints/${String(id)}`
      const removed = yield* call("DELETE", path)
      assert.deepStrictEqual([removed.status, removed.text], [204, ""])
      assert.deepStrictEqual(
        (yield* listEndpoints).map((endpoint) => endpoint["id"]),
        [other["id"]]
      )
      const responses = [
        yield* call("DELETE", path),
        yield* call("PATCH", path, {}),
        yield* call("POST", `${path}/test`)
      ]
      assert.deepStrictEqual(
        responses.map(describeError),
        responses.map(() => [404, "NOT_FOUND"])
      )
      assert.deepStrictEqual(
        (yield* (yield* Simulator.Simulator).requests).map(({ operation }) =>
          operation.replace("webhookEndpoints.", "")
        ),
        ["create", "create", "remove", "list", "remove", "update", "test"]
      )
    })
  )

  const invalid: ReadonlyArray<readonly [body: unknown, details: ReadonlyArray<string>]> = [
    [{}, ["url REQUIRED"]],
    [{ url: "ftp://backend.test" }, ["url INVALID_URL"]],
    [{ url: "backend.test/hook" }, ["url INVALID_URL"]],
    [{ url: 7, events: "all", description: 1 }, ["url INVALID_URL", "description INVALID_TYPE", "events INVALID_TYPE"]],
    [{ url: hook, events: [1], headers: { "a b": "c" } }, ["events INVALID_TYPE", "headers INVALID_TYPE"]],
    [{ url: hook, headers: { a: "b\r\nc" }, is_active: "yes" }, ["headers INVALID_TYPE", "is_active INVALID_TYPE"]]
  ]
  for (const [body, details] of invalid) {
    test(
      `reject the request body ${JSON.stringify(body)}`,
      {},
      Effect.gen(function* () {
        const { id } = yield* createEndpoint()
        assert.deepStrictEqual(describeError(yield* call("POST", "/webhooks/endpoints", body)), [
          400,
          "INPUT_VALIDATION_ERROR",
          ...details
        ])
        const patched = yield* call("PATCH", `/webhooks/endpoints/${String(id)}`, body)
        const patchDetails = details.filter((detail) => detail !== "url REQUIRED")
        assert.deepStrictEqual(
          describeError(patchDetails.length > 0 ? patched : yield* call("PATCH", "/webhooks/endpoints/no", body)),
          patchDetails.length > 0 ? [400, "INPUT_VALIDATION_ERROR", ...patchDetails] : [404, "NOT_FOUND"]
        )
        assert.lengthOf(yield* listEndpoints, 1)
      })
    )
  }
})

describe("Simulator webhook events", { concurrent: true }, () => {
  const documented = makeReceiver()
  test(
    "are sent when an execution starts and ends",
    { clockSkew: 60_500, webhooks: { client: documented.client } },
    Effect.gen(function* () {
      const { secret } = yield* createEndpoint({
        url: `${hook}?a=b`,
        headers: { "X-Tenant": "7", "User-Agent": "mine" }
      })
      const id = yield* create({ ...fluxRequest, metadata: { order: 7 } })
      yield* TestClock.adjust("999 millis")
      assert.lengthOf(documented.received, 0)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(describeEvents(documented.received), [["started", 1000]])
      yield* TestClock.adjust("7419 millis")
      assert.lengthOf(documented.received, 1)
      yield* TestClock.adjust("1 millis")
      const [started, completed] = documented.received
      assert(started !== undefined && completed !== undefined)
      const { id: eventId, organization_id: organization, ...rest } = completed.json
      const file = (yield* call("GET", `/executions/${id}`)).json["result"]
      assert.match(String(eventId), /^evt_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.match(String(organization), /^org_[0-9a-f]{8}$/)
      assert.deepStrictEqual(rest, {
        event_type: "execution.completed",
        timestamp: "2026-03-20T10:31:08Z",
        version: "1.0",
        execution_id: id,
        data: {
          id,
          status: "COMPLETED",
          model: "flux-1.1-pro",
          metadata: { order: 7 },
          cost: "0.040",
          latency_ms: 8420,
          result: file,
          created_at: "2026-03-20T10:31:00Z",
          completed_at: "2026-03-20T10:31:08Z"
        }
      })
      assert.deepStrictEqual(started.json["data"], {
        id,
        status: "PROCESSING",
        model: "flux-1.1-pro",
        metadata: { order: 7 },
        created_at: "2026-03-20T10:31:00Z"
      })
      assert.notStrictEqual(started.json["id"], eventId)
      assert.strictEqual(completed.path, "/hook?a=b")
      assert.deepInclude(completed.headers, {
        "content-type": "application/json",
        "user-agent": "ModelRoute-Webhooks/1.0",
        "x-tenant": "7",
        "x-signature-timestamp": String(Math.floor((start + 8420 + 60_500) / 1000))
      })
      assert.isTrue(isSigned(completed, String(secret)))
      assert.isFalse(isSigned(completed, "whsec_other"))
      assert.deepInclude((yield* listEndpoints)[0], { failure_count: 0, last_success: "2026-03-20T10:31:08Z" })
    })
  )

  const short = makeReceiver()
  test(
    "have the short shape if `payload` is `short`",
    {
      faults: [
        Fault.executionOutcome({
          status: "FAILED",
          code: "CONTENT_MODERATION_REJECTED",
          message: "no",
          retryable: false
        }),
        Fault.executionOutcome({ status: "CANCELLED" }),
        Fault.executionOutcome({ status: "EXPIRED" })
      ],
      webhooks: { client: short.client, payload: "short" }
    },
    Effect.gen(function* () {
      yield* createEndpoint()
      const failed = yield* create()
      const cancelled = yield* create()
      const expired = yield* create()
      yield* TestClock.adjust("1 day")
      const ended = short.received.slice(3)
      assert.deepStrictEqual(
        short.received.slice(0, 3).map(({ json }) => json["type"]),
        ["execution.started", "execution.started", "execution.started"]
      )
      assert.deepStrictEqual(
        ended.map(({ at, json: { type, timestamp, data, ...rest } }) => {
          assert.deepStrictEqual(Object.keys(rest), ["id"])
          return [at, { type, timestamp, data }]
        }),
        [
          [
            8420,
            {
              type: "execution.failed",
              timestamp: "2026-03-20T10:30:08Z",
              data: {
                id: failed,
                status: "FAILED",
                model: "flux-1.1-pro",
                error: { code: "CONTENT_MODERATION_REJECTED", message: "no", retryable: false },
                created_at: "2026-03-20T10:30:00Z",
                completed_at: "2026-03-20T10:30:08Z"
              }
            }
          ],
          [
            8420,
            {
              type: "execution.cancelled",
              timestamp: "2026-03-20T10:30:08Z",
              data: {
                id: cancelled,
                status: "CANCELLED",
                model: "flux-1.1-pro",
                created_at: "2026-03-20T10:30:00Z",
                completed_at: "2026-03-20T10:30:08Z"
              }
            }
          ]
        ]
      )
      assert.strictEqual((yield* call("GET", `/executions/${expired}`)).json["status"], "EXPIRED")
    })
  )

  const cancelling = makeReceiver()
  test(
    "are sent immediately after a cancel request",
    { webhooks: { client: cancelling.client } },
    Effect.gen(function* () {
      yield* createEndpoint()
      const early = yield* create()
      yield* call("POST", `/executions/${early}/cancel`)
      const late = yield* create()
      yield* TestClock.adjust("5 seconds")
      yield* call("POST", `/executions/${late}/cancel`)
      yield* TestClock.adjust(0)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(
        cancelling.received.map(({ at, json }) => [at, json["event_type"], json["execution_id"]]),
        [
          [0, "execution.cancelled", early],
          [1000, "execution.started", late],
          [5000, "execution.cancelled", late]
        ]
      )
    })
  )

  const instant = makeReceiver()
  test(
    "are sent in order if an execution has no duration",
    {
      models: { instant: { duration: 0, cost: "0.010", output: "none" } },
      webhooks: { client: instant.client }
    },
    Effect.gen(function* () {
      yield* create({ model: "instant", input: {}, webhook_url: hook })
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(describeEvents(instant.received), [
        ["started", 0],
        ["completed", 0]
      ])
      assert.deepStrictEqual(
        instant.received.map(({ json }) => {
          const { status, completed_at: completedAt } = objectAt(json, "data")
          return [status, completedAt]
        }),
        [
          ["PROCESSING", undefined],
          ["COMPLETED", "2026-03-20T10:30:00Z"]
        ]
      )
    })
  )

  const filtered = makeReceiver()
  test(
    "are sent to subscribed endpoints and to the execution's `webhook_url`",
    { webhooks: { client: filtered.client } },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* create() // No endpoint exists when this execution starts.
      yield* TestClock.adjust("1 second")
      const ends = yield* createEndpoint({ url: `${hook}/ends`, events: ["execution.completed", "execution.failed"] })
      const all = yield* createEndpoint({ url: `${hook}/all` })
      yield* createEndpoint({ url: `${hook}/off`, is_active: false })
      const own = yield* create({ ...fluxRequest, webhook_url: `${hook}/own` })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        filtered.received.map(({ at, json, path }) => [path, at, json["event_type"]]),
        [
          ["/hook/all", 2000, "execution.started"],
          ["/hook/own", 2000, "execution.started"],
          ["/hook/ends", 8420, "execution.completed"],
          ["/hook/all", 8420, "execution.completed"],
          ["/hook/ends", 9420, "execution.completed"],
          ["/hook/all", 9420, "execution.completed"],
          ["/hook/own", 9420, "execution.completed"]
        ]
      )
      const [, , , , ...last] = filtered.received
      assert.strictEqual(new Set(last.map(({ text }) => text)).size, 1)
      const secrets = [ends["secret"], all["secret"], Redacted.value(simulator.webhookSecret)]
      last.forEach((received, n) => assert.isTrue(isSigned(received, String(secrets[n]))))
      assert.match(Redacted.value(simulator.webhookSecret), /^whsec_[a-z0-9]{40}$/)
      const records = (yield* simulator.deliveries).slice(-3)
      assert.deepStrictEqual(
        records.map(({ endpointId, executionId }) => [endpointId, executionId]),
        [
          [ends["id"], own],
          [all["id"], own],
          [undefined, own]
        ]
      )
    })
  )

  const tested = makeReceiver()
  test(
    "are sent to an inactive endpoint after a test request",
    { webhooks: { client: tested.client, secret: "whsec_own" } },
    Effect.gen(function* () {
      const { id, secret } = yield* createEndpoint({ url: hook, events: ["execution.failed"], is_active: false })
      const reply = yield* call("POST", `/webhooks/endpoints/${String(id)}/test`)
      yield* TestClock.adjust(0)
      const [received] = tested.received
      assert(received !== undefined)
      assert.strictEqual(reply.status, 200)
      assert.deepStrictEqual(reply.json, { event_id: received.json["id"] })
      assert.deepInclude(received.json, { event_type: "webhook.test", data: { message: "This is a test event" } })
      assert.notProperty(received.json, "execution_id")
      assert.isTrue(isSigned(received, String(secret)))
      const simulator = yield* Simulator.Simulator
      assert.strictEqual(Redacted.value(simulator.webhookSecret), "whsec_own")
      assert.deepStrictEqual(yield* simulator.deliveries, [
        {
          eventId: String(received.json["id"]),
          type: "webhook.test",
          endpointId: String(id),
          url: hook,
          attempt: 1,
          at: start,
          outcome: 204
        }
      ])
    })
  )
})

describe("Simulator webhook deliveries", { concurrent: true }, () => {
  const failing = makeReceiver(() => 500)
  test(
    "are retried after 2, 4, 8, 16 and 30 minutes with a new signature",
    { webhooks: { client: failing.client } },
    Effect.gen(function* () {
      const { id, secret } = yield* createEndpoint({ url: hook, events: ["execution.completed"] })
      yield* create()
      yield* TestClock.adjust("8420 millis")
      const due = [0, 2, 6, 14, 30, 60].map((n) => 8420 + minutesToMillis(n))
      for (const [n, at] of due.entries()) {
        yield* TestClock.setTime(start + at - 1)
        assert.lengthOf(failing.received, Math.max(1, n))
        yield* TestClock.setTime(start + at)
        assert.lengthOf(failing.received, n + 1)
      }
      yield* TestClock.adjust("2 days")
      assert.deepStrictEqual(
        failing.received.map(({ at }) => at),
        due
      )
      assert.strictEqual(new Set(failing.received.map(({ text }) => text)).size, 1)
      for (const received of failing.received) {
        assert.strictEqual(received.headers["x-signature-timestamp"], String(Math.floor((start + received.at) / 1000)))
        assert.isTrue(isSigned(received, String(secret)))
      }
      const records = yield* (yield* Simulator.Simulator).deliveries
      assert.deepStrictEqual(
        records.map(({ at, attempt, outcome }) => [attempt, at - start, outcome]),
        due.map((at, n) => [n + 1, at, 500])
      )
      assert.deepInclude((yield* listEndpoints)[0], { id, is_active: true, failure_count: 6, last_success: null })
    })
  )

  const recovering = makeReceiver(({ path }, n) => (path === "/hook/own" || n < 4 ? 503 : 200))
  test(
    "reset the number of failures after a success",
    { webhooks: { client: recovering.client } },
    Effect.gen(function* () {
      yield* createEndpoint({ url: hook, events: ["execution.completed"] })
      yield* create()
      yield* TestClock.setTime(start + 8420 + minutesToMillis(6))
      assert.deepInclude((yield* listEndpoints)[0], { failure_count: 3 })
      yield* TestClock.adjust("8 minutes")
      assert.lengthOf(recovering.received, 4)
      assert.deepInclude((yield* listEndpoints)[0], { failure_count: 0, last_success: "2026-03-20T10:44:08Z" })
    })
  )

  const slow = makeReceiver((_, n) => (n === 1 ? Effect.never : Effect.as(Effect.sleep("29999 millis"), 200)))
  test(
    "fail if the response takes 30 seconds",
    { webhooks: { client: slow.client } },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* createEndpoint({ url: hook, events: ["execution.completed"] })
      yield* create()
      const outcomes = Effect.map(simulator.deliveries, (all) => all.map(({ at, outcome }) => [at - start, outcome]))
      yield* TestClock.setTime(start + 8420 + 29_999)
      assert.deepStrictEqual(yield* outcomes, [[8420, "pending"]])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* outcomes, [[8420, "no response"]])
      yield* TestClock.setTime(start + 8420 + minutesToMillis(2))
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* outcomes, [
        [8420, "no response"],
        [8420 + minutesToMillis(2), 200]
      ])
    })
  )

  const broken = makeReceiver(() => Effect.dieMessage("a bug in the handler"))
  test(
    "record a 500 if the receiving app dies",
    { webhooks: { client: broken.client } },
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      yield* call("POST", `/webhooks/endpoints/${String(id)}/test`)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        (yield* (yield* Simulator.Simulator).deliveries).map(({ outcome }) => outcome),
        [500]
      )
    })
  )

  const ten = makeReceiver(({ path }) => (path === "/hook/fine" ? 200 : 500))
  test(
    "stop after ten consecutive failures of an endpoint",
    { webhooks: { client: ten.client } },
    Effect.gen(function* () {
      const { id } = yield* createEndpoint({ url: `${hook}/bad`, events: ["execution.completed"] })
      yield* createEndpoint({ url: `${hook}/fine`, events: ["execution.completed"] })
      yield* Effect.forEach([1, 2, 3], () => create({ ...fluxRequest, webhook_url: `${hook}/own` }))
      const sentTo = (path: string) => ten.received.filter(({ path: to }) => to === path)
      // Each of the three deliveries has failed three times.
      yield* TestClock.setTime(start + 8420 + minutesToMillis(6))
      const state = Effect.map(listEndpoints, ([endpoint]) => [endpoint?.["is_active"], endpoint?.["failure_count"]])
      assert.deepStrictEqual(yield* state, [true, 9])
      assert.lengthOf(sentTo("/hook/bad"), 9)
      yield* TestClock.setTime(start + 8420 + minutesToMillis(14))
      const [active, failures] = yield* state
      assert.isFalse(active)
      assert.isAtLeast(Number(failures), 10)
      const before = sentTo("/hook/bad").length
      yield* TestClock.adjust("3 hours")
      assert.lengthOf(sentTo("/hook/bad"), before)
      assert.lengthOf(sentTo("/hook/fine"), 3)
      assert.lengthOf(sentTo("/hook/own"), 36)
      yield* create()
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(sentTo("/hook/bad"), before)
      const again = yield* call("PATCH", `/webhooks/endpoints/${String(id)}`, { is_active: true })
      assert.deepInclude(again.json, { is_active: true })
      assert.deepStrictEqual(yield* state, [true, 0])
      yield* create()
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(sentTo("/hook/bad"), before + 1)
      yield* TestClock.adjust("2 minutes")
      assert.lengthOf(sentTo("/hook/bad"), before + 2)
    })
  )

  const alwaysFailing = makeReceiver(() => 500)
  test(
    "deactivate the endpoint after the tenth failure",
    { webhooks: { client: alwaysFailing.client } },
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      for (let n = 1; n <= 11; n++) {
        yield* call("POST", `/webhooks/endpoints/${String(id)}/test`)
        yield* TestClock.adjust("1 second")
        assert.deepInclude((yield* listEndpoints)[0], { failure_count: n, is_active: n < 10 })
      }
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(alwaysFailing.received, 11)
    })
  )

  for (const [change, stop] of [
    ["removal", (path: string) => call("DELETE", path)],
    ["deactivation", (path: string) => call("PATCH", path, { is_active: false })]
  ] as const) {
    const stopped = makeReceiver(() => 500)
    test(
      `stop after the ${change} of the endpoint`,
      { webhooks: { client: stopped.client } },
      Effect.gen(function* () {
        const { id } = yield* createEndpoint()
        yield* create()
        yield* TestClock.adjust("1 second")
        yield* create()
        assert.lengthOf(stopped.received, 1)
        yield* stop(`/webhooks/endpoints/${String(id)}`)
        yield* TestClock.adjust(0)
        yield* TestClock.adjust("3 hours")
        assert.lengthOf(stopped.received, 1)
      })
    )
  }

  const moved = makeReceiver((_, n) => (n === 1 ? 500 : 200))
  test(
    "use the current URL of the endpoint for retries",
    { webhooks: { client: moved.client } },
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      const path = `/webhooks/endpoints/${String(id)}`
      yield* call("POST", `${path}/test`)
      yield* TestClock.adjust("1 minute")
      yield* call("PATCH", path, { url: "https://other.test/new", headers: { "x-new": "1" } })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        moved.received.map((received) => [received.path, received.headers["x-new"]]),
        [
          ["/hook", undefined],
          ["/new", "1"]
        ]
      )
    })
  )

  const slowAndFast = makeReceiver(({ path }) =>
    path === "/hook/slow" ? Effect.as(Effect.sleep("20 seconds"), 200) : 200
  )
  test(
    "run in parallel for different recipients",
    { webhooks: { client: slowAndFast.client } },
    Effect.gen(function* () {
      yield* createEndpoint({ url: `${hook}/slow` })
      yield* createEndpoint({ url: `${hook}/fast` })
      yield* create()
      yield* TestClock.adjust("8420 millis")
      assert.deepStrictEqual(
        slowAndFast.received.map(({ at, path }) => [path, at]),
        [
          ["/hook/slow", 1000],
          ["/hook/fast", 1000],
          ["/hook/slow", 8420],
          ["/hook/fast", 8420]
        ]
      )
      yield* TestClock.adjust("20 seconds")
    })
  )

  const redirecting = makeReceiver(({ path }) =>
    path === "/hook" ? new Response(null, { status: 302, headers: { location: "/x" } }) : 200
  )
  test(
    "fail on a redirect",
    { webhooks: { client: redirecting.client } },
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      yield* call("POST", `/webhooks/endpoints/${String(id)}/test`)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        redirecting.received.map(({ path }) => path),
        ["/hook"]
      )
      assert.deepInclude((yield* (yield* Simulator.Simulator).deliveries)[0], { outcome: 302 })
      assert.deepInclude((yield* listEndpoints)[0], { failure_count: 1 })
    })
  )

  const faulty = makeReceiver()
  const deliveryFaults: ReadonlyArray<Simulator.DeliveryFault> = [
    "dropBefore",
    "dropAfter",
    { delay: "90 seconds" },
    "twice",
    "deliver",
    { delay: "25 hours" }
  ]
  const attempts: Array<Simulator.DeliveryAttempt> = []
  test(
    "apply the delivery fault of each attempt",
    {
      webhooks: {
        client: faulty.client,
        deliveryFault: (attempt) => deliveryFaults[attempts.push(attempt) - 1] ?? "deliver"
      }
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* createEndpoint()
      const send = call("POST", `/webhooks/endpoints/${String(id)}/test`)
      const { event_id: first } = (yield* send).json
      yield* TestClock.adjust("30 minutes")
      yield* send
      yield* TestClock.adjust("1 minute")
      yield* send
      yield* send
      yield* TestClock.adjust("2 days")
      const records = yield* simulator.deliveries
      assert.deepStrictEqual(
        records.map(({ at, attempt, eventId, outcome }) => [eventId === first, attempt, at - start, outcome]),
        [
          [true, 1, 0, "dropped"],
          [true, 2, minutesToMillis(2), "no response"],
          [true, 3, minutesToMillis(7.5), 204],
          [false, 1, minutesToMillis(30), 204],
          [false, 1, minutesToMillis(30), 204],
          [false, 1, minutesToMillis(31), 204]
        ]
      )
      assert.deepStrictEqual(
        faulty.received.map(({ at }) => at),
        [2, 7.5, 30, 30, 31].map(minutesToMillis)
      )
      assert.deepStrictEqual(attempts[1], {
        eventId: String(first),
        type: "webhook.test",
        endpointId: String(id),
        url: hook,
        attempt: 2
      })
      assert.lengthOf(attempts, 6)
    })
  )

  const many = makeReceiver()
  test(
    "are recorded up to the limit `recordRequests`",
    { recordRequests: 2, webhooks: { client: many.client } },
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      const send = call("POST", `/webhooks/endpoints/${String(id)}/test`)
      const events = yield* Effect.forEach([1, 2, 3], () => send)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        (yield* (yield* Simulator.Simulator).deliveries).map(({ eventId }) => eventId),
        events.slice(1).map(({ json }) => String(json["event_id"]))
      )
    })
  )
})

describe("Simulator background fibers", { concurrent: true }, () => {
  /** Fails if a fiber still sleeps after the program. The scope of the simulator stays open. */
  const testNoFiber = <E>(
    name: string,
    options: Simulator.Options,
    program: Effect.Effect<void, E, HttpClient.HttpClient | Simulator.Simulator>
  ) =>
    it.live(name, () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const withSimulator = Effect.flatMap(Layer.buildWithScope(Simulator.layer(options), scope), (context) =>
          Effect.provide(program, context)
        )
        assert.isUndefined(valueOf(yield* runInVirtualTime(withSimulator, start)))
      })
    )

  const changeBetweenEvents = (change: (path: string) => CallEffect<unknown>, wait: Duration.DurationInput) =>
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      yield* create()
      yield* Effect.sleep(wait)
      yield* create()
      yield* change(`/webhooks/endpoints/${String(id)}`)
    })

  testNoFiber("do not start without an endpoint", {}, Effect.asVoid(Effect.zipRight(create(), create())))

  testNoFiber(
    "do not start without an endpoint for the scheduled events",
    {},
    Effect.gen(function* () {
      yield* create()
      yield* createEndpoint({ url: hook, events: ["execution.failed"] })
      yield* createEndpoint({ url: hook, is_active: false })
      yield* create()
    })
  )

  const delivered = makeReceiver()
  testNoFiber(
    "end after all deliveries",
    { webhooks: { client: delivered.client } },
    Effect.gen(function* () {
      yield* createEndpoint()
      yield* create()
      yield* Effect.sleep("8421 millis")
      assert.lengthOf(delivered.received, 2)
    })
  )

  const fails = { webhooks: { client: makeReceiver(() => 500).client } }
  testNoFiber(
    "end after the last retry",
    fails,
    Effect.gen(function* () {
      yield* createEndpoint({ url: hook, events: ["execution.completed"] })
      yield* create()
      yield* Effect.sleep(8420 + minutesToMillis(60))
    })
  )

  testNoFiber(
    "end after the removal of an endpoint",
    fails,
    changeBetweenEvents((path) => call("DELETE", path), "1 second")
  )

  testNoFiber(
    "end after the deactivation of an endpoint",
    fails,
    changeBetweenEvents((path) => call("PATCH", path, { is_active: false }), "3 minutes")
  )

  testNoFiber(
    "end after an endpoint changes its subscription",
    fails,
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      yield* create()
      yield* call("PATCH", `/webhooks/endpoints/${String(id)}`, { events: ["execution.failed"] })
    })
  )

  testNoFiber(
    "end after ten failures of an endpoint",
    fails,
    Effect.gen(function* () {
      const { id } = yield* createEndpoint()
      yield* Effect.forEach(Array.from({ length: 10 }), () => call("POST", `/webhooks/endpoints/${String(id)}/test`))
      yield* Effect.sleep("1 second")
    })
  )

  testNoFiber(
    "end after the cancellation of an execution",
    { webhooks: { client: makeReceiver().client } },
    Effect.gen(function* () {
      const id = yield* create({ ...fluxRequest, webhook_url: hook })
      yield* call("POST", `/executions/${id}/cancel`)
      yield* Effect.sleep(0)
    })
  )

  const slow = makeReceiver(() => Effect.as(Effect.sleep("1 minute"), 200))
  it.live("end when the simulator's scope closes", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* createEndpoint()
        yield* create()
        yield* Effect.sleep("2 seconds")
      })
      valueOf(
        yield* runInVirtualTime(Effect.provide(program, Simulator.layer({ webhooks: { client: slow.client } })), start)
      )
      assert.lengthOf(slow.received, 1)
    })
  )
})

describe("Simulator option `seed`", { concurrent: true }, () => {
  it.effect("determines the generated ids and secrets", () => {
    const secretsOf = (seed: number) =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        const { id, secret } = yield* createEndpoint()
        return [id, secret, Redacted.value(simulator.webhookSecret)]
      }).pipe(Effect.provide(Simulator.layer({ seed })))
    return Effect.gen(function* () {
      const first = yield* secretsOf(7)
      assert.deepStrictEqual(yield* secretsOf(7), first)
      assert.notDeepEqual(yield* secretsOf(8), first)
    })
  })
})
