/**
 * Tests the backend over HTTP. The backend and the simulator listen on local ports.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Logger, Option, Queue, Redacted, Schedule } from "effect"
import { Execution, ModelRouteError, RetryPolicy, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { Api } from "./Api.js"
import { toFinalError, toImageError } from "./Errors.js"
import {
  submitImage,
  eventually,
  waitForImage,
  get,
  json,
  modelRoute,
  post,
  prompt,
  quiet,
  startBackend
} from "./support/testing.js"
import * as Telemetry from "./Telemetry.js"

const { Fault } = Simulator

const operations = Effect.flatMap(Simulator.Simulator, ({ requests }) =>
  Effect.map(
    requests,
    Array.map(({ operation }) => operation)
  )
)

const ledger = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.ledger)

describe("Images API", () => {
  it.scopedLive("returns a PNG after the completion webhook", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      const client = yield* HttpApiClient.make(Api, { baseUrl: url })
      const status = yield* client.images.create({ headers: {}, payload: { prompt } })
      assert.deepInclude(status, { status: "RUNNING", links: { image: `/images/${status.id}` } })

      const early = yield* get(url, status.id)
      assert.deepStrictEqual([early.status, early.headers["retry-after"]], [202, "1"])
      assert.deepStrictEqual(yield* json(early), { ...status })

      const { bytes, headers } = yield* waitForImage(url, status.id)
      assert.strictEqual(headers["content-type"], "image/png")
      assert.deepStrictEqual([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

      // The webhook must end the wait without a poll.
      assert.deepStrictEqual(yield* operations, [
        "webhookEndpoints.create",
        "executions.create",
        "files.download",
        "storage.get"
      ])
      const { deliveries } = yield* Simulator.Simulator
      assert.deepStrictEqual(
        (yield* deliveries).map(({ outcome, type }) => [type, outcome]),
        [["execution.completed", 200]]
      )
      assert.deepStrictEqual(yield* client.health(), { status: "ok" })
    }).pipe(
      Effect.provide([
        // The execution must outlast the first request for its image, and no poll may precede the webhook.
        modelRoute(
          { models: { "flux-1.1-pro": { duration: "2 seconds", cost: "0.040", output: "image" } } },
          { pollSchedule: Schedule.spaced("1 minute") }
        ),
        quiet
      ])
    )
  )

  it.scopedLive("creates one execution for concurrent requests with the same idempotency key", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      const ids = yield* Effect.all(
        Array.makeBy(10, () => submitImage(url, "fox-1")),
        { concurrency: "unbounded" }
      )
      assert.strictEqual((yield* waitForImage(url, ids[0] ?? "")).status, 200)
      assert.deepStrictEqual(Array.dedupe([...ids, yield* submitImage(url, "fox-1")]), [ids[0]])
      assert.deepStrictEqual(
        (yield* ledger).executions.map(({ idempotencyKey }) => idempotencyKey),
        [ids[0]]
      )

      assert.lengthOf(
        (yield* operations).filter((operation) => operation === "executions.create"),
        1
      )

      assert.strictEqual((yield* post(url, "a blue heron", "fox-1")).status, 409)
      const others = [yield* submitImage(url), yield* submitImage(url), yield* submitImage(url, "fox-2")]
      assert.deepStrictEqual(
        (yield* ledger).executions.map(({ idempotencyKey }) => idempotencyKey),
        [ids[0], ...others]
      )
    }).pipe(Effect.provide([modelRoute(), quiet]))
  )

  it.scopedLive("creates one execution if the client disconnects and repeats the request", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      // The client disconnects before the response arrives.
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(post(url, prompt, "fox-1"), "100 millis")))
      const id = yield* submitImage(url, "fox-1")
      assert.strictEqual((yield* waitForImage(url, id)).status, 200)
      assert.deepStrictEqual(
        (yield* operations).filter((operation) => operation === "executions.create"),
        ["executions.create"]
      )
    }).pipe(
      Effect.provide([
        modelRoute({ faults: [Fault.on("executions.create", Fault.delay("500 millis", "before"))] }),
        quiet
      ])
    )
  )

  it.scopedLive("creates one execution if the client repeats the request after a 503", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      const refused = yield* post(url, prompt, "fox-1")
      assert.deepStrictEqual([refused.status, refused.headers["retry-after"]], [503, "5"])
      const id = yield* submitImage(url, "fox-1")
      assert.deepStrictEqual(
        (yield* ledger).executions.map(({ idempotencyKey }) => idempotencyKey),
        [id]
      )
    }).pipe(
      Effect.provide([
        modelRoute({ faults: [Fault.on("executions.create", Fault.dropAfter)] }, { retry: RetryPolicy.none }),
        quiet
      ])
    )
  )
})

/** Returns the sum of the samples of a metric that have all given labels. Returns `undefined` without a sample. */
const sumSamples = (page: string, name: string, labels: Readonly<Record<string, string>> = {}) => {
  const values = page.split("\n").flatMap((line) => {
    const [, sampleName, sampleLabels = "", value] = /^(\w+)(?:{(.*)})? (\S+)$/.exec(line) ?? []
    const hasLabels = Object.entries(labels).every(([label, text]) => sampleLabels.includes(`${label}="${text}"`))
    return sampleName === name && hasLabels ? [Number(value)] : []
  })
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value)
}

