/** Tests for `Webhook.notifyClient` with a client, a simulated API, and a webhook receiver. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule, Stream } from "effect"
import { Execution, ModelRouteClient, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { arrivalTimes, image, layer, runToEnd, start, withClient } from "../utils/harness.js"

const { Fault } = Simulator

const secret = "whsec_0123456789abcdefghij0123456789abcdefghij"
const request = { ...image, webhookUrl: "https://backend.test/webhooks/modelroute" }

/** Completion time of flux-1.1-pro in milliseconds. The execution is PROCESSING after 1 s. */
const completedAt = 8420

/** Number of deliveries that are being verified. The test clock must wait, because verification takes real time. */
let verifying = 0
const allVerified: Effect.Effect<void> = Effect.async<void>((resume) => {
  const check = (): void => {
    if (verifying === 0) resume(Effect.void)
    else setImmediate(check)
  }
  check()
})

const runUntilDone = <A, E, R>(effect: Effect.Effect<A, E, R>) => runToEnd(effect, allVerified)

/** Creates a backend with a webhook receiver that notifies the client. */
const backend = (
  options: Simulator.Options = {},
  pollSchedule: Schedule.Schedule<unknown, Execution.Execution> = Webhook.pollSchedule
) => {
  const received: Array<string> = []
  const receive = Webhook.handler({
    secrets: Redacted.make(secret),
    onEvent: (event) =>
      Effect.zipRight(
        Effect.sync(() => received.push(event.type)),
        Webhook.notifyClient(event)
      )
  })
  const app = Effect.acquireUseRelease(
    Effect.sync(() => (verifying += 1)),
    () => receive,
    () => Effect.sync(() => (verifying -= 1))
  )
  const simulator = { ...options, webhooks: { secret, ...options.webhooks } }
  const test = <A, E>(use: (client: ModelRouteClient.Service) => Effect.Effect<A, E, Simulator.Simulator>) =>
    withClient((client) =>
      Effect.gen(function* () {
        const { deliverTo } = yield* Simulator.Simulator
        yield* deliverTo(app)
        return yield* use(client)
      })
    ).pipe(Effect.provide(layer({ client: { pollSchedule }, simulator })))
  return { test, received }
}

const now = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis() - start)

const polls = Effect.map(Effect.all([arrivalTimes("executions.get"), arrivalTimes("executions.result")]), (all) =>
  all.flat()
)

const completed = "execution.completed"

