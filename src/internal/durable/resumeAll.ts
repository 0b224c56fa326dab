/**
 * Resumes the workflows that are suspended after an error.
 *
 * @internal
 */
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import { hasEnded, resume } from "./signals.js"
import { type Suspension, SuspensionStore, type SuspensionStoreError } from "./suspensionStore.js"

/** Each resumption uses a few queries of the database. */
const concurrency = 10

/**
 * Resumes the workflows of the selected suspensions. Returns their number. Removes the suspension of a workflow that has
 * ended. Such a suspension remains if the store fails at the end of the workflow.
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
        // A resumption of a workflow that has ended is harmless.
        Effect.flatMap(
          Effect.catchAllDefect(hasEnded(id), () => Effect.succeed(false)),
          (isEnded) => (isEnded ? Effect.as(store.remove(workflowId), 0) : Effect.as(resume(id), 1))
        ),
      { concurrency }
    )
    return resumed.reduce<number>((sum, count) => sum + count, 0)
  })
