/** Provides a `KeyValueStore` over an external map. Hooks can fail its methods. */
import { type PlatformError, SystemError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export type StoreValues = Map<string, string>

/** Effects that run before the methods of the store. */
export interface StoreHooks {
  readonly get?: (key: string) => Effect.Effect<void, PlatformError>
  readonly set?: (key: string, value: string) => Effect.Effect<void, PlatformError>
  readonly remove?: (key: string) => Effect.Effect<void, PlatformError>
}

export const storeFailure = (reason: SystemError["reason"] = "Unknown"): SystemError =>
  new SystemError({ reason, module: "KeyValueStore", method: "test", description: "a failure of the test" })

/** Returns a store over `values`. `remove` fails for a missing value, like a file system. */
export const makeStore = (values: StoreValues, hooks: StoreHooks = {}): KeyValueStore.KeyValueStore =>
  KeyValueStore.makeStringOnly({
    get: (key) =>
      Effect.zipRight(
        hooks.get?.(key) ?? Effect.void,
        Effect.sync(() => Option.fromNullable(values.get(key)))
      ),
    set: (key, value) =>
      Effect.zipRight(
        hooks.set?.(key, value) ?? Effect.void,
        Effect.sync(() => void values.set(key, value))
      ),
    remove: (key) =>
      Effect.zipRight(
        hooks.remove?.(key) ?? Effect.void,
        Effect.suspend(() => (values.delete(key) ? Effect.void : storeFailure("NotFound")))
      ),
    clear: Effect.sync(() => values.clear()),
    size: Effect.sync(() => values.size)
  })