describe("Metrics page", () => {
  it.scopedLive("contains the request count, the cost and the latency of a completed image", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      const client = yield* HttpApiClient.make(Api, { baseUrl: url })
      // The registry of metrics is global, so the page contains the images of the other tests.
      const before = yield* client.metrics()
      yield* waitForImage(url, yield* submitImage(url))
      const response = yield* HttpClient.get(`${url}/metrics`)
      assert.strictEqual(response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      const after = yield* response.text

      const increase = (name: string, labels: Readonly<Record<string, string>>) =>
        (sumSamples(after, name, labels) ?? 0) - (sumSamples(before, name, labels) ?? 0)
      const model = "flux-1.1-pro"
      const created = { operation: "executions.create", outcome: "ok", model }
      assert.strictEqual(increase("modelroute_requests_total", created), 1)
      assert.closeTo(increase("modelroute_cost_dollars_total", { model }), 0.04, 1e-9)
      const buckets = ["0.5", "1", "+Inf"].map((le) =>
        increase("modelroute_execution_latency_seconds_bucket", { model, outcome: "ok", le })
      )
      assert.deepStrictEqual(buckets, [1, 1, 1])
      assert.strictEqual(sumSamples(after, "modelroute_gate_in_flight"), 0)
    }).pipe(Effect.provide([modelRoute(), quiet]))
  )
})

