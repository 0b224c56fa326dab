/**
 * Takes one item from its journal entry to its outcome.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { JournalError } from "../../ModelRouteError.js"
import { calling } from "./callback.js"
import { failed, succeeded } from "./conclude.js"
import type { Item, Run, Ended } from "./item.js"
import { type Plan, planOf } from "./plan.js"
import { resumed } from "./resume.js"
import { submitted } from "./submit.js"

/** @internal */
export const plan = <A, E, R>({ digest, found, rules }: Item<A, E, R>): Effect.Effect<Plan> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.catchAll(
      calling("resubmit", () => planOf(found, digest, now, rules)),
      (error): Effect.Effect<Plan> => Effect.succeed({ _tag: "Refuse", error })
    )
  )

/** @internal */
export const settle = <A, E, R>(run: Run, item: Item<A, E, R>): Effect.Effect<Ended<A, E>, JournalError, R> =>
  Effect.flatMap(plan(item), (planned) => {
    switch (planned._tag) {
      case "HandOut":
        return Effect.succeed({
          ...Either.match(planned.result, {
            onLeft: (error) => failed(item, error, planned.entry),
            onRight: (completed) => succeeded(item, completed, planned.entry)
          }),
          isFromJournal: true
        })
      case "Refuse":
        return Effect.succeed(failed(item, planned.error))
      case "Await":
        return resumed(run, item, planned.entry, planned.executionId)
      case "Submit":
        return submitted(run, item, planned)
    }
  })
