/**
 * Creates 2,000 images with a concurrency of 50 while 20 % of the requests to ModelRoute fail. Asserts that no image is
 * lost or created twice. Also asserts that no response is a 500 and that memory use remains stable.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, it } from "@effect/vitest"
import { Array, Clock, Console, Data, Effect, Function, Record, Redacted, Schedule } from "effect"
import { ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { spawnBackend } from "./support/child.js"
import { type ResponseData, get, json, modelRoute, post, prompt, quiet } from "./support/testing.js"
import { isFull } from "../../test/utils/suite.js"

const { Fault } = Simulator

const rounds = 4
const perRound = 500
const atOnce = 50

/** Number of FAILED executions. */
const failures = 20

/** Transient faults with short delays. Excludes faults that delay a client for seconds. */
const transientFaults = [
  ...Fault.transient.filter((fault) =>
    fault._tag === "ApiError" ? fault.code !== "RATE_LIMITED" : !["Delay", "Hang", "ResetUnit"].includes(fault._tag)
  ),
  Fault.delay("200 millis", "before"),
  Fault.delay("200 millis", "after")
]

const isWork = ({ path }: { readonly path: string }) => /^\/v1\/(executions|files)/.test(path)

const simulator: Simulator.Options = {
  balance: "1000",
  models: { "flux-1.1-pro": { duration: "100 millis", cost: "0.040", output: "image", requires: ["prompt"] } },
  randomFaults: { seed: 1, probability: 0.2, faults: transientFaults.map((fault) => Fault.on(isWork, fault)) },
  faults: [Fault.times(failures, Fault.executionOutcome({ status: "FAILED" }))]
}

class NotYet extends Data.TaggedError("NotYet") {}

/** Starts a backend and registers its webhook endpoint at the simulator. */
const backend = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
  const { url: baseUrl } = yield* SimulatorServer.SimulatorServer
  const { id, secret } = yield* webhookEndpoints.create({
    url: "http://127.0.0.1:9/",
    events: ["execution.completed", "execution.failed"]
  })
  const child = yield* spawnBackend("support/measured.ts", {
    MODELROUTE_API_KEY: "sk_test",
    MODELROUTE_BASE_URL: baseUrl,
    MODELROUTE_WEBHOOK_SECRET: Redacted.value(secret),
    IMAGES_FOLDER: yield* files.makeTempDirectoryScoped()
  })
  yield* webhookEndpoints.update(id, { url: `${child.url}/webhooks/modelroute` })
  return child
})

it.scopedLive.runIf(isFull)(
  "Backend creates each of 2,000 images exactly once while 20 % of the requests fail",
  () =>
    Effect.gen(function* () {
      const { heap, url } = yield* backend
      const { deliveries, ledger, requests } = yield* Simulator.Simulator

      const responseCounts: Record<string, number> = {}
      const countStatus = <E, R>(request: Effect.Effect<ResponseData, E, R>) =>
        Effect.tap(request, ({ status }) => {
          responseCounts[status] = (responseCounts[status] ?? 0) + 1
          return Effect.void
        })

      /** Submits an image and returns its state. Retries with the same key while the state is in `notYet`. */
      const submitAndPoll = (n: number, notYet: ReadonlyArray<string>) =>
        countStatus(post(url, prompt, `image-${n}`)).pipe(
          Effect.flatMap(json),
          Effect.map(({ _tag, id, status }) => ({ id: String(id), state: String(status ?? _tag) })),
          Effect.filterOrFail(
            ({ state }) => !notYet.includes(state),
            () => new NotYet()
          ),
          Effect.retry({ schedule: Schedule.spaced("500 millis"), times: 50, while: ({ _tag }) => _tag === "NotYet" })
        )
      const all = (round: number, notYet: ReadonlyArray<string>) =>
        Effect.forEach(Array.range(round * perRound, (round + 1) * perRound - 1), (n) => submitAndPoll(n, notYet), {
          concurrency: atOnce
        })

      /** Waits until the backend has handled the event of every execution. */
      const waitForDeliveries = Effect.zipWith(deliveries, ledger, (sent, { executions }) => {
        const taken = sent.filter(({ outcome }) => outcome === 200).length
        return taken === executions.length
      }).pipe(
        Effect.filterOrFail(Function.identity, () => new NotYet()),
        Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 300 })
      )

      const startedAt = yield* Clock.currentTimeMillis
      const images: Array<Effect.Effect.Success<ReturnType<typeof submitAndPoll>>> = []
      const heaps = [yield* heap]
      for (let round = 0; round < rounds; round++) {
        yield* all(round, ["TooBusy"])
        yield* waitForDeliveries
        images.push(...(yield* all(round, ["TooBusy", "RUNNING"])))
        heaps.push(yield* heap)
      }
      const seconds = ((yield* Clock.currentTimeMillis) - startedAt) / 1000

      const files = yield* Effect.forEach(images.filter(({ state }) => state === "COMPLETED").slice(-10), ({ id }) =>
        countStatus(get(url, id)).pipe(
          Effect.filterOrFail(
            ({ status }) => status !== 503,
            () => new NotYet()
          ),
          Effect.retry({ times: 10, while: ({ _tag }) => _tag === "NotYet" })
        )
      )
      const executed = (yield* ledger).executions
      const sent = yield* requests

      yield* Console.log(
        JSON.stringify({
          seconds,
          responseCounts,
          images: Record.map(
            Array.groupBy(images, ({ state }) => state),
            Array.length
          ),
          executions: executed.length,
          requestsToModelRoute: sent.length,
          failedRequests: sent.filter(({ fault }) => fault !== undefined).length,
          heapInMiB: heaps.map((bytes) => Math.round(bytes / 2 ** 16) / 16)
        })
      )

      assert.deepStrictEqual(Array.difference(Object.keys(responseCounts), ["200", "202", "502", "503"]), [])
      assert.isAbove(responseCounts[503] ?? 0, 0)
      assert.lengthOf(images, rounds * perRound)
      assert.deepStrictEqual(
        Array.difference(
          images.map(({ state }) => state),
          ["COMPLETED", "GenerationFailed"]
        ),
        []
      )
      assert.deepStrictEqual(
        files.map(({ status }) => status),
        Array.replicate(200, 10)
      )

      const statuses = new Map(executed.map(({ idempotencyKey, status }) => [idempotencyKey, status]))
      assert.strictEqual(statuses.size, executed.length)
      assert.strictEqual(executed.length, images.length)
      for (const { id, state } of images) if (state === "COMPLETED") assert.strictEqual(statuses.get(id), "COMPLETED")
      // Webhooks end the waits. Only FAILED executions need a poll for their error, and a failed poll is retried.
      assert.isBelow(sent.filter(({ operation }) => operation === "executions.get").length, 2 * failures)

      const [, first = 0] = heaps
      assert.isBelow((heaps.at(-1) ?? 0) - first, 4 * 2 ** 20)
    }).pipe(Effect.provide([modelRoute(simulator), NodeContext.layer, quiet])),
  400_000
)