describe("Backend error handling", () => {
  const lines: Array<{ readonly level: string; readonly text: string }> = []
  const recordLogs = Logger.replace(
    Logger.defaultLogger,
    Logger.make<unknown, void>(({ logLevel, message }) => {
      lines.push({ level: logLevel._tag, text: String(message) })
    })
  )

  type Expected = readonly [status: number, tag: string, retryAfter: string | undefined]

  const expectedResponses = {
    INPUT_VALIDATION_ERROR: [422, "PromptRejected", undefined],
    CONTENT_MODERATION_REJECTED: [422, "PromptRejected", undefined],
    FILE_NOT_FOUND: [410, "Gone", undefined],
    FILE_FORMAT_UNSUPPORTED: [503, "OutOfService", undefined],
    INSUFFICIENT_BALANCE: [503, "OutOfCredit", undefined],
    MODEL_OVERLOADED: [503, "TooBusy", "30"],
    MODEL_UNAVAILABLE: [503, "TooBusy", "60"],
    GENERATION_TIMEOUT: [502, "GenerationFailed", undefined],
    GENERATION_FAILED: [502, "GenerationFailed", undefined],
    SERVICE_UNAVAILABLE: [503, "TooBusy", "120"],
    INTERNAL_ERROR: [502, "GenerationFailed", undefined],
    UNAUTHORIZED: [503, "OutOfService", undefined],
    SOMETHING_NEW: [502, "GenerationFailed", undefined],
    // RATE_LIMITED must be last, because the client pauses after a rate limit.
    RATE_LIMITED: [503, "TooBusy", "60"]
  } satisfies { readonly [C in ModelRouteError.Code]: Expected } & { readonly [code: string]: Expected }

  it.scopedLive("maps each API error code to an error without ModelRoute details", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      const { inject } = yield* Simulator.Simulator
      for (const [code, [status, tag, retryAfter]] of Object.entries<Expected>(expectedResponses)) {
        yield* inject(Fault.on("executions.create", Fault.apiError(code, { message: "secret words of ModelRoute" })))
        const response = yield* post(url, prompt)
        assert.deepStrictEqual([response.status, response.headers["retry-after"]], [status, retryAfter], code)
        const body = yield* json(response)
        assert.strictEqual(body["_tag"], tag, code)
        assert.notMatch(JSON.stringify(body), /ModelRoute|secret|req_|sk_/)
        const line = lines.findLast(({ text }) => text.includes(code))
        const isOurs = ["OutOfService", "OutOfCredit"].includes(tag) || code === "INTERNAL_ERROR"
        assert.strictEqual(line?.level, isOurs ? "Error" : "Warning", code)
      }
      assert.notMatch(JSON.stringify(lines), /sk_test|red fox/)
    }).pipe(Effect.provide([modelRoute({}, { retry: RetryPolicy.none }), recordLogs]))
  )

  it.scopedLive("rejects invalid requests before an execution is created", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      assert.deepInclude(yield* json(yield* post(url, "")), {
        details: [{ field: "prompt", message: "prompt is required" }]
      })
      assert.strictEqual((yield* post(url, "x".repeat(4001))).status, 400)
      assert.strictEqual((yield* get(url, "img_0")).status, 400)
      assert.strictEqual((yield* get(url, `img_${"0".repeat(32)}`)).status, 404)
      const client = yield* HttpClient.HttpClient
      const garbage = HttpClientRequest.post(`${url}/images`).pipe(
        HttpClientRequest.bodyText(`{"prom`, "application/json")
      )
      assert.strictEqual((yield* client.execute(garbage)).status, 400)
      assert.deepStrictEqual(yield* ledger, { executions: [], charged: "0.000" })
    }).pipe(Effect.provide([modelRoute(), quiet]))
  )

  it.scopedLive("returns an error for a FAILED or CANCELLED execution", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      for (const [key, ending, status, tag] of [
        [
          "fox-1",
          Fault.executionOutcome({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" }),
          422,
          "PromptRejected"
        ],
        ["fox-2", Fault.executionOutcome({ status: "FAILED", code: "MODEL_OVERLOADED" }), 502, "GenerationFailed"],
        ["fox-3", Fault.executionOutcome({ status: "CANCELLED" }), 502, "GenerationFailed"]
      ] as const) {
        yield* Effect.flatMap(Simulator.Simulator, ({ inject }) => inject(ending))
        const response = yield* waitForImage(url, yield* submitImage(url, key))
        assert.strictEqual(response.status, status)
        assert.strictEqual((yield* json(response))["_tag"], tag)
        assert.strictEqual((yield* post(url, prompt, key)).status, status)
      }
    }).pipe(Effect.provide([modelRoute(), quiet]))
  )

  it.scopedLive("maps a missing file to 410 and a storage failure to 503", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      const { inject } = yield* Simulator.Simulator
      const id = yield* submitImage(url)
      yield* waitForImage(url, id)
      yield* inject(Fault.on("files.download", Fault.apiError("FILE_NOT_FOUND")))
      assert.strictEqual((yield* get(url, id)).status, 410)
      yield* inject(Fault.on("storage.get", Fault.raw({ status: 503, body: "" })))
      const busy = yield* get(url, id)
      assert.deepStrictEqual([busy.status, busy.headers["retry-after"]], [503, "10"])
      assert.strictEqual((yield* get(url, id)).status, 200)
    }).pipe(Effect.provide([modelRoute({}, { retry: RetryPolicy.none }), quiet]))
  )

  it("maps errors without an API error code to errors of the Images API", () => {
    const about = { message: "", executionId: Execution.ExecutionId.make("exec_1") }
    const others: ReadonlyArray<ModelRouteError.AwaitFailure> = [
      new ModelRouteError.UnrecognizedError({ retryable: true }),
      new ModelRouteError.UnexpectedResponse({ message: "", status: 200 }),
      new ModelRouteError.UnexpectedResponse({ message: "", status: 502, retryable: true }),
      new ModelRouteError.TransportError({ message: "", reason: "connect" }),
      new ModelRouteError.InvalidRequest({ message: "", field: "model" }),
      new ModelRouteError.ExecutionCancelled(about),
      new ModelRouteError.ExecutionExpired(about),
      new ModelRouteError.AwaitTimeout(about)
    ]
    assert.deepStrictEqual(
      others.map((error) => toImageError(error)._tag),
      [
        "TooBusy",
        "OutOfService",
        "TooBusy",
        "TooBusy",
        "OutOfService",
        "GenerationFailed",
        "GenerationFailed",
        "TooBusy"
      ]
    )
    assert.deepStrictEqual(Array.dedupe(others.map((error) => toFinalError(error)._tag)), ["GenerationFailed"])
  })
})

