/**
 * Checks the options of `DurableExecution.layer`.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import type { InvalidRequest } from "../../ModelRouteError.js"
import type { Service } from "../../ModelRouteClient.js"
import { checksOf } from "../errors/optionChecks.js"
import type { SuspensionStoreService } from "./suspensionStore.js"
import type { ClockDelays } from "./wait.js"

/**
 * Options of `layer`. The workers of one engine must have the same options.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Lifetime of an idempotency key at the API. The API documentation does not specify the lifetime. Within this time, a
   * submission with an unknown outcome is repeated under its key. After this time, the execution fails with
   * `SubmissionOutcomeUnknown`. Default: 24 hours.
   */
  readonly keyTtl?: Duration.DurationInput | undefined
  /**
   * Delay before the first poll of an accepted execution. Also the delay before the first new attempt after an outage
   * or an insufficient balance. Each later delay is 1.5 times as long, up to `maxDelay`. Default: 30 seconds.
   */
  readonly baseDelay?: Duration.DurationInput | undefined
  /** Maximum delay between two polls or two attempts. Default: 15 minutes. */
  readonly maxDelay?: Duration.DurationInput | undefined
}

/** @internal The checked options. */
export interface CheckedOptions {
  readonly keyTtlMillis: number
  readonly delays: ClockDelays
}

/** @internal The services and the options of a worker. */
export interface DurableContext extends CheckedOptions {
  readonly client: Service
  readonly suspensions: SuspensionStoreService
}

/** @internal Checks the options. Returns `InvalidRequest` for the first invalid option. */
export const checkOptions = ({
  baseDelay = "30 seconds",
  keyTtl = "24 hours",
  maxDelay = "15 minutes"
}: Options): Either.Either<CheckedOptions, InvalidRequest> => {
  const check = checksOf("DurableExecution.layer")
  return Either.gen(function* () {
    const keyTtlMillis = yield* check.duration("keyTtl", keyTtl, "above zero")
    const baseMillis = yield* check.duration("baseDelay", baseDelay, "above zero")
    const capMillis = yield* check.duration("maxDelay", maxDelay, "above zero")
    return { keyTtlMillis, delays: { baseMillis, capMillis } }
  })
}
