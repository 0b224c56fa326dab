/**
 * Validates the options of a batch before the batch reads or submits items.
 *
 * @internal
 */
import * as Either from "effect/Either"
import type { InvalidRequest } from "../../ModelRouteError.js"
import type * as money from "../data/money.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { checkAll, checksOf } from "../errors/optionChecks.js"
import { parseAmount } from "./costBudget.js"
import type { RetryBudgetOptions } from "./retryBudget.js"
import type { Options } from "./types.js"

const operation = "Batch.run"

/** @internal Decoded options of a run. */
export interface CheckedOptions {
  readonly keyTtlMillis: number
  readonly maxCost: money.Amount | undefined
}

const checkRetryBudget = (
  options: RetryBudgetOptions | false | undefined = {}
): Either.Either<void, InvalidRequest> => {
  if (options === false) return Either.void
  const check = checksOf(operation)
  return Either.flatMap(check.record("retryBudget", options), () =>
    checkAll([
      check.number("retryBudget.maxTokens", options.maxTokens, (tokens) => tokens >= 1, "at least 1"),
      check.number(
        "retryBudget.tokenRatio",
        options.tokenRatio,
        (ratio) => ratio >= 0 && ratio < Infinity,
        "at least 0"
      ),
      check.number("retryBudget.minPerMinute", options.minPerMinute, (n) => n > 0 && n < Infinity, "above 0")
    ])
  )
}

/** @internal Validates the options. Returns `InvalidRequest` for the first invalid option. */
export const checkOptions = <A, E, E2, R, Out>(
  options: Options<A, E, E2, R, Out>
): Either.Either<CheckedOptions, InvalidRequest> => {
  const check = checksOf(operation)
  const { beforeSubmit, concurrency = 20, deliver, hold, id, key, keyTtl = "24 hours", maxCost, order } = options
  const { request, resubmit, retryBudget, total, version, wait } = options
  return Either.gen(function* () {
    if (typeof id !== "string" || id.trim() === "") {
      return yield* Either.left(
        invalidRequest(operation, "id", "is empty", "Pass the name of the batch. Use the same name in every run.")
      )
    }
    yield* checkAll([
      check.function("key", key ?? null),
      check.function("request", request ?? null),
      check.function("version", version),
      check.function("hold", hold),
      check.function("beforeSubmit", beforeSubmit),
      check.function("deliver", deliver),
      check.function("resubmit", resubmit),
      check.wholeNumber("concurrency", concurrency, 1),
      check.wholeNumber("total", total, 0),
      check.oneOf("order", order, ["completion", "input"]),
      check.schedule("wait.pollSchedule", wait?.pollSchedule),
      wait?.timeout === undefined ? Either.void : check.duration("wait.timeout", wait.timeout, "zero")
    ])
    yield* checkRetryBudget(retryBudget)
    const keyTtlMillis = yield* check.duration("keyTtl", keyTtl, "above zero")
    return { keyTtlMillis, maxCost: maxCost === undefined ? undefined : yield* parseAmount("maxCost", maxCost) }
  })
}
