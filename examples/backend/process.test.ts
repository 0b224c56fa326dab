/**
 * The backend as a process: told to end, it ends what it has begun; killed, it loses nothing.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { spawned } from "./support/child.js"
import { accepted, eventually, final, modelRoute, post, prompt, quiet } from "./support/testing.js"
import { isFull } from "../../test/utils/suite.js"

const { Fault } = Simulator

/** An endpoint, registered once; `moved` tells it where the backend is now. */
const endpoint = Effect.gen(function* () {
  const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
  const { url: baseUrl } = yield* SimulatorServer.SimulatorServer
  const { id, secret } = yield* webhookEndpoints.create({ url: "http://127.0.0.1:9/" })
  return {
    variables: {
      MODELROUTE_API_KEY: "sk_test",
      MODELROUTE_BASE_URL: baseUrl,
      MODELROUTE_WEBHOOK_SECRET: Redacted.value(secret)
    },
    moved: (url: string) => webhookEndpoints.update(id, { url: `${url}/webhooks/modelroute` })
  }
})

/** When ModelRoute has been asked for an execution. */
const asked = Effect.flatMap(Simulator.Simulator, ({ requests }) =>
  eventually(requests, (all) => all.some(({ operation }) => operation === "executions.create"))
)

const slowAnswer = modelRoute({ faults: [Fault.on("executions.create", Fault.delay("1 second", "after"))] })

describe.runIf(isFull)("SIGTERM", () => {
  it.scopedLive("lets the requests in flight end and takes no others", () =>
    Effect.gen(function* () {
      const { moved, variables } = yield* endpoint
      const { ended, signal, url } = yield* spawned("main.ts", variables)
      yield* moved(url)
      const client = yield* HttpClient.HttpClient
      const inFlight = yield* Effect.fork(post(url, prompt))
      yield* asked
      yield* signal("SIGTERM")

      const health = Effect.option(client.get(`${url}/health`))
      yield* eventually(health, ({ _tag }) => _tag === "None")
      assert.isNull(inFlight.unsafePoll())
      const { headers, status } = yield* Fiber.join(inFlight)
      assert.deepStrictEqual([status, headers["connection"]], [202, "close"])
      assert.strictEqual(yield* ended, 0)
    }).pipe(Effect.provide([slowAnswer, quiet]))
  )
})

describe.runIf(isFull)("SIGKILL", () => {
  it.scopedLive("between the request of an execution and its answer costs nothing twice, and loses nothing", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { ledger, requests } = yield* Simulator.Simulator
      const { moved, variables } = yield* endpoint
      const folder = { IMAGES_FOLDER: yield* files.makeTempDirectoryScoped() }
      const first = yield* spawned("main.ts", { ...variables, ...folder })
      const inFlight = yield* Effect.fork(Effect.exit(post(first.url, prompt, "fox-1")))
      yield* asked
      yield* first.signal("SIGKILL")
      assert.strictEqual((yield* Fiber.join(inFlight))._tag, "Failure")
      assert.strictEqual(yield* first.ended, "SIGKILL")

      const { url } = yield* spawned("main.ts", { ...variables, ...folder })
      yield* moved(url)
      const [{ idempotencyKey: id = "" } = {}] = (yield* ledger).executions
      assert.strictEqual((yield* final(url, id)).status, 200)
      assert.strictEqual(yield* accepted(url, "fox-1"), id)
      assert.deepStrictEqual(
        (yield* ledger).executions.map(({ idempotencyKey, status }) => [idempotencyKey, status]),
        [[id, "COMPLETED"]]
      )
      assert.deepStrictEqual(
        (yield* requests).filter(({ operation }) => operation === "executions.create").map((r) => r.idempotencyKey),
        [id, id]
      )
    }).pipe(Effect.provide([slowAnswer, NodeContext.layer, quiet]))
  )
})
