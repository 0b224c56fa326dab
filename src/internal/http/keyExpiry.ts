/**
 * Checks whether an idempotency key has expired.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as monotonic from "../data/monotonic.js"

/**
 * The expiry of an idempotency key, on the wall clock and on the monotonic clock. The wall clock alone is not
 * sufficient. If a user sets the wall clock back, an expired key would become valid again.
 *
 * @internal
 */
export interface KeyExpiry {
  readonly epochMillis: number
  readonly monotonicMillis: number
}

/** @internal */
export const makeKeyExpiry = (epochMillis: number): Effect.Effect<KeyExpiry> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => ({ epochMillis, monotonicMillis: epochMillis - monotonic.wallOffset(clock) }))
  )

/** @internal Returns whether the idempotency key has expired on either clock. */
export const isExpired = (expiry: KeyExpiry): Effect.Effect<boolean> =>
  Effect.clockWith((clock) =>
    Effect.sync(
      () => clock.unsafeCurrentTimeMillis() >= expiry.epochMillis || monotonic.read(clock) >= expiry.monotonicMillis
    )
  )
