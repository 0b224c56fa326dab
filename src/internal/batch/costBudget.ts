/**
 * Enforces the option `maxCost` of a batch. The settled costs plus the current holds stay within `maxCost`, except
 * after a submission with an unknown hold.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Execution } from "../../Execution.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import * as money from "../data/money.js"
import { runSafely } from "../telemetry.js"

/**
 * Parses the dollar amount in the option `field`. Returns `InvalidRequest` as a `Left` unless the text is a decimal
 * string without a sign.
 *
 * @internal
 */
export const parseAmount = (field: string, text: unknown): Either.Either<money.Amount, InvalidRequest> => {
  const amount = typeof text === "string" && /^\d+(\.\d+)?$/.test(text) ? money.parse(text) : undefined
  return amount === undefined
    ? Either.left(
        invalidRequest(
          "Batch.run",
          field,
          "is not an amount of dollars",
          'Pass a decimal string such as "0.048" or "25.00".'
        )
      )
    : Either.right(amount)
}

/** @internal Amount that is reserved for one execution. */
export interface Reservation {
  readonly model: string
  /** Reserved amount in dollars. Zero if the hold is unknown. */
  readonly amount: money.Amount
  /** Indicates whether the hold of `model` is unknown. Until the hold is known, other items of `model` wait. */
  readonly isHoldUnknown: boolean
}

/** @internal Submission of an earlier run. */
export interface EarlierSubmission extends Reservation {
  /** Hold that the API reported. `undefined` if the API reported no hold. */
  readonly hold: money.Amount | undefined
}

/**
 * Reason why the budget cannot reserve an amount:
 *
 * - `MaxCost`: the amount would exceed `maxCost`.
 * - `UnknownHold`: another submission of the same model has an unknown hold.
 *
 * @internal
 */
export type BudgetShortage = "MaxCost" | "UnknownHold"

/** @internal */
export class CostBudget {
  /** Highest known hold of an execution, by model. */
  private readonly maxHolds = new Map<string, money.Amount>()
  /**
   * Number of submissions with an unknown hold and without an estimate in `assumedHolds`, by model. The number includes
   * submissions that the API may not have accepted, because these submissions may have a hold.
   */
  private readonly unknownCounts = new Map<string, number>()
  /**
   * Estimated hold of each submission with an unknown hold, by model. A model has no estimate until the hold or the
   * cost of one of its executions is known.
   */
  private readonly assumedHolds = new Map<string, money.Amount>()
  /** Sum of settled costs and current holds. */
  private committed = money.zero
  /** Number of active reservations. When a reservation ends, part of the limit can become free. */
  private runningCount = 0
  private readonly waiters = new Set<() => void>()
  /** Models for which a log line has reported an unknown hold. */
  private readonly warnedModels = new Set<string>()

  constructor(private readonly limit: money.Amount) {}

  /**
   * Counts the cost or the hold of a submission from an earlier run. The caller must add all earlier submissions before
   * the first reservation.
   */
  addEarlier({ amount, hold, isHoldUnknown, model }: EarlierSubmission): void {
    this.committed = BigDecimal.sum(this.committed, amount)
    if (hold !== undefined) this.recordHold(model, hold)
    if (isHoldUnknown) this.adjustUnknownCount(model, 1)
  }

  /**
   * Counts each earlier submission with an unknown hold as the highest known hold of its model. The caller must run
   * this method after the last `addEarlier`, because each call can increase the highest known hold.
   */
  assumeUnknownHolds(): void {
    for (const model of Array.from(this.unknownCounts.keys())) this.assumeHold(model)
  }

  /**
   * Returns a reservation for an earlier submission that this run awaits or resends. Does not count the amount, because
   * `addEarlier` has already counted the amount.
   */
  reserveAgain(earlier: EarlierSubmission): Reservation {
    const { isHoldUnknown, model } = earlier
    this.runningCount += 1
    return {
      model,
      amount: this.countedAmount(earlier),
      isHoldUnknown: isHoldUnknown && !this.assumedHolds.has(model)
    }
  }

  /**
   * Reserves the expected hold of an execution. If the limit does not allow the hold, waits until other reservations
   * end. Returns a `BudgetShortage` as a `Left` if no other reservation is active. Releases the amount of the
   * `replaced` submission in the same step as the reservation.
   */
  reserve(
    model: string,
    expectedHold: money.Amount | undefined,
    replaced: EarlierSubmission | undefined
  ): Effect.Effect<Either.Either<Reservation, BudgetShortage>> {
    return Effect.async((resume) => {
      // `waiters` must contain `attempt` before its first run. Otherwise, a reservation that ends during the run would not
      // cause another run.
      const attempt = () => {
        const result = this.tryReserve(model, expectedHold, replaced)
        if (result === undefined) return
        this.waiters.delete(attempt)
        resume(Effect.succeed(result))
      }
      this.waiters.add(attempt)
      attempt()
      return Effect.sync(() => this.waiters.delete(attempt))
    })
  }

