/**
 * The backend as its clients see it, over a simulator, both on ports of this machine.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Logger, Option, Queue, Redacted } from "effect"
import { Execution, ModelRouteError, RetryPolicy, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { Api } from "./Api.js"
import { endOf, troubleOf } from "./Errors.js"
import { accepted, eventually, final, get, json, modelRoute, post, prompt, quiet, started } from "./support/testing.js"
import * as Telemetry from "./Telemetry.js"

const { Fault } = Simulator

const operations = Effect.flatMap(Simulator.Simulator, ({ requests }) =>
  Effect.map(
    requests,
    Array.map(({ operation }) => operation)
  )
)

const ledger = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.ledger)

describe("an image", () => {
  it.scopedLive("is made, told of by a webhook, and given as a PNG", () =>
    Effect.gen(function* () {
      const url = yield* started()
      const client = yield* HttpApiClient.make(Api, { baseUrl: url })
      const status = yield* client.images.create({ headers: {}, payload: { prompt } })
      assert.deepInclude(status, { status: "RUNNING", links: { image: `/images/${status.id}` } })

      const early = yield* get(url, status.id)
      assert.deepStrictEqual([early.status, early.headers["retry-after"]], [202, "1"])
      assert.deepStrictEqual(yield* json(early), { ...status })

      const { bytes, headers } = yield* final(url, status.id)
      assert.strictEqual(headers["content-type"], "image/png")
      assert.deepStrictEqual([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

      // Nobody has looked at the execution.
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
    }).pipe(Effect.provide([modelRoute(), quiet]))
  )

  it.scopedLive("is the same for the same idempotency key, however often and at once it is asked for", () =>
    Effect.gen(function* () {
      const url = yield* started()
      const ids = yield* Effect.all(
        Array.makeBy(10, () => accepted(url, "fox-1")),
        { concurrency: "unbounded" }
      )
      assert.strictEqual((yield* final(url, ids[0] ?? "")).status, 200)
      assert.deepStrictEqual(Array.dedupe([...ids, yield* accepted(url, "fox-1")]), [ids[0]])
      assert.deepStrictEqual(
        (yield* ledger).executions.map(({ idempotencyKey }) => idempotencyKey),
        [ids[0]]
      )

      assert.lengthOf(
        (yield* operations).filter((operation) => operation === "executions.create"),
        1
      )

      assert.strictEqual((yield* post(url, "a blue heron", "fox-1")).status, 409)
      const others = [yield* accepted(url), yield* accepted(url), yield* accepted(url, "fox-2")]
      assert.deepStrictEqual(
        (yield* ledger).executions.map(({ idempotencyKey }) => idempotencyKey),
        [ids[0], ...others]
      )
    }).pipe(Effect.provide([modelRoute(), quiet]))
  )

  it.scopedLive("is paid for once when a client leaves and comes back", () =>
    Effect.gen(function* () {
      const url = yield* started()
      // The client gives up before the answer is here.
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(post(url, prompt, "fox-1"), "100 millis")))
      const id = yield* accepted(url, "fox-1")
      assert.strictEqual((yield* final(url, id)).status, 200)
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

  it.scopedLive("can be asked for again under the same key after a refusal", () =>
    Effect.gen(function* () {
      const url = yield* started()
      const refused = yield* post(url, prompt, "fox-1")
      assert.deepStrictEqual([refused.status, refused.headers["retry-after"]], [503, "5"])
      const id = yield* accepted(url, "fox-1")
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

describe("an error", () => {
  const lines: Array<{ readonly level: string; readonly text: string }> = []
  const recorded = Logger.replace(
    Logger.defaultLogger,
    Logger.make<unknown, void>(({ logLevel, message }) => {
      lines.push({ level: logLevel._tag, text: String(message) })
    })
  )

  type Expected = readonly [status: number, tag: string, retryAfter: string | undefined]

  const answers = {
    INPUT_VALIDATION_ERROR: [422, "PromptRefused", undefined],
    CONTENT_MODERATION_REJECTED: [422, "PromptRefused", undefined],
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
    // The last, since the client sends nothing for a while after it.
    RATE_LIMITED: [503, "TooBusy", "60"]
  } satisfies { readonly [C in ModelRouteError.Code]: Expected } & { readonly [code: string]: Expected }

  it.scopedLive("of each code has its answer, which tells nothing of ModelRoute", () =>
    Effect.gen(function* () {
      const url = yield* started()
      const { inject } = yield* Simulator.Simulator
      for (const [code, [status, tag, retryAfter]] of Object.entries<Expected>(answers)) {
        yield* inject(Fault.on("executions.create", Fault.envelope(code, { message: "secret words of ModelRoute" })))
        const answer = yield* post(url, prompt)
        assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [status, retryAfter], code)
        const body = yield* json(answer)
        assert.strictEqual(body["_tag"], tag, code)
        assert.notMatch(JSON.stringify(body), /ModelRoute|secret|req_|sk_/)
        const line = lines.findLast(({ text }) => text.includes(code))
        const isOurs = ["OutOfService", "OutOfCredit"].includes(tag) || code === "INTERNAL_ERROR"
        assert.strictEqual(line?.level, isOurs ? "Error" : "Warning", code)
      }
      assert.notMatch(JSON.stringify(lines), /sk_test|red fox/)
    }).pipe(Effect.provide([modelRoute({}, { retry: RetryPolicy.none }), recorded]))
  )

  it.scopedLive("tells what is wrong with the prompt, and what is wrong with the request", () =>
    Effect.gen(function* () {
      const url = yield* started()
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

  it.scopedLive("can also be the end of an image", () =>
    Effect.gen(function* () {
      const url = yield* started()
      for (const [key, ending, status, tag] of [
        ["fox-1", Fault.ends({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" }), 422, "PromptRefused"],
        ["fox-2", Fault.ends({ status: "FAILED", code: "MODEL_OVERLOADED" }), 502, "GenerationFailed"],
        ["fox-3", Fault.ends({ status: "CANCELLED" }), 502, "GenerationFailed"]
      ] as const) {
        yield* Effect.flatMap(Simulator.Simulator, ({ inject }) => inject(ending))
        const answer = yield* final(url, yield* accepted(url, key))
        assert.strictEqual(answer.status, status)
        assert.strictEqual((yield* json(answer))["_tag"], tag)
        assert.strictEqual((yield* post(url, prompt, key)).status, status)
      }
    }).pipe(Effect.provide([modelRoute(), quiet]))
  )

  it.scopedLive("of a file that cannot be had is not a file", () =>
    Effect.gen(function* () {
      const url = yield* started()
      const { inject } = yield* Simulator.Simulator
      const id = yield* accepted(url)
      yield* final(url, id)
      yield* inject(Fault.on("files.download", Fault.envelope("FILE_NOT_FOUND")))
      assert.strictEqual((yield* get(url, id)).status, 410)
      yield* inject(Fault.on("storage.get", Fault.raw({ status: 503, body: "" })))
      const busy = yield* get(url, id)
      assert.deepStrictEqual([busy.status, busy.headers["retry-after"]], [503, "10"])
      assert.strictEqual((yield* get(url, id)).status, 200)
    }).pipe(Effect.provide([modelRoute({}, { retry: RetryPolicy.none }), quiet]))
  )

  it("of those that the API has no code for comes to something, too", () => {
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
      others.map((error) => troubleOf(error)._tag),
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
    assert.deepStrictEqual(Array.dedupe(others.map((error) => endOf(error)._tag)), ["GenerationFailed"])
  })
})

describe("a webhook", () => {
  it.scopedLive("that is forged is refused, and changes nothing", () =>
    Effect.gen(function* () {
      const url = yield* started()
      const client = yield* HttpClient.HttpClient
      const id = yield* accepted(url)
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
      // The execution must still run after the forged webhook, however slow the machine is.
      Effect.provide([
        modelRoute({ models: { "flux-1.1-pro": { cost: "0.040", duration: "1 hour", output: "image" } } }),
        quiet
      ])
    )
  )
})

describe("a restart", () => {
  it.scopedLive("goes on with what was not finished, and remembers what was", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = { IMAGES_FOLDER: yield* files.makeTempDirectoryScoped() }
      const simulator = yield* Simulator.Simulator
      const [finished, running] = yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* started(folder)
          const finished = yield* accepted(url)
          yield* final(url, finished)
          return [finished, yield* accepted(url, "fox-2")] as const
        })
      )
      // It ends while there is nobody to be told.
      yield* eventually(simulator.deliveries, (deliveries) =>
        deliveries.some(({ outcome }) => outcome === "no response")
      )

      const url = yield* started(folder)
      assert.strictEqual((yield* get(url, finished)).status, 200)
      assert.strictEqual((yield* final(url, running)).status, 200)
      assert.strictEqual(yield* accepted(url, "fox-2"), running)
      assert.lengthOf((yield* ledger).executions, 2)
      assert.deepStrictEqual(
        (yield* operations).filter((operation) => operation === "executions.get"),
        ["executions.get"]
      )
    }).pipe(Effect.provide([modelRoute(), NodeContext.layer, quiet]))
  )
})

describe("a trace", () => {
  it.scopedLive("of a request shows the retry and the wait that a webhook ended", () =>
    Effect.gen(function* () {
      const trees = yield* Queue.unbounded<string>()
      const telemetry = Telemetry.layerProcessors([Telemetry.trees((tree) => trees.unsafeOffer(tree))])
      yield* accepted(yield* started({}, telemetry))
      const trace = yield* Effect.repeat(Queue.take(trees), { until: (tree) => tree.includes("path=/images ") })
      assert.deepStrictEqual(trace.split("\n"), [
        "http.server POST path=/images status_code=202",
        "  Images.submit",
        "    modelroute.executions.create attempts=2 outcome=ok",
        "      wait reason=TransportError detail=reset",
        "    Images.finish",
        "      modelroute.executions.await attempts=0 outcome=ok"
      ])
    }).pipe(Effect.provide([modelRoute({ faults: [Fault.on("executions.create", Fault.dropAfter)] }), quiet]))
  )
})
