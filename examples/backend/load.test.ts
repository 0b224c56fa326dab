/**
 * 2,000 images, 50 at once, while one in five requests to ModelRoute goes wrong: none is lost, none is made twice, no answer is
 * a 500, and the memory of the backend does not grow.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, it } from "@effect/vitest"
import { Array, Clock, Console, Data, Effect, Function, Record, Redacted, Schedule } from "effect"
import { ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { spawned } from "./support/child.js"
import { type Answer, get, json, modelRoute, post, prompt, quiet } from "./support/testing.js"
import { isFull } from "../../test/utils/suite.js"

const { Fault } = Simulator

const rounds = 4
const perRound = 500
const atOnce = 50

/** Executions that end FAILED. */
const failures = 20

/** What passes when it is asked for again; with shorter delays, and without what makes a client wait for whole seconds. */
const passing = [
  ...Fault.transient.filter(({ _tag }) => !["Delay", "Hang", "RateLimited", "ResetUnit"].includes(_tag)),
  Fault.delay("200 millis", "before"),
  Fault.delay("200 millis", "after")
]

const isWork = ({ path }: { readonly path: string }) => /^\/v1\/(executions|files)/.test(path)

const simulator: Simulator.Options = {
  balance: "1000",
  models: { "flux-1.1-pro": { duration: "100 millis", cost: "0.040", output: "image", requires: ["prompt"] } },
  randomFaults: { seed: 1, probability: 0.2, faults: passing.map((fault) => Fault.on(isWork, fault)) },
  faults: Fault.times(failures, Fault.ends({ status: "FAILED" }))
}

class NotYet extends Data.TaggedError("NotYet") {}

/** A backend with an endpoint of its own at the simulator. */
const backend = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
  const { url: baseUrl } = yield* SimulatorServer.SimulatorServer
  const { id, secret } = yield* webhookEndpoints.create({
    url: "http://127.0.0.1:9/",
    events: ["execution.completed", "execution.failed"]
  })
  const child = yield* spawned("support/measured.ts", {
    MODELROUTE_API_KEY: "sk_test",
    MODELROUTE_BASE_URL: baseUrl,
    MODELROUTE_WEBHOOK_SECRET: Redacted.value(secret),
    IMAGES_FOLDER: yield* files.makeTempDirectoryScoped()
  })
  yield* webhookEndpoints.update(id, { url: `${child.url}/webhooks/modelroute` })
  return child
})

it.scopedLive.runIf(isFull)(
  "2,000 images come to an end, each paid for once, while one in five requests fails",
  () =>
    Effect.gen(function* () {
      const { heap, url } = yield* backend
      const { deliveries, ledger, requests } = yield* Simulator.Simulator

      const answers: Record<string, number> = {}
      const counted = <E, R>(request: Effect.Effect<Answer, E, R>) =>
        Effect.tap(request, ({ status }) => {
          answers[status] = (answers[status] ?? 0) + 1
          return Effect.void
        })

      /** How far an image is. Asked for again under its key, as its clients do here, it is not made again. */
      const asked = (n: number, notYet: ReadonlyArray<string>) =>
        counted(post(url, prompt, `image-${n}`)).pipe(
          Effect.flatMap(json),
          Effect.map(({ _tag, id, status }) => ({ id: String(id), state: String(status ?? _tag) })),
          Effect.filterOrFail(
            ({ state }) => !notYet.includes(state),
            () => new NotYet()
          ),
          Effect.retry({ schedule: Schedule.spaced("500 millis"), times: 50, while: ({ _tag }) => _tag === "NotYet" })
        )
      const all = (round: number, notYet: ReadonlyArray<string>) =>
        Effect.forEach(Array.range(round * perRound, (round + 1) * perRound - 1), (n) => asked(n, notYet), {
          concurrency: atOnce
        })

      /** The backend has taken the event of every execution. */
      const allTold = Effect.zipWith(deliveries, ledger, (sent, { executions }) => {
        const taken = sent.filter(({ outcome }) => outcome === 200).length
        return taken === executions.length
      }).pipe(
        Effect.filterOrFail(Function.identity, () => new NotYet()),
        Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 300 })
      )

      const startedAt = yield* Clock.currentTimeMillis
      const images: Array<Effect.Effect.Success<ReturnType<typeof asked>>> = []
      const heaps = [yield* heap]
      for (let round = 0; round < rounds; round++) {
        yield* all(round, ["TooBusy"])
        yield* allTold
        images.push(...(yield* all(round, ["TooBusy", "RUNNING"])))
        heaps.push(yield* heap)
      }
      const seconds = ((yield* Clock.currentTimeMillis) - startedAt) / 1000

      const files = yield* Effect.forEach(images.filter(({ state }) => state === "COMPLETED").slice(-10), ({ id }) =>
        counted(get(url, id)).pipe(
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
          answers,
          images: Record.map(
            Array.groupBy(images, ({ state }) => state),
            Array.length
          ),
          executions: executed.length,
          requestsToModelRoute: sent.length,
          ofThemFailed: sent.filter(({ fault }) => fault !== undefined).length,
          heapInMiB: heaps.map((bytes) => Math.round(bytes / 2 ** 16) / 16)
        })
      )

      assert.deepStrictEqual(Array.difference(Object.keys(answers), ["200", "202", "502", "503"]), [])
      assert.isAbove(answers[503] ?? 0, 0)
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
      // Webhooks told of the ends: a look is for the reason of a failure, and asked again when it fails itself.
      assert.isBelow(sent.filter(({ operation }) => operation === "executions.get").length, 2 * failures)

      const [, first = 0] = heaps
      assert.isBelow((heaps.at(-1) ?? 0) - first, 4 * 2 ** 20)
    }).pipe(Effect.provide([modelRoute(simulator), NodeContext.layer, quiet])),
  120_000
)
