import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { atStart, id, output, statusResponse, toSeconds } from "../utils/executions.js"
import { valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, runToEnd, start } from "../utils/harness.js"

describe("a client with few requests left", () => {
  const headers = {
    "x-ratelimit-limit": "100",
    "x-ratelimit-remaining": "20",
    "x-ratelimit-reset": String(start / 1000 + 3600)
  }

  it.effect("delays the polls of a new execution until its expected end, and doubles the delays of any other", () =>
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
        // The first poll came after 4 s instead of 2. Now the latency of the model is known: one minute.
        valueOf(yield* runToEnd(executions.run(image)))
        valueOf(yield* runToEnd(executions.await(id)))
        assert.deepStrictEqual(toSeconds(at), [0, 4, 4, 70, 74, 80])
      })
    )
  )
})
