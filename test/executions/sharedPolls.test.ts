import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { ModelRouteError } from "effect-modelroute"
import type { Observation } from "../../src/internal/executions/observation.js"
import { SharedPolls } from "../../src/internal/executions/sharedPolls.js"
import { id, observationOf } from "../utils/executions.js"
import { start } from "../utils/harness.js"

const failure = (retryable: boolean) =>
  new ModelRouteError.TransportError({
    operation: "executions.get",
    attempts: 1,
    retryable,
    reason: "reset",
    message: "no"
  })

describe("SharedPolls", () => {
  it.effect("does not notify a listener that was removed", () =>
    Effect.gen(function* () {
      const polls = new SharedPolls()
      const subscription = polls.join(id)
      const statuses: Array<string> = []
      const listen = () =>
        subscription.listen(
          () => true,
          ({ execution }) => statuses.push(execution.status)
        )
      const stop = listen()
      listen()
      stop()
      assert.strictEqual(polls.listenerCount, 1)
      polls.notify(observationOf("PENDING", start))
      assert.deepStrictEqual(statuses, ["PENDING"])
    })
  )

  it("passes the first notification that the listener accepts", () => {
    const polls = new SharedPolls()
    const subscription = polls.join(id)
    const statuses: Array<string> = []
    const listen = (accepted: string) =>
      subscription.listen(
        ({ execution }) => execution.status === accepted,
        ({ execution }) => statuses.push(execution.status)
      )
    listen("PROCESSING")
    assert.strictEqual(polls.listenerCount, 1)
    for (const status of ["PENDING", "PROCESSING", "PROCESSING"]) polls.notify(observationOf(status, start))
    assert.deepStrictEqual(statuses, ["PROCESSING"])
    assert.strictEqual(polls.listenerCount, 0)
    // The last notification can precede the listener.
    listen("PROCESSING")
    assert.deepStrictEqual(statuses, ["PROCESSING", "PROCESSING"])
    assert.strictEqual(polls.listenerCount, 0)
  })

  it("returns the last notification only if the wait accepts the notification", () => {
    const polls = new SharedPolls()
    const subscription = polls.join(id)
    assert.isUndefined(subscription.latestUpdate(() => true))
    const notification = observationOf("PROCESSING", start)
    polls.notify(notification)
    assert.strictEqual(
      subscription.latestUpdate(() => true),
      notification
    )
    assert.isUndefined(subscription.latestUpdate(() => false))
  })

  it("ignores notifications after a terminal notification", () => {
    const polls = new SharedPolls()
    const subscription = polls.join(id)
    for (const status of ["PENDING", "COMPLETED", "PROCESSING"]) {
      assert.isTrue(polls.notify(observationOf(status, start)))
    }
    assert.strictEqual(subscription.latestUpdate(() => true)?.execution.status, "COMPLETED")
  })

  it("keeps a notification for the next wait after the last wait has left", () => {
    const polls = new SharedPolls()
    const [one, two] = [polls.join(id), polls.join(id)]
    one.leave()
    assert.isTrue(polls.notify(observationOf("PENDING", start)))
    assert.strictEqual(two.latestUpdate(() => true)?.execution.status, "PENDING")
    two.leave()
    assert.isFalse(polls.notify(observationOf("PROCESSING", start)))
    assert.strictEqual(polls.join(id).latestUpdate(() => true)?.execution.status, "PROCESSING")
  })
})

describe("Subscription.poll", () => {
  it.effect("returns the response of another wait only if the response arrived after `since`", () =>
    Effect.gen(function* () {
      const polls = new SharedPolls()
      const [one, two] = [polls.join(id), polls.join(id)]
      const pending = observationOf("PENDING", start)
      const processing = observationOf("PROCESSING", start + 1)
      assert.strictEqual(yield* one.poll(Effect.succeed(pending), start - 1), pending)
      assert.strictEqual(yield* two.poll(Effect.dieMessage("polled"), start - 1), pending)
      assert.strictEqual(yield* two.poll(Effect.succeed(processing), start), processing)
      assert.strictEqual(yield* one.poll(Effect.dieMessage("polled"), start), processing)
    })
  )

  const succeeded: Exit.Exit<Observation, ModelRouteError.RequestFailure> = Exit.succeed(
    observationOf("PROCESSING", start)
  )
  for (const [name, exit, isShared] of [
    ["returns the response of the running poll", succeeded, true],
    ["fails with the transient failure of the running poll", Exit.fail(failure(true)), true],
    ["polls again after a permanent failure of the running poll", Exit.fail(failure(false)), false],
    ["polls again after a defect of the running poll", Exit.die("broken"), false],
    ["polls again after the interruption of the running poll", undefined, false]
  ] as const) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const polls = new SharedPolls()
        const [one, two] = [polls.join(id), polls.join(id)]
        const response = yield* Deferred.make<Observation, ModelRouteError.RequestFailure>()
        const first = yield* Effect.fork(one.poll(Deferred.await(response), start))
        yield* Effect.yieldNow()
        const own = observationOf("COMPLETED", start + 1)
        const second = yield* Effect.fork(two.poll(Effect.succeed(own), start))
        yield* Effect.yieldNow()
        if (exit === undefined) yield* Fiber.interrupt(first)
        else {
          yield* Deferred.done(response, exit)
          assert.deepStrictEqual(yield* Fiber.await(first), exit)
        }
        assert.deepStrictEqual(yield* Fiber.await(second), isShared ? exit : Exit.succeed(own))
      })
    )
  }
})
