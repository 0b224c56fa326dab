import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect } from "effect"
import { Execution } from "effect-modelroute"
import { LatencyEstimator } from "../../src/internal/executions/latencyEstimate.js"
import { atStart, id, output, statusResponse, toSeconds } from "../utils/executions.js"
import { valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, runToEnd, start } from "../utils/harness.js"

describe("LatencyEstimator", () => {
  const ended = (fields: Partial<ConstructorParameters<typeof Execution.Execution>[0]>) =>
    new Execution.Execution({ id, status: "COMPLETED", model: "m", ...fields })
  const seconds = (latency: number) => ended({ latency: Duration.seconds(latency) })
  const createdAt = DateTime.unsafeMake(start)
  const completedAt = DateTime.add(createdAt, { seconds: 8 })

  for (const [name, executions, expected] of [
    ["the latency of one execution", [seconds(60)], 60_000],
    ["the average of two latencies", [seconds(60), seconds(20)], 40_000],
    ["an average in which the latest latency counts one half", [seconds(60), seconds(20), seconds(10)], 25_000],
    ["a latency of zero", [seconds(0)], 0],
    ["the time from createdAt to completedAt if the latency is missing", [ended({ createdAt, completedAt })], 8000],
    ["the latency instead of the times", [ended({ createdAt, completedAt, latency: Duration.seconds(5) })], 5000],
    ["no estimate if completedAt is missing", [ended({ createdAt })], undefined],
    ["no estimate if createdAt is missing", [ended({ completedAt })], undefined],
    [
      "no estimate if completedAt is before createdAt",
      [ended({ createdAt: completedAt, completedAt: createdAt })],
      undefined
    ],
    [
      "no estimate from an execution that is not COMPLETED",
      [ended({ status: "FAILED", latency: Duration.seconds(5) })],
      undefined
    ]
  ] as const) {
    it(`returns ${name}`, () => {
      const estimator = new LatencyEstimator()
      for (const execution of executions) estimator.record(execution)
      assert.strictEqual(estimator.expectedMillis("m"), expected)
      assert.isUndefined(estimator.expectedMillis("other"))
      assert.isUndefined(estimator.expectedMillis(undefined))
    })
  }

  it("stores the estimates of at most 1000 models", () => {
    const estimator = new LatencyEstimator()
    const record = (model: string, latency: number) =>
      estimator.record(ended({ model, latency: Duration.seconds(latency) }))
    for (let n = 0; n <= 1000; n++) record(`m${n}`, 60)
    assert.strictEqual(estimator.expectedMillis("m999"), 60_000)
    assert.isUndefined(estimator.expectedMillis("m1000"))
    record("m0", 20)
    assert.strictEqual(estimator.expectedMillis("m0"), 40_000)
  })

  const headers = {
    "x-ratelimit-limit": "100",
    "x-ratelimit-remaining": "20",
    "x-ratelimit-reset": String(start / 1000 + 3600)
  }

  it.effect("delays the first poll to the expected end of the execution if few requests remain in the rate limit", () =>
    atStart(
      Effect.gen(function* () {
        const { at, client } = makeFakeClient((url, n) => ({
          ...statusResponse(url.endsWith("/executions") ? "PENDING" : n === 5 ? "PROCESSING" : "COMPLETED", {
            model: "m",
            latency_ms: 60_000,
            output
          }),
          headers
        }))
        const { executions } = yield* client
        valueOf(yield* runToEnd(executions.run(image)))
        // The first run doubles the delay of 2 s to 4 s. Its response contains a latency of one minute.
        valueOf(yield* runToEnd(executions.run(image)))
        valueOf(yield* runToEnd(executions.await(id)))
        assert.deepStrictEqual(toSeconds(at), [0, 4, 4, 70, 74, 80])
      })
    )
  )
})
