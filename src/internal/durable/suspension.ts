/**
 * Reports that a workflow is suspended after an error.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { runSafely } from "../telemetry.js"
import { Suspension, type SuspensionStoreError, type SuspensionStoreService } from "./suspensionStore.js"

/** @internal The ids of a workflow. */
export interface WorkflowIds {
  /** The id of the durable execution. */
  readonly id: string
  readonly workflowId: string
}

/**
 * Runs an operation of the suspension store. If the store fails, logs the failure and succeeds, because the clock
 * resumes the workflow without the store.
 */
const logFailure = <A>(effect: Effect.Effect<A, SuspensionStoreError>, workflowId: string): Effect.Effect<void> =>
  Effect.catchAll(Effect.asVoid(effect), ({ detail = "", message }) =>
    runSafely(Effect.annotateLogs(Effect.logWarning(`${message} ${detail}`.trimEnd()), { workflowId }))
  )

/**
 * Logs why a workflow waits, and adds the workflow to the suspension store. The next attempt starts after `millis`
 * milliseconds.
 *
 * @internal
 */
export const reportSuspension = (
  store: SuspensionStoreService,
  { id, workflowId }: WorkflowIds,
  error: { readonly _tag: string; readonly message: string },
  text: string,
  millis: number
): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const suspension = new Suspension({
      id,
      workflowId,
      tag: error._tag,
      message: error.message,
      suspendedAt: DateTime.unsafeMake(now),
      nextAttemptAt: DateTime.unsafeMake(now + millis)
    })
    return Effect.zipRight(
      runSafely(
        Effect.annotateLogs(
          Effect.logWarning(
            `${text}: ${error.message} The next attempt starts after ${millis / 1000} s or after DurableExecution.resume`
          ),
          { workflowId }
        )
      ),
      logFailure(store.put(suspension), workflowId)
    )
  })

/** @internal Removes a workflow from the suspension store. */
export const clearSuspension = (store: SuspensionStoreService, { workflowId }: WorkflowIds): Effect.Effect<void> =>
  logFailure(store.remove(workflowId), workflowId)
