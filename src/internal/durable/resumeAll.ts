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
 * Resumes the workflows of all suspensions that `isSelected` selects. Returns the number of resumed workflows. If a
 * workflow has already ended, removes its suspension from the store instead. Such a suspension exists if the store
 * failed when the workflow ended. Fails with `SuspensionStoreError` if the store cannot be read or written.
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
        // If the state of a workflow cannot be read, the workflow is resumed. A resumption of an ended workflow has no
        // effect.
        Effect.flatMap(
          Effect.catchAllDefect(hasEnded(id), () => Effect.succeed(false)),
          (isEnded) => (isEnded ? Effect.as(store.remove(workflowId), 0) : Effect.as(resume(id), 1))
        ),
      { concurrency }
    )
    return resumed.reduce<number>((sum, count) => sum + count, 0)
  })
