/**
 * Resumes the workflows that are suspended after an error.
 *
 * @internal
 */
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import { hasEnded, resume } from "./signals.js"
import { type Suspension, SuspensionStore, type SuspensionStoreError } from "./suspensionStore.js"

/** Maximum number of concurrent resumptions. Each resumption runs a few database queries. */
const concurrency = 10

/**
 * Resumes the workflows of the selected suspensions. Returns the number of resumed workflows. Removes the suspension of
 * a workflow that has ended. The suspension of an ended workflow remains if the store fails at the end of the workflow.
 *
 * @internal
 */
export const resumeAll = (
  isSelected: (suspension: Suspension) => boolean
): Effect.Effect<number, SuspensionStoreError, WorkflowEngine | SuspensionStore> =>
  Effect.gen(function* () {
    const store = yield* SuspensionStore
    const selected = (yield* store.list).filter(isSelected)
    const resumed = yield* Effect.forEach(
      selected,
      ({ id, workflowId }) =>
        // The workflow is also resumed if its state cannot be read. A resumption of an ended workflow has no effect.
        Effect.flatMap(
          Effect.catchAllDefect(hasEnded(id), () => Effect.succeed(false)),
          (isEnded) => (isEnded ? Effect.as(store.remove(workflowId), 0) : Effect.as(resume(id), 1))
        ),
      { concurrency }
    )
    return resumed.reduce<number>((sum, count) => sum + count, 0)
  })
