/**
 * Enforces the cost limit of a batch. The sum of settled costs and current holds stays within the limit. Only a
 * submission with an unknown hold can exceed the limit.
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
  /** Indicates whether the hold is unknown. Other items of the model wait while the hold is unknown. */
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
 * - `MaxCost`: the limit is reached.
 * - `UnknownHold`: the hold of the model is unknown.
 *
 * @internal
 */
export type BudgetShortage = "MaxCost" | "UnknownHold"

/** @internal */
export class CostBudget {
  /** Highest known hold of an execution, by model. */
  private readonly maxHolds = new Map<string, money.Amount>()
  /**
   * Number of submissions with neither a known hold nor an assumed hold, by model. The number includes submissions that
   * the API may not have accepted.
   */
  private readonly unknownCounts = new Map<string, number>()
  /**
   * Hold that the budget assumes for each submission with an unknown hold, by model. The value is present after the
   * hold or the cost of another execution of the model is known.
   */
  private readonly assumedHolds = new Map<string, money.Amount>()
  /** Sum of settled costs and current holds. */
  private committed = money.zero
  /** Number of active reservations. The end of each active reservation can free part of the limit. */
  private runningCount = 0
  private readonly waiters = new Set<() => void>()
  /** Models whose unknown hold has been logged. */
  private readonly warnedModels = new Set<string>()

  constructor(private readonly limit: money.Amount) {}

  /** Adds a submission of an earlier run. The caller must add all earlier submissions before the first reservation. */
  addEarlier({ amount, hold, isHoldUnknown, model }: EarlierSubmission): void {
    this.committed = BigDecimal.sum(this.committed, amount)
    if (hold !== undefined) this.recordHold(model, hold)
    if (isHoldUnknown) this.adjustUnknownCount(model, 1)
  }

  /**
   * Assigns the highest known hold of each model to its submissions with an unknown hold. The caller must run this
   * method after the last `addEarlier`.
   */
  assumeUnknownHolds(): void {
    for (const model of Array.from(this.unknownCounts.keys())) this.assumeHold(model)
  }

  /**
   * Returns a reservation for an earlier submission that this run awaits or resends. The committed sum already contains
   * the amount.
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
   * Waits until the limit allows one more execution, and reserves its expected hold. Releases the amount of the
   * `replaced` submission in the same step. Returns a `BudgetShortage` as a `Left` if the limit allows no execution and
   * no reservation is active.
   */
  reserve(
    model: string,
    expectedHold: money.Amount | undefined,
    replaced: EarlierSubmission | undefined
  ): Effect.Effect<Either.Either<Reservation, BudgetShortage>> {
    return Effect.async((resume) => {
      // The registration and the first attempt run in one synchronous step, so no reservation can end between the two.
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

  /** Logs that the API did not report a valid hold. Logs once per model. */
  warnOfUnknownHold({ extra, model = "" }: Execution): Effect.Effect<void> {
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

  /** Returns whether the limit is reached and no active reservation can free an amount. */
  get isExhausted(): boolean {
    return this.runningCount === 0 && BigDecimal.greaterThanOrEqualTo(this.committed, this.limit)
  }

  /**
   * Records that the API accepted an execution. Replaces the reserved amount with `hold`, unless `hold` is `undefined`.
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
   * Ends a reservation of this run. `cost` is `undefined` if the cost is unknown or the execution may still have a
   * hold.
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
    const count = (this.unknownCounts.get(model) ?? 0) + by
    if (count > 0) this.unknownCounts.set(model, count)
    else this.unknownCounts.delete(model)
  }

  /** Adds the highest known hold of the model to the committed sum for each submission with an unknown hold. */
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

  /** Removes a reservation from the submissions with an unknown hold. Returns the counted amount of the reservation. */
  private resolveUnknown(reservation: Reservation): money.Amount {
    const { isHoldUnknown, model } = reservation
    if (isHoldUnknown && !this.assumedHolds.has(model)) this.adjustUnknownCount(model, -1)
    return this.countedAmount(reservation)
  }

  /** Returns a reservation or a shortage. Returns `undefined` if an active reservation can still free an amount. */
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
    // Concurrent executions of a model with an unknown hold could exceed the limit.
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
