/**
 * Tests a client that overlapping requests share on Cloudflare Workers. The code of a request must run in the context of
 * this request. `AsyncLocalStorage` has the same rules under Node: a promise and a timer keep the context of their
 * creator.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { setTimeout } from "node:timers/promises"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Effect, Exit, Fiber, Layer, TestClock } from "effect"
import { Execution, Webhook } from "effect-modelroute"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { silent } from "../utils/harness.js"
import { layerRuntime } from "../utils/runtimes.js"
import { makeClientAt } from "../utils/transports.js"

const current = new AsyncLocalStorage<number>()

/** Waits for a new macrotask. Workers also start each request and receive each response in a separate task. */
const nextTask = (): Promise<void> => setTimeout(1)

/** Runs an effect in the context of the n-th request. Fails if the effect ends in the context of another request. */
const runRequest = <A, E>(n: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatten(
    Effect.promise(async () => {
      await nextTask()
      const checked = Effect.zipLeft(
        effect,
        Effect.sync(() => assert.strictEqual(current.getStore(), n))
      )
      return current.run(n, () => Effect.runPromiseExit(silent(checked)))
    })
  )

interface Sent {
  /** The request that the URL or the prompt contains. */
  readonly request: number
  /** The request that has called `fetch`. */
  readonly context: number | undefined
}

/** Returns a client and its requests. `headers` returns the headers of the n-th response. */
const makeClient = (headers: (n: number) => Record<string, string>, status: (request: number) => string) =>
  Effect.gen(function* () {
    const sent: Array<Sent> = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const { pathname } = new URL(String(input))
      const text = init?.method === "POST" ? await new Response(init.body ?? null).text() : pathname
      const request = Number(/(?:request-|exec_)(\d+)/.exec(text)?.[1])
      const n = sent.push({ request, context: current.getStore() })
      await nextTask()
      return Response.json({ id: `exec_${request}`, status: status(request), output: {} }, { headers: headers(n) })
    }
    const http = Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch))
    return { client: yield* Effect.provide(makeClientAt("https://api.example"), http), sent }
  })

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const prompt = (n: number) => ({ model: "flux-1.1-pro", input: { prompt: `request-${n}` } })

const assertIsolated = (sent: ReadonlyArray<Sent>) => {
  assert.deepStrictEqual(
    sent.map(({ context }) => context),
    sent.map(({ request }) => request)
  )
}

const onWorkers = Effect.provide(layerRuntime("Cloudflare Workers"))

describe("requests that share a client on Cloudflare Workers", () => {
  it.live("create executions in their own context while the gate waits for the first response", () =>
    Effect.gen(function* () {
      const { client, sent } = yield* makeClient(
        () => ({ "x-ratelimit-limit": "60", "x-ratelimit-remaining": "50" }),
        () => "PENDING"
      )
      const create = (n: number) => runRequest(n, client.executions.create(prompt(n)))
      yield* Effect.forEach(numbers(8), create, { concurrency: "unbounded" })
      assert.lengthOf(sent, 8)
      assertIsolated(sent)
    }).pipe(onWorkers)
  )

  it.live("create executions in their own context after the rate limit has reset", () =>
    Effect.gen(function* () {
      const startedAt = yield* Clock.currentTimeMillis
      const { client, sent } = yield* makeClient(
        (n) => ({
          "x-ratelimit-limit": "3",
          "x-ratelimit-remaining": String((n + 2) % 3),
          "x-ratelimit-reset": String(Math.floor(startedAt / 1000) + 2 + Math.floor((n - 1) / 3))
        }),
        () => "PENDING"
      )
      const create = (n: number) => runRequest(n, client.executions.create(prompt(n)))
      yield* Effect.forEach(numbers(6), create, { concurrency: "unbounded" })
      assert.lengthOf(sent, 6)
      assertIsolated(sent)
    }).pipe(onWorkers)
  )

  it.live("poll an execution of their own wait, and do not wait for a poll of another request", () =>
    Effect.gen(function* () {
      const { client, sent } = yield* makeClient(
        () => ({}),
        () => "COMPLETED"
      )
      const id = Execution.ExecutionId.make("exec_1")
      const wait = (n: number) => runRequest(n, client.executions.await(id, { pollImmediately: true }))
      yield* Effect.forEach([1, 2, 3], wait, { concurrency: "unbounded" })
      const contexts = sent.map(({ context }) => context)
      assert.deepStrictEqual([...new Set(contexts)].sort(), [1, 2, 3])
    }).pipe(onWorkers)
  )

  it.live("resume in their own context after a notification of another request", () =>
    Effect.gen(function* () {
      const { client, sent } = yield* makeClient(
        () => ({}),
        () => "PROCESSING"
      )
      const id = Execution.ExecutionId.make("exec_1")
      const fiber = yield* Effect.fork(runRequest(1, client.executions.await(id, { pollImmediately: true })))
      // The next poll is after 2 seconds.
      yield* Effect.repeat(Effect.promise(nextTask), { until: () => sent.length > 0 })
      yield* Effect.promise(nextTask).pipe(Effect.repeatN(2))
      const completed = { id, status: "COMPLETED", output: {}, createdAt: DateTime.unsafeMake(0) }
      yield* runRequest(2, client.executions.notify(new Execution.Execution(completed)))
      assert.strictEqual((yield* Fiber.join(fiber)).id, id)
      assert.lengthOf(sent, 1)
    }).pipe(onWorkers)
  )

  it.live("wait for a delivery of the same event in another request in their own context", () =>
    Effect.gen(function* () {
      const { handleOnce } = yield* Webhook.Dedup
      const id = Webhook.EventId.make("evt_1")
      const isHandled = yield* Effect.forEach(
        [1, 2, 3],
        (n) => runRequest(n, handleOnce(id, Effect.sleep("20 millis"))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([...isHandled].sort(), [false, false, true])
    }).pipe(Effect.provide(Webhook.layerDedupMemory), onWorkers)
  )

  it.scoped("each have a timer", () =>
    Effect.gen(function* () {
      yield* Layer.build(layerRuntime("Cloudflare Workers"))
      const timer = new SharedTimer()
      const fibers = yield* Effect.forEach([3000, 2000, 3000], (millis) => Effect.fork(timer.sleep(millis)))
      yield* TestClock.adjust(0)
      assert.lengthOf([...(yield* TestClock.sleeps())], 3)
      yield* TestClock.adjust("3 seconds")
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.isTrue(exits.every(Exit.isSuccess))
    })
  )
})
