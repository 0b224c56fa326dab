import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SharedPolls } from "../../src/internal/executions/sharedPolls.js"
import { id, observationOf } from "../utils/executions.js"
import { start } from "../utils/harness.js"

describe("SharedPolls", () => {
  it.effect("does not notify a listener that was removed", () =>
    Effect.gen(function* () {
      const polls = new SharedPolls()
      const subscription = polls.join(id)
      const statuses: Array<string> = []
      const stop = subscription.listen(
        () => true,
        ({ execution }) => statuses.push(execution.status)
      )
      polls.notify(observationOf("PENDING", start))
      stop()
      polls.notify(observationOf("PROCESSING", start))
      assert.deepStrictEqual(statuses, ["PENDING"])
    })
  )
})
