/**
 * Continues an item from its journal entry until the item has an outcome. Writes each new step to the journal before
 * the next step starts.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { JournalError } from "../../ModelRouteError.js"
import { tryCallback } from "./callback.js"
import { toFailed, toSucceeded } from "./recordOutcome.js"
import type { Item, ItemContext, ItemResult } from "./item.js"
import { makePlan, type Plan } from "./plan.js"
import { resume } from "./resume.js"
import { submit } from "./submit.js"

/** @internal Determines the next step of an item. Rejects the item if `resubmit` throws an exception. */
export const planItem = <A, E, R>({ digest, planOptions, previous }: Item<A, E, R>): Effect.Effect<Plan> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.catchAll(
      tryCallback("resubmit", () => makePlan(previous, digest, now, planOptions)),
      (error): Effect.Effect<Plan> => Effect.succeed({ _tag: "Reject", error })
    )
  )

/** @internal Processes an item and returns its result. Fails with `JournalError` if the journal cannot be written. */
export const runItem = <A, E, R>(
  context: ItemContext,
  item: Item<A, E, R>
): Effect.Effect<ItemResult<A, E>, JournalError, R> =>
  Effect.flatMap(planItem(item), (plan) => {
    switch (plan._tag) {
      case "Replay":
        return Effect.succeed({
          ...Either.match(plan.result, {
            onLeft: (error) => toFailed(item, error, plan.entry),
            onRight: (completed) => toSucceeded(item, completed, plan.entry)
          }),
          isFromJournal: true
        })
      case "Reject":
        return Effect.succeed(toFailed(item, plan.error))
      case "Await":
        return resume(context, item, plan.entry, plan.executionId)
      case "Submit":
        return submit(context, item, plan)
    }
  })
