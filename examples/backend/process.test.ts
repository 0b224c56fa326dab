/**
 * Tests the backend as a child process that receives SIGTERM or SIGKILL.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { spawnBackend } from "./support/child.js"
import { submitImage, eventually, waitForImage, modelRoute, post, prompt, quiet } from "./support/testing.js"
import { isFull } from "../../test/utils/suite.js"

const { Fault } = Simulator

/** Registers a webhook endpoint. `setBackendUrl` changes the URL of the endpoint. */
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
    setBackendUrl: (url: string) => webhookEndpoints.update(id, { url: `${url}/webhooks/modelroute` })
  }
})

/** Waits until the simulator has received a create request. */
const waitForCreate = Effect.flatMap(Simulator.Simulator, ({ requests }) =>
  eventually(requests, (all) => all.some(({ operation }) => operation === "executions.create"))
)

const slowResponse = modelRoute({ faults: [Fault.on("executions.create", Fault.delay("1 second", "after"))] })

describe.runIf(isFull)("Backend process on SIGTERM", () => {
  it.scopedLive("completes the requests in flight before it exits", () =>
    Effect.gen(function* () {
      const { setBackendUrl, variables } = yield* endpoint
      const { ended, signal, url } = yield* spawnBackend("main.ts", variables)
      yield* setBackendUrl(url)
      const client = yield* HttpClient.HttpClient
      const inFlight = yield* Effect.fork(post(url, prompt))
      yield* waitForCreate
      yield* signal("SIGTERM")

      const health = Effect.option(client.get(`${url}/health`))
      yield* eventually(health, ({ _tag }) => _tag === "None")
      assert.isNull(inFlight.unsafePoll())
      const { headers, status } = yield* Fiber.join(inFlight)
      assert.deepStrictEqual([status, headers["connection"]], [202, "close"])
      assert.strictEqual(yield* ended, 0)
    }).pipe(Effect.provide([slowResponse, quiet]))
  )
})

describe("Backend process on SIGINT", () => {
  it.scopedLive("exits with code 0 and prints only lines of at most 80 columns", () =>
    Effect.gen(function* () {
      const { ended, output, signal } = yield* spawnBackend("main.ts", {})
      yield* signal("SIGINT")
      assert.strictEqual(yield* ended, 0)
      const text = yield* output
      assert.match(text, /\nStopping after the open requests\. .*\nStopped\.\n$/)
      for (const line of text.split("\n")) assert.isAtMost(line.length, 80, line)
    })
  )
})

describe.runIf(isFull)("Backend process on SIGKILL", () => {
  it.scopedLive("creates only one execution if it is killed during the create request and restarted", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { ledger, requests } = yield* Simulator.Simulator
      const { setBackendUrl, variables } = yield* endpoint
      const folder = { IMAGES_FOLDER: yield* files.makeTempDirectoryScoped() }
      const first = yield* spawnBackend("main.ts", { ...variables, ...folder })
      const inFlight = yield* Effect.fork(Effect.exit(post(first.url, prompt, "fox-1")))
      yield* waitForCreate
      yield* first.signal("SIGKILL")
      assert.strictEqual((yield* Fiber.join(inFlight))._tag, "Failure")
      assert.strictEqual(yield* first.ended, "SIGKILL")

      const { url } = yield* spawnBackend("main.ts", { ...variables, ...folder })
      yield* setBackendUrl(url)
      const [{ idempotencyKey: id = "" } = {}] = (yield* ledger).executions
      assert.strictEqual((yield* waitForImage(url, id)).status, 200)
      assert.strictEqual(yield* submitImage(url, "fox-1"), id)
      assert.deepStrictEqual(
        (yield* ledger).executions.map(({ idempotencyKey, status }) => [idempotencyKey, status]),
        [[id, "COMPLETED"]]
      )
      assert.deepStrictEqual(
        (yield* requests).filter(({ operation }) => operation === "executions.create").map((r) => r.idempotencyKey),
        [id, id]
      )
    }).pipe(Effect.provide([slowResponse, NodeContext.layer, quiet]))
  )
})
