/** Tests that all timers are independent of changes to the wall clock. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Schedule, Stream } from "effect"
import { Batch, Execution, File, ModelRouteClient, RetryPolicy, Webhook } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { batchOptions } from "../utils/batches.js"
import { valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { httpDate, image, layer, silent, start } from "../utils/harness.js"
import { monotonicMillis, withWallClockSet } from "../utils/settableClock.js"
import { clientWithStorage } from "../utils/uploads.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

const id = Execution.ExecutionId.make("exec_1")
const fileId = File.FileId.make("file_1")
const noRetry = Schedule.recurs(0)
const json = (body: unknown, headers: Record<string, string> = {}): FakeResponse => ({
  status: 200,
  json: body,
  headers
})
const running = json({ id: "exec_1", status: "PROCESSING" })
const silence: FakeResponse = { status: 200, body: Stream.never }

/** Returns the milliseconds since `start`. */
const now = Effect.map(monotonicMillis, (at) => at - start)

/** Returns the end time of an effect after a success or a failure. */
const endOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<number>, never, R> =>
  Effect.map(Effect.zipRight(Effect.exit(effect), now), (at) => [at])

/** Returns the time of each request of a client during `use`. */
const requestsOf = <E>(
  reply: (url: string, n: number, at: number) => FakeResponse,
  options: Partial<ModelRouteClient.Options>,
  use: (client: ModelRouteClient.Service) => Effect.Effect<unknown, E>
): Effect.Effect<ReadonlyArray<number>> =>
  Effect.suspend(() => {
    const fake = makeFakeClient((url, n) => reply(url, n, (fake.at.at(-1) ?? 0) - start), options)
    return Effect.map(Effect.exit(Effect.flatMap(fake.client, use)), () => fake.at.map((at) => at - start))
  })

const clientOf = (reply: (url: string, n: number) => FakeResponse, options: Partial<ModelRouteClient.Options>) =>
  Effect.suspend(() => Effect.orDie(makeFakeClient(reply, options).client))

const unavailable: FakeResponse = { status: 503 }

/** Returns the headers of a used-up rate limit. `date` contains the server time, not the wall clock. */
const limitedUntil = (at: number, until: number): Record<string, string> => ({
  date: httpDate(start + at),
  "x-ratelimit-limit": "1",
  "x-ratelimit-remaining": "0",
  "x-ratelimit-reset": String((start + until) / 1000)
})

interface Timer {
  readonly name: string
  /** Milliseconds from the start to the change of the wall clock. */
  readonly after: number
  readonly effect: Effect.Effect<ReadonlyArray<number>>
  readonly expected: ReadonlyArray<number>
}

