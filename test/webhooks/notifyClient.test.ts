/** A wait that a webhook ends: the client, the API and the receiver of its webhooks together. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule, Stream, TestClock } from "effect"
import { Execution, type ModelRouteClient, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { arrivalTimes, image, layer, runToEnd, start, withClient } from "../utils/harness.js"

const { Fault } = Simulator

const secret = "whsec_0123456789abcdefghij0123456789abcdefghij"
const request = { ...image, webhookUrl: "https://backend.test/webhooks/modelroute" }

/** flux-1.1-pro is PROCESSING after 1 s and done after 8.42 s. */
const done = 8420

/** Deliveries that are being verified, which takes real time: until then the clock must not go on. */
let verifying = 0
const verified: Effect.Effect<void> = Effect.async<void>((resume) => {
  const look = (): void => {
    if (verifying === 0) resume(Effect.void)
    else setImmediate(look)
  }
  look()
}).pipe(Effect.zipRight(TestClock.adjust(0)))

const toEnd = <A, E, R>(effect: Effect.Effect<A, E, R>) => runToEnd(effect, "1 day", verified)

/** A backend whose client waits and whose receiver tells it. */
const backend = (
  options: Simulator.Options = {},
  pollSchedule: Schedule.Schedule<unknown, Execution.Execution> = Webhook.pollSchedule
) => {
  const told: Array<string> = []
  const receive = Webhook.handler({
    secrets: Redacted.make(secret),
    onEvent: (event) =>
      Effect.zipRight(
        Effect.sync(() => told.push(event.type)),
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
  return { test, told }
}

const now = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis() - start)

const asked = Effect.map(Effect.all([arrivalTimes("executions.get"), arrivalTimes("executions.result")]), (all) =>
  all.flat()
)

const completed = "execution.completed"

describe("notifyClient", () => {
  for (const payload of ["full", "short"] as const) {
    it.effect(`ends a wait the moment the event arrives, with nothing asked in between: the ${payload} payload`, () => {
      const { test, told } = backend({ webhooks: { payload } })
      return test(({ executions }) =>
        Effect.gen(function* () {
          const result = valueOf(yield* toEnd(executions.run(request)))
          assert.strictEqual(yield* now, done)
          assert.deepStrictEqual(yield* asked, [])
          assert.lengthOf(result.fileIds, 1)
          assert.strictEqual(result.cost, "0.040")
          assert.deepStrictEqual(told, ["execution.started", completed])
        })
      )
    })
  }

  it.effect("ends it between two looks, where those go on as always", () =>
    backend({}, Execution.pollSchedule).test(({ executions }) =>
      Effect.gen(function* () {
        valueOf(yield* toEnd(executions.run(request)))
        assert.strictEqual(yield* now, done)
        assert.deepStrictEqual(yield* asked, [2000, 5000])
      })
    )
  )

  for (const [name, pollSchedule, at] of [
    ["30 s", Webhook.pollSchedule, [30_000]],
    ["2, 5 and 9.5 s", Execution.pollSchedule, [2000, 5000, 9500]]
  ] as const) {
    it.effect(`leaves the end to the looks when no delivery arrives: after ${name}`, () => {
      const { test, told } = backend({ webhooks: { deliveryFault: () => "dropBefore" } }, pollSchedule)
      return test(({ executions }) =>
        Effect.gen(function* () {
          const result = valueOf(yield* toEnd(executions.run(request)))
          assert.lengthOf(result.fileIds, 1)
          assert.strictEqual(yield* now, at.at(-1))
          assert.deepStrictEqual(yield* asked, [...at])
          assert.deepStrictEqual(told, [])
        })
      )
    })
  }

  it.effect("ends it at once when the event was faster than the answer to the create", () =>
    backend({ faults: [Fault.on("executions.create", Fault.delay("10 seconds"))] }).test(({ executions }) =>
      Effect.gen(function* () {
        valueOf(yield* toEnd(executions.run(request)))
        assert.strictEqual(yield* now, 10_000)
        assert.deepStrictEqual(yield* asked, [])
      })
    )
  )

  it.effect("takes events twice and in any order", () => {
    const { test, told } = backend({
      webhooks: { deliveryFault: ({ type }) => (type === completed ? "twice" : { delay: "20 seconds" }) }
    })
    return test(({ executions }) =>
      Effect.gen(function* () {
        const statuses = Stream.map(executions.watch((yield* executions.create(request)).id), ({ status }) => status)
        assert.deepStrictEqual([...valueOf(yield* toEnd(Stream.runCollect(statuses)))], ["COMPLETED"])
        assert.strictEqual(yield* now, done)
        valueOf(yield* toEnd(Effect.sleep("1 minute")))
        // The event that came twice was handled once.
        assert.deepStrictEqual(told, [completed, "execution.started"])
        assert.deepStrictEqual(yield* asked, [])
      })
    )
  })

  it.effect("hears of it with the next attempt of a delivery that was lost, 2 minutes later", () => {
    const disturb = ({ attempt }: Simulator.DeliveryAttempt) => (attempt === 1 ? "dropBefore" : "deliver")
    return backend({ webhooks: { deliveryFault: disturb } }, Schedule.spaced("1 hour")).test(({ executions }) =>
      Effect.gen(function* () {
        valueOf(yield* toEnd(executions.run(request, { timeout: "1 day" })))
        assert.strictEqual(yield* now, done + 120_000)
        assert.deepStrictEqual(yield* asked, [])
      })
    )
  })

  it.effect("shows watch that it has begun", () =>
    backend().test(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(request)
        const seen: Array<readonly [string, number]> = []
        const watch = Stream.runForEach(executions.watch(id), ({ status }) =>
          Effect.map(now, (at) => void seen.push([status, at]))
        )
        valueOf(yield* toEnd(watch))
        assert.deepStrictEqual(seen, [
          ["PROCESSING", 1000],
          ["COMPLETED", done]
        ])
        assert.deepStrictEqual(yield* asked, [])
      })
    )
  )

  it.effect("fails a wait as the event says", () =>
    backend({ faults: [Fault.ends({ status: "FAILED", code: "MODEL_OVERLOADED" })] }).test(({ executions }) =>
      Effect.gen(function* () {
        assert.strictEqual(failureOf(yield* toEnd(executions.run(request)))._tag, "ModelOverloaded")
        assert.strictEqual(yield* now, done)
        assert.deepStrictEqual(yield* asked, [])
      })
    )
  )

  it.effect("ends a wait for what somebody else has cancelled", () =>
    backend().test(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(request)
        const cancel = Effect.delay(executions.cancel(id), "3 seconds")
        const [exit] = valueOf(
          yield* toEnd(Effect.all([Effect.exit(executions.await(id)), cancel], { concurrency: 2 }))
        )
        assert.strictEqual(failureOf(exit)._tag, "ExecutionCancelled")
        assert.strictEqual(yield* now, 3000)
        assert.deepStrictEqual(yield* asked, [])
      })
    )
  )

  it.effect("leaves EXPIRED, of which there is no event, to the last look", () => {
    const { test, told } = backend({ faults: [Fault.ends({ status: "EXPIRED" })] })
    return test(({ executions }) =>
      Effect.gen(function* () {
        assert.strictEqual(failureOf(yield* toEnd(executions.run(request)))._tag, "ExecutionExpired")
        assert.deepStrictEqual(told, ["execution.started"])
        // 30 s, then 45, 67.5 and 101.25 s later; the last one when the time is up, by a Date in whole seconds.
        assert.deepStrictEqual(yield* asked, [30_000, 75_000, 142_500, 243_750, 330_750])
      })
    )
  })
})