describe("Webhooks.route", () => {
  it.scopedLive("rejects a missing or forged signature with 401", () =>
    Effect.gen(function* () {
      const url = yield* startBackend()
      const client = yield* HttpClient.HttpClient
      const id = yield* submitImage(url)
      const [execution] = (yield* ledger).executions
      const body = JSON.stringify({
        id: "evt_forged",
        event_type: "execution.completed",
        data: { id: execution?.executionId, status: "COMPLETED", result: { file_id: "file_forged" } }
      })
      const signed = yield* Webhook.sign({ body, secret: Redacted.make("whsec_of_somebody_else") })
      for (const headers of [{}, signed]) {
        const forged = HttpClientRequest.post(`${url}/webhooks/modelroute`).pipe(
          HttpClientRequest.bodyText(body, "application/json"),
          HttpClientRequest.setHeaders(headers)
        )
        assert.strictEqual((yield* client.execute(forged)).status, 401)
      }
      assert.strictEqual((yield* get(url, id)).status, 202)
    }).pipe(
      // The long duration keeps the execution running on slow machines until the test ends.
      Effect.provide([
        modelRoute({ models: { "flux-1.1-pro": { cost: "0.040", duration: "1 hour", output: "image" } } }),
        quiet
      ])
    )
  )
})

describe("Backend.layer", () => {
  it.scopedLive("restores finished and unfinished images after a restart", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = { IMAGES_FOLDER: yield* files.makeTempDirectoryScoped() }
      const simulator = yield* Simulator.Simulator
      const [finished, running] = yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* startBackend(folder)
          const finished = yield* submitImage(url)
          yield* waitForImage(url, finished)
          return [finished, yield* submitImage(url, "fox-2")] as const
        })
      )
      // The execution ends while the backend is stopped.
      yield* eventually(simulator.deliveries, (deliveries) =>
        deliveries.some(({ outcome }) => outcome === "no response")
      )

      const url = yield* startBackend(folder)
      assert.strictEqual((yield* get(url, finished)).status, 200)
      assert.strictEqual((yield* waitForImage(url, running)).status, 200)
      assert.strictEqual(yield* submitImage(url, "fox-2"), running)
      assert.lengthOf((yield* ledger).executions, 2)
      assert.deepStrictEqual(
        (yield* operations).filter((operation) => operation === "executions.get"),
        ["executions.get"]
      )
    }).pipe(Effect.provide([modelRoute(), NodeContext.layer, quiet]))
  )
})

describe("Telemetry.treeProcessor", () => {
  it.scopedLive("formats a trace as a tree that contains the retries and the wait for a webhook", () =>
    Effect.gen(function* () {
      const trees = yield* Queue.unbounded<string>()
      const telemetry = Telemetry.layerProcessors([Telemetry.treeProcessor((tree) => trees.unsafeOffer(tree))])
      yield* submitImage(yield* startBackend({}, telemetry))
      const trace = yield* Effect.repeat(Queue.take(trees), { until: (tree) => tree.includes("path=/images ") })
      assert.deepStrictEqual(trace.split("\n"), [
        "http.server POST path=/images status_code=202",
        "  Images.submit",
        "    modelroute.executions.create attempts=2",
        "      wait reason=TransportError detail=reset",
        "    Images.finish",
        "      modelroute.executions.await attempts=0"
      ])
    }).pipe(Effect.provide([modelRoute({ faults: [Fault.on("executions.create", Fault.dropAfter)] }), quiet]))
  )
})