const timers: ReadonlyArray<Timer> = [
  {
    name: "attempt timeout",
    after: 500,
    effect: Effect.flatMap(
      clientOf(() => silence, { attemptTimeout: "1 second", retry: noRetry }),
      ({ executions }) => endOf(executions.get(id))
    ),
    expected: [1000]
  },
  {
    name: "attempt timeout during another timer",
    after: 1000,
    effect: Effect.gen(function* () {
      const options = { attemptTimeout: "500 millis", retry: noRetry } as const
      const { executions } = yield* clientOf((url) => (url.endsWith("exec_1") ? running : silence), options)
      yield* Effect.fork(executions.await(id, { pollSchedule: Schedule.spaced("10 seconds") }))
      yield* Effect.sleep(1200)
      return yield* endOf(executions.get(Execution.ExecutionId.make("exec_2")))
    }),
    expected: [1700]
  },
  {
    name: "backoff between attempts",
    after: 1000,
    effect: requestsOf(
      () => unavailable,
      { retry: RetryPolicy.backoff({ base: "4 seconds", jitter: "none", times: 2 }) },
      ({ executions }) => executions.get(id)
    ),
    expected: [0, 4000, 12_000]
  },
  {
    name: "retry schedule with a maximum duration",
    after: 15_000,
    effect: requestsOf(
      () => unavailable,
      { retry: Schedule.upTo(Schedule.spaced("10 seconds"), "35 seconds") },
      ({ executions }) => executions.get(id)
    ),
    expected: [0, 10_000, 20_000, 30_000, 40_000]
  },
  {
    name: "delay of Retry-After",
    after: 1000,
    effect: requestsOf(
      (_, n) => (n === 1 ? { status: 503, headers: { "retry-after": "20" } } : running),
      {},
      ({ executions }) => executions.get(id)
    ),
    expected: [0, 20_000]
  },
  {
    name: "wait for the reset after a 429",
    after: 1000,
    effect: requestsOf(
      (_, n, at) => (n === 1 ? { status: 429, headers: limitedUntil(at, 60_000) } : running),
      { retry: RetryPolicy.rateLimit() },
      ({ executions }) => executions.get(id)
    ),
    expected: [0, 60_001]
  },
  {
    name: "wait in the gate for the next window",
    after: 1000,
    effect: requestsOf(
      (_, n, at) => json({ id: "exec_1", status: "PROCESSING" }, limitedUntil(at, n === 1 ? 60_000 : 120_000)),
      {},
      ({ executions }) => Effect.all([executions.get(id), executions.get(id)])
    ),
    expected: [0, 60_001]
  },
  {
    name: "default window of the gate without a reset header",
    after: 57_500,
    effect: requestsOf(
      (_, n) => json({ id: "exec_1", status: "PROCESSING" }, n === 1 ? { "x-ratelimit-remaining": "0" } : {}),
      {},
      ({ executions }) =>
        Effect.zipRight(
          Effect.zipRight(executions.get(id), Effect.sleep("55 seconds")),
          Effect.all(
            Array.from({ length: 8 }, () => executions.get(id)),
            { concurrency: "unbounded" }
          )
        )
    ),
    expected: [0, 55_000, 56_000, 57_000, 58_000, 59_000, 60_000, 60_000, 60_000]
  },
  {
    name: "wait of queued requests while responses to other requests are missing",
    after: 11_000,
    effect: Effect.gen(function* () {
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      const { inject, requests } = yield* Simulator
      const five = Array.from({ length: 5 }, () => executions.create(image))
      yield* Effect.all(five)
      yield* inject(Fault.times(5, Fault.hang("before")))
      const more = yield* Effect.fork(Effect.all(five, { concurrency: "unbounded" }))
      yield* Effect.sleep("20 seconds")
      yield* Fiber.interrupt(more)
      return (yield* requests).slice(5).map(({ at }) => at - start)
    }).pipe(Effect.provide(layer({ simulator: { rateLimit: { limit: 5, window: "10 seconds" } } })), Effect.orDie),
    expected: [10_001, 12_001, 14_001, 14_001, 16_001]
  },
  {
    name: "wait of a batch for its retry budget",
    after: 9000,
    effect: Effect.gen(function* () {
      const fake = makeFakeClient(
        (_, n) => (n <= 4 ? unavailable : json({ id: "exec_1", status: "COMPLETED", output: {} })),
        {
          retry: Schedule.spaced("1 second")
        }
      )
      const batch = Batch.run([1], { ...batchOptions, retryBudget: { maxTokens: 1, minPerMinute: 6, tokenRatio: 0 } })
      yield* Effect.provideServiceEffect(
        Stream.runDrain(batch),
        ModelRouteClient.ModelRouteClient,
        Effect.orDie(fake.client)
      )
      return fake.at.map((at) => at - start)
    }).pipe(Effect.provide(Batch.layerJournalMemory), Effect.orDie),
    expected: [0, 1000, 11_000, 21_000, 31_000]
  },
  {
    name: "ttl of Webhook.Dedup",
    after: 5000,
    effect: Effect.gen(function* () {
      const { handleOnce } = yield* Webhook.Dedup
      const handled: Array<number> = []
      const handle = handleOnce(
        Webhook.EventId.make("evt_1"),
        Effect.map(now, (at) => void handled.push(at))
      )
      yield* Effect.repeatN(Effect.zipRight(handle, Effect.sleep("30 minutes")), 59)
      return handled
    }).pipe(Effect.provide(Webhook.layerDedupMemory), Effect.orDie),
    expected: [0, 86_400_000]
  },
  {
    name: "delay between polls",
    after: 3000,
    effect: requestsOf(
      (_, n) => (n < 4 ? running : json({ id: "exec_1", status: "COMPLETED", output: {} })),
      {},
      ({ executions }) => executions.await(id)
    ),
    expected: [2000, 5000, 9500, 16_250]
  },
  {
    name: "maximum wait without expires_at",
    after: 60_000,
    effect: Effect.flatMap(
      clientOf(() => running, {}),
      ({ executions }) => endOf(executions.await(id))
    ),
    expected: [600_000]
  },
  {
    name: "maximum wait with expires_at",
    after: 60_000,
    effect: Effect.suspend(() => {
      const expires_at = new Date(start + 300_000).toISOString()
      const fake = makeFakeClient(() =>
        json({ id: "exec_1", status: "PROCESSING", expires_at }, { date: httpDate(fake.at.at(-1) ?? 0) })
      )
      const options = { pollSchedule: Schedule.spaced("10 seconds") }
      return Effect.flatMap(Effect.orDie(fake.client), ({ executions }) => endOf(executions.await(id, options)))
    }),
    expected: [330_000]
  },
  {
    name: "timeout of a wait",
    after: 10_000,
    effect: Effect.flatMap(
      clientOf(() => running, {}),
      ({ executions }) => endOf(executions.await(id, { timeout: "30 seconds" }))
    ),
    expected: [30_000]
  },
  {
    name: "timeout of a delayed poll",
    after: 10_000,
    effect: Effect.flatMap(
      clientOf(() => silence, { attemptTimeout: "1 hour" }),
      ({ executions }) => endOf(executions.await(id, { timeout: "5 seconds" }))
    ),
    expected: [35_000]
  },
  {
    name: "period of accepted 404 responses for a new execution",
    after: 25_000,
    effect: requestsOf(
      (url) => (url.endsWith("/executions") ? running : { status: 404 }),
      { pollSchedule: Schedule.spaced("10 seconds") },
      ({ executions }) => executions.run(image)
    ),
    expected: [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]
  },
  {
    name: "wait of an interruption for the cancel request",
    after: 5000,
    effect: Effect.gen(function* () {
      const options = { attemptTimeout: "20 seconds", retry: noRetry } as const
      const { executions } = yield* clientOf((url) => (url.endsWith("/cancel") ? silence : running), options)
      const fiber = yield* Effect.fork(executions.run(image, { cancelOnInterrupt: true }))
      yield* Effect.sleep(3000)
      const interrupted = yield* endOf(Fiber.interrupt(fiber))
      yield* Effect.sleep("1 minute")
      return interrupted
    }),
    expected: [13_000]
  },
  {
    name: "maximum duration of a create request after an interruption",
    after: 60_000,
    effect: Effect.gen(function* () {
      const { at, client } = makeFakeClient(() => silence, { attemptTimeout: "100 seconds", retry: Schedule.forever })
      const { executions } = yield* Effect.orDie(client)
      const fiber = yield* Effect.fork(executions.run(image, { cancelOnInterrupt: true }))
      yield* Effect.sleep(1000)
      yield* Fiber.interrupt(fiber)
      yield* Effect.sleep("1 hour")
      return at.map((instant) => instant - start)
    }),
    expected: [0, 100_000, 200_000, 300_000]
  },
  {
    name: "timeout of an upload without a response",
    after: 5000,
    effect: Effect.suspend(() => {
      const { client, puts } = clientWithStorage(() => Effect.never, { retry: noRetry })
      const upload = Effect.flatMap(client, ({ files }) => files.upload(File.fromBytes(new Uint8Array(10))))
      return Effect.map(endOf(upload), (end) => [...puts, ...end])
    }),
    expected: [0, 10_000]
  },
  {
    name: "timeout of a download chunk",
    after: 25_000,
    effect: Effect.suspend(() => {
      const chunks = Stream.mapEffect(Stream.make(1, 2, 3), (n) =>
        Effect.delay(Effect.succeed(new Uint8Array(n)), n < 3 ? "20 seconds" : "1 hour")
      )
      const reply = { status: 200, headers: { "content-type": "image/png" }, body: chunks }
      const seen: Array<number> = []
      return Effect.flatMap(
        clientOf(() => reply, { retry: noRetry }),
        ({ files }) => {
          const download = Stream.runForEach(files.download(fileId), () => Effect.map(now, (at) => void seen.push(at)))
          return Effect.map(endOf(download), (end) => [...seen, ...end])
        }
      )
    }),
    expected: [20_000, 40_000, 70_000]
  },
  {
    name: "duration of a simulated execution",
    after: 3000,
    effect: Effect.gen(function* () {
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      const completed = yield* executions.run(image)
      return [yield* now, completed.latency === undefined ? 0 : Duration.toMillis(completed.latency)]
    }).pipe(Effect.provide(layer()), Effect.orDie),
    expected: [9500, 8420]
  }
]

for (const { after, effect, expected, name } of timers) {
  describe(name, () => {
    for (const [title, millis] of [
      ["ends after the expected time if the wall clock is unchanged", 0],
      ["ends after the same time if the wall clock is set back by 10 minutes", -600_000],
      ["ends after the same time if the wall clock is set forward by an hour", 3_600_000]
    ] as const) {
      it(title, () =>
        Effect.runPromise(
          Effect.map(runInVirtualTime(silent(withWallClockSet(effect, { after, millis })), start), (exit) =>
            assert.deepStrictEqual(valueOf(exit), expected)
          )
        )
      )
    }
  })
}
