/**
 * Defines the store of suspended workflows, and a store in memory.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/**
 * A durable execution that is suspended after an error. The clock of the workflow starts the next attempt at
 * `nextAttemptAt`. `resume` and `resumeAll` start the attempt earlier.
 *
 * @since 0.1.0
 * @category models
 */
export class Suspension extends Schema.Class<Suspension>("effect-modelroute/DurableExecution/Suspension")({
  /** The id of the durable execution. */
  id: Schema.String,
  /** The id of the workflow in the engine. */
  workflowId: Schema.String,
  /** The tag of the error, for example `InsufficientBalance`. */
  tag: Schema.String,
  /** The message of the error. */
  message: Schema.String,
  /** The time of the latest error. */
  suspendedAt: Schema.DateTimeUtcFromNumber,
  /** The time of the next attempt. */
  nextAttemptAt: Schema.DateTimeUtcFromNumber
}) {}

/**
 * The store of suspensions cannot be read or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class SuspensionStoreError extends Schema.TaggedError<SuspensionStoreError>(
  "effect-modelroute/SuspensionStoreError"
)("SuspensionStoreError", {
  /** The message for logs. */
  message: Schema.String,
  /** The error message of the database. Absent if the database reported no error. */
  detail: Schema.optionalWith(Schema.String, { exact: true })
}) {}

/**
 * Service of the tag `SuspensionStore`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SuspensionStoreService {
  /**
   * Adds a suspension. Replaces an earlier suspension of the same workflow. Fails with `SuspensionStoreError` if the
   * store cannot be written.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import * as DurableExecution from "effect-modelroute/DurableExecution"
   *
   * export const copy = (store: DurableExecution.SuspensionStoreService) =>
   *   Effect.flatMap(DurableExecution.suspensions, Effect.forEach(store.put))
   * ```
   */
  readonly put: (suspension: Suspension) => Effect.Effect<void, SuspensionStoreError>
  /**
   * Removes the suspension of a workflow. Succeeds if the workflow has no suspension. Fails with `SuspensionStoreError`
   * if the store cannot be written.
   *
   * @example
   * ```ts
   * import * as DurableExecution from "effect-modelroute/DurableExecution"
   *
   * export const hide = (store: DurableExecution.SuspensionStoreService, suspension: DurableExecution.Suspension) =>
   *   store.remove(suspension.workflowId)
   * ```
   */
  readonly remove: (workflowId: string) => Effect.Effect<void, SuspensionStoreError>
  /** Returns all suspensions, the oldest first. Fails with `SuspensionStoreError` if the store cannot be read. */
  readonly list: Effect.Effect<ReadonlyArray<Suspension>, SuspensionStoreError>
}

/**
 * The tag of the store of suspensions. Workers add an entry when a workflow is suspended after an error, and remove the
 * entry after the next success. `suspensions` and `resumeAll` read the entries.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * export const countSuspensions = Effect.gen(function* () {
 *   const store = yield* DurableExecution.SuspensionStore
 *   return (yield* store.list).length
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class SuspensionStore extends Context.Tag("effect-modelroute/DurableExecution/SuspensionStore")<
  SuspensionStore,
  SuspensionStoreService
>() {}

/** @internal Provides a store in the memory of this process. */
export const layerMemory: Layer.Layer<SuspensionStore> = Layer.sync(SuspensionStore, () => {
  const suspensions = new Map<string, Suspension>()
  return {
    put: (suspension) =>
      Effect.sync(() => {
        // `list` returns the oldest suspension first. The previous entry is deleted, because a map keeps the position
        // of an existing key.
        suspensions.delete(suspension.workflowId)
        suspensions.set(suspension.workflowId, suspension)
      }),
    remove: (workflowId) => Effect.sync(() => void suspensions.delete(workflowId)),
    list: Effect.sync(() => [...suspensions.values()])
  }
})
