/**
 * What the caller has set for the running effect, in place of what the client was built with.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"

/** @internal What the calls of a batch share. */
export interface Effort {
  /** How many requests were sent for it. */
  requests: number
  /** How many of them were answered with success. */
  succeeded: number
  /** Waits until one more retry of a fault is within the budget. */
  readonly retry: Effect.Effect<void>
}

/** @internal Who has a say in whether a create goes out, and hears how each attempt has failed. */
export interface Leave {
  /**
   * At the moment of sending, when so many attempts were made: why it may not go out. Whatever it has waited for may have taken
   * hours.
   */
  readonly ask: (attempts: number) => Effect.Effect<InvalidRequest | undefined>
  /** What `ask` has let go out has failed, and was handed to the transport so many times. */
  readonly failed: (error: RequestFailure, sends: number) => void
}

/**
 * How often the running attempt was handed to the transport: a client that the caller has transformed may repeat it by itself.
 *
 * @internal
 */
export class CurrentSends extends Context.Reference<CurrentSends>()("effect-modelroute/CurrentSends", {
  defaultValue: (): { count: number } => ({ count: 0 })
}) {}

/** @internal Run each time that a request is handed to the transport. */
export const countSend: Effect.Effect<void> = Effect.map(CurrentSends, (sends) => {
  sends.count += 1
})

/** @internal The leave for the create inside the running effect. */
export class CurrentLeave extends Context.Reference<CurrentLeave>()("effect-modelroute/CurrentLeave", {
  defaultValue: (): Option.Option<Leave> => Option.none()
}) {}

/** @internal The batch that the running effect belongs to. */
export class CurrentEffort extends Context.Reference<CurrentEffort>()("effect-modelroute/CurrentEffort", {
  defaultValue: (): Option.Option<Effort> => Option.none()
}) {}
