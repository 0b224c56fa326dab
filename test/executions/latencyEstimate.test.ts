import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { atStart, id, output, statusResponse, toSeconds } from "../utils/executions.js"
import { valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, runToEnd, start } from "../utils/harness.js"

describe("LatencyEstimator", () => {
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
