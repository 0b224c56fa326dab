/** What a batch may cost, where it is not the usual: holds that are not told, or were only expected; a wake-up at any moment. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Fiber, Option } from "effect"
import { Batch } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { amount, Spending } from "../src/internal/batch/spending.js"
import { collect, ledger, numbers, options, play, tags } from "./utils/batches.js"

const { Fault } = Simulator

/** An API that does not tell what it holds. */
const tellingNoHold = (client: HttpClient.HttpClient) =>
  HttpClient.transform(client, (effect, request) =>
    Effect.flatMap(effect, (response) =>
      Effect.map(response.text, (text) => {
        const told = text.replace(/"hold_amount":"[^"]*",?/, "")
        const { "content-length": _, ...headers } = response.headers
        return HttpClientResponse.fromWeb(request, new Response(told, { status: response.status, headers }))
      })
    )
  )

describe("maxCost, where the API tells no holds", () => {
  it.effect("lets one go, and goes by what that has cost", () =>
    Effect.gen(function* () {
      const { charged, most, outcomes } = yield* play(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run(numbers(20), { ...options, concurrency: 20, maxCost: "0.21" }))
          const { charged, executions } = yield* ledger
          return { outcomes, charged, most: executions.length }
        }),
        { client: { transformClient: tellingNoHold } }
      )
      assert.deepStrictEqual(tags(outcomes), { Succeeded: 5, NotAttempted: 15 })
      assert.deepStrictEqual([most, charged], [5, "0.200"])
    })
  )

  it.effect("counts in a later run what still runs", () =>
    Effect.gen(function* () {
      const { charged, outcomes } = yield* play(
        Effect.gen(function* () {
          yield* Effect.timeoutOption(collect(Batch.run([1], options)), "1 second")
          const outcomes = yield* collect(
            Batch.run([5, 6, 7, 1], { ...options, concurrency: 4, order: "input", maxCost: "0.05" })
          )
          return { outcomes, charged: (yield* ledger).charged }
        }),
        { client: { transformClient: tellingNoHold } }
      )
      // Whichever is read first: as long as it runs, no other of its model is submitted.
      assert.deepStrictEqual(tags(outcomes), { Succeeded: 1, NotAttempted: 3 })
      assert.strictEqual(charged, "0.040")
    })
  )
})

describe("a hold that was only expected", () => {
  for (const hold of ["5.00", "0.001"]) {
    it.effect(`says nothing of others: ${hold}`, () =>
      Effect.gen(function* () {
        const { charged, outcomes } = yield* play(
          Effect.gen(function* () {
            yield* collect(Batch.run([0], { ...options, maxCost: "10.00", hold: () => hold }))
            const items = numbers(9).slice(1)
            const outcomes = yield* collect(Batch.run(items, { ...options, concurrency: 8, maxCost: "0.25" }))
            return { outcomes, charged: (yield* ledger).charged }
          }),
          { simulator: { faults: [Fault.on("executions.create", Fault.envelope("CONTENT_MODERATION_REJECTED"))] } }
        )
        // 0.048 are held beside what the others have cost: the sixth finds 0.050 left.
        assert.deepStrictEqual(tags(outcomes), { Succeeded: 6, NotAttempted: 2 })
        assert.strictEqual(charged, "0.240")
      })
    )
  }
})

describe("who waits for room", () => {
  it.live("is told of it, wherever its fiber has let others go first", () =>
    Effect.gen(function* () {
      const all = amount("1")
      const steps = (count: number): Effect.Effect<void> =>
        count === 0 ? Effect.void : Effect.flatMap(Effect.void, () => steps(count - 1))
      const forgotten: Array<number> = []
      // A fiber lets others go first after 2048 operations at the latest.
      for (let count = 900; count < 1100; count++) {
        const spending = new Spending(all)
        const first = yield* spending.reserve("m", all, undefined)
        if (Either.isLeft(first)) return assert.fail()
        const waiting = yield* Effect.fork(Effect.zipRight(steps(count), spending.reserve("m", all, undefined)))
        yield* Effect.yieldNow()
        spending.settled(spending.accepted(first.right, all), amount("0"))
        yield* Effect.repeatN(Effect.yieldNow(), 10)
        if (Option.isNone(yield* Fiber.poll(waiting))) forgotten.push(count)
        yield* Fiber.interrupt(waiting)
      }
      assert.deepStrictEqual(forgotten, [])
    })
  )
})