describe("Webhook.notifyClient", () => {
  for (const payload of ["full", "short"] as const) {
    it.effect(`ends a wait immediately after an event with a ${payload} payload`, () => {
      const { test, received } = backend({ webhooks: { payload } })
      return test(({ executions }) =>
        Effect.gen(function* () {
          const result = valueOf(yield* runUntilDone(executions.run(request)))
          assert.strictEqual(yield* now, completedAt)
          assert.deepStrictEqual(yield* polls, [])
          assert.lengthOf(result.fileIds, 1)
          assert.strictEqual(result.cost, "0.040")
          assert.deepStrictEqual(received, ["execution.started", completed])
        })
      )
    })
  }

  it.effect("ignores an event without an execution", () =>
    backend().test((client) =>
      Effect.gen(function* () {
        const event = new Webhook.Event({ id: Webhook.EventId.make("evt_1"), type: "webhook.test" })
        yield* Webhook.notifyClient(event).pipe(Effect.provideService(ModelRouteClient.ModelRouteClient, client))
        assert.strictEqual(yield* now, 0)
      })
    )
  )

  it.effect("ends a wait when the event arrives between two polls", () =>
    backend({}, Execution.pollSchedule).test(({ executions }) =>
      Effect.gen(function* () {
        valueOf(yield* runUntilDone(executions.run(request)))
        assert.strictEqual(yield* now, completedAt)
        assert.deepStrictEqual(yield* polls, [2000, 5000])
      })
    )
  )

  for (const [name, pollSchedule, at] of [
    ["30 s", Webhook.pollSchedule, [30_000]],
    ["2, 5 and 9.5 s", Execution.pollSchedule, [2000, 5000, 9500]]
  ] as const) {
    it.effect(`does not delay the polls at ${name} if no delivery arrives`, () => {
      const { test, received } = backend({ webhooks: { deliveryFault: () => "dropBefore" } }, pollSchedule)
      return test(({ executions }) =>
        Effect.gen(function* () {
          const result = valueOf(yield* runUntilDone(executions.run(request)))
          assert.lengthOf(result.fileIds, 1)
          assert.strictEqual(yield* now, at.at(-1))
          assert.deepStrictEqual(yield* polls, [...at])
          assert.deepStrictEqual(received, [])
        })
      )
    })
  }

  it.effect("ends a wait immediately if the event arrived before the create response", () =>
    backend({ faults: [Fault.on("executions.create", Fault.delay("10 seconds"))] }).test(({ executions }) =>
      Effect.gen(function* () {
        valueOf(yield* runUntilDone(executions.run(request)))
        assert.strictEqual(yield* now, 10_000)
        assert.deepStrictEqual(yield* polls, [])
      })
    )
  )

  it.effect("ignores repeated events and events that arrive out of order", () => {
    const { test, received } = backend({
      webhooks: { deliveryFault: ({ type }) => (type === completed ? "twice" : { delay: "20 seconds" }) }
    })
    return test(({ executions }) =>
      Effect.gen(function* () {
        const statuses = Stream.map(executions.watch((yield* executions.create(request)).id), ({ status }) => status)
        assert.deepStrictEqual([...valueOf(yield* runUntilDone(Stream.runCollect(statuses)))], ["COMPLETED"])
        assert.strictEqual(yield* now, completedAt)
        valueOf(yield* runUntilDone(Effect.sleep("1 minute")))
        // The receiver handles the repeated event only once.
        assert.deepStrictEqual(received, [completed, "execution.started"])
        assert.deepStrictEqual(yield* polls, [])
      })
    )
  })

  it.effect("ends a wait when the second attempt of a lost delivery arrives", () => {
    const deliveryFault = ({ attempt }: Simulator.DeliveryAttempt) => (attempt === 1 ? "dropBefore" : "deliver")
    return backend({ webhooks: { deliveryFault } }, Schedule.spaced("1 hour")).test(({ executions }) =>
      Effect.gen(function* () {
        valueOf(yield* runUntilDone(executions.run(request, { timeout: "1 day" })))
        assert.strictEqual(yield* now, completedAt + 120_000)
        assert.deepStrictEqual(yield* polls, [])
      })
    )
  })

  it.effect("makes executions.watch emit PROCESSING when the event execution.started arrives", () =>
    backend().test(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(request)
        const seen: Array<readonly [string, number]> = []
        const watch = Stream.runForEach(executions.watch(id), ({ status }) =>
          Effect.map(now, (at) => void seen.push([status, at]))
        )
        valueOf(yield* runUntilDone(watch))
        assert.deepStrictEqual(seen, [
          ["PROCESSING", 1000],
          ["COMPLETED", completedAt]
        ])
        assert.deepStrictEqual(yield* polls, [])
      })
    )
  )

  it.effect("makes a wait fail with the error in the event", () =>
    backend({ faults: [Fault.executionOutcome({ status: "FAILED", code: "MODEL_OVERLOADED" })] }).test(
      ({ executions }) =>
        Effect.gen(function* () {
          assert.strictEqual(failureOf(yield* runUntilDone(executions.run(request)))._tag, "ModelOverloaded")
          assert.strictEqual(yield* now, completedAt)
          assert.deepStrictEqual(yield* polls, [])
        })
    )
  )

  it.effect("ends a wait when another caller cancels the execution", () =>
    backend().test(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(request)
        const cancel = Effect.delay(executions.cancel(id), "3 seconds")
        const [exit] = valueOf(
          yield* runUntilDone(Effect.all([Effect.exit(executions.await(id)), cancel], { concurrency: 2 }))
        )
        assert.strictEqual(failureOf(exit)._tag, "ExecutionCancelled")
        assert.strictEqual(yield* now, 3000)
        assert.deepStrictEqual(yield* polls, [])
      })
    )
  )

  it.effect("does not prevent a poll from ending the wait for an EXPIRED execution", () => {
    const { test, received } = backend({ faults: [Fault.executionOutcome({ status: "EXPIRED" })] })
    return test(({ executions }) =>
      Effect.gen(function* () {
        assert.strictEqual(failureOf(yield* runUntilDone(executions.run(request)))._tag, "ExecutionExpired")
        assert.deepStrictEqual(received, ["execution.started"])
        // The poll delays are 30, 45, 67.5 and 101.25 s. The last poll runs at the expiry. The expiry is in whole
        // seconds.
        assert.deepStrictEqual(yield* polls, [30_000, 75_000, 142_500, 243_750, 330_750])
      })
    )
  })
})