  /** Logs once per model that the API did not report a valid hold for an execution. */
  warnOfUnknownHold({ model }: Reservation, { extra }: Execution): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.warnedModels.has(model)) return Effect.void
      this.warnedModels.add(model)
      const reported = extra["hold_amount"]
      const problem =
        reported === undefined
          ? `reported no hold for an execution of ${model}`
          : `reported the invalid hold ${JSON.stringify(reported)} for an execution of ${model}`
      return runSafely(
        Effect.logWarning(
          `The API ${problem}. With maxCost, executions of this model run one at a time until the cost of one execution is known. To run these executions concurrently, set the option hold`
        )
      )
    })
  }

  /** Returns whether the limit is reached and no active reservation can free part of the limit. */
  get isExhausted(): boolean {
    return this.runningCount === 0 && BigDecimal.greaterThanOrEqualTo(this.committed, this.limit)
  }

  /**
   * Records that the API accepted an execution and reported `hold`. Returns the reservation with `hold` as its amount,
   * or the unchanged reservation if `hold` is `undefined`.
   */
  accept(reservation: Reservation, hold: money.Amount | undefined): Reservation {
    if (hold === undefined) return reservation
    const before = this.resolveUnknown(reservation)
    const { model } = reservation
    this.recordHold(model, hold)
    this.assumeHold(model)
    this.replaceAmount(before, hold)
    return { model, amount: hold, isHoldUnknown: false }
  }

  /**
   * Ends a reservation and replaces its amount with `cost`. If `cost` is `undefined`, the amount stays counted, because
   * the execution may still have a hold or a cost.
   */
  endReservation(reservation: Reservation, cost: money.Amount | undefined): void {
    this.runningCount -= 1
    if (cost === undefined) return this.replaceAmount(money.zero, money.zero)
    const before = this.resolveUnknown(reservation)
    // Without a reported hold, the cost of an execution is the best estimate for the hold of the next execution.
    if (reservation.isHoldUnknown && BigDecimal.greaterThan(cost, money.zero)) {
      this.recordHold(reservation.model, cost)
      this.assumeHold(reservation.model)
    }
    this.replaceAmount(before, cost)
  }

  private replaceAmount(before: money.Amount, after: money.Amount): void {
    this.committed = BigDecimal.sum(this.committed, BigDecimal.subtract(after, before))
    for (const attempt of Array.from(this.waiters)) attempt()
  }

  private recordHold(model: string, hold: money.Amount): void {
    const highest = this.maxHolds.get(model)
    if (highest === undefined || BigDecimal.greaterThan(hold, highest)) this.maxHolds.set(model, hold)
  }

  private adjustUnknownCount(model: string, by: 1 | -1): void {
    this.unknownCounts.set(model, (this.unknownCounts.get(model) ?? 0) + by)
  }

  /** Adds the highest known hold of the model to `committed` for each submission of the model with an unknown hold. */
  private assumeHold(model: string): void {
    const hold = this.maxHolds.get(model)
    const count = this.unknownCounts.get(model)
    if (hold === undefined || count === undefined) return
    this.unknownCounts.delete(model)
    this.assumedHolds.set(model, hold)
    this.committed = BigDecimal.sum(this.committed, BigDecimal.multiply(hold, BigDecimal.fromBigInt(BigInt(count))))
  }

  private countedAmount({ amount, isHoldUnknown, model }: Reservation): money.Amount {
    return isHoldUnknown ? (this.assumedHolds.get(model) ?? money.zero) : amount
  }

  /**
   * Removes a reservation from `unknownCounts` if its hold is unknown. Returns the amount that `committed` contains for
   * the reservation.
   */
  private resolveUnknown(reservation: Reservation): money.Amount {
    const { isHoldUnknown, model } = reservation
    if (isHoldUnknown && !this.assumedHolds.has(model)) this.adjustUnknownCount(model, -1)
    return this.countedAmount(reservation)
  }

  /**
   * Returns a reservation if the limit allows the execution. Otherwise, returns a shortage, or `undefined` while an
   * active reservation can still free part of the limit.
   */
  private tryReserve(
    model: string,
    expectedHold: money.Amount | undefined,
    replaced: EarlierSubmission | undefined
  ): Either.Either<Reservation, BudgetShortage> | undefined {
    const knownHold = expectedHold ?? this.maxHolds.get(model)
    const isHoldUnknown = knownHold === undefined
    const amount = knownHold ?? money.zero
    const freed = replaced === undefined ? money.zero : this.countedAmount(replaced)
    const sum = BigDecimal.sum(BigDecimal.subtract(this.committed, freed), amount)
    // A model with an unknown hold runs one execution at a time, because concurrent executions could exceed the limit.
    // The replaced submission does not count as another execution.
    const isReplacedUnknown = replaced?.isHoldUnknown === true && replaced.model === model
    const otherUnknowns = (this.unknownCounts.get(model) ?? 0) - (isReplacedUnknown ? 1 : 0)
    const isWithinLimit = isHoldUnknown
      ? BigDecimal.lessThan(sum, this.limit)
      : BigDecimal.lessThanOrEqualTo(sum, this.limit)
    const shortage = isHoldUnknown && otherUnknowns > 0 ? "UnknownHold" : isWithinLimit ? undefined : "MaxCost"
    if (shortage !== undefined) return this.runningCount === 0 ? Either.left(shortage) : undefined
    if (replaced !== undefined) this.resolveUnknown(replaced)
    if (isHoldUnknown) this.adjustUnknownCount(model, 1)
    this.runningCount += 1
    this.committed = sum
    return Either.right({ model, amount, isHoldUnknown })
  }
}
