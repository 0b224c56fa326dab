/**
 * The cost limit of a batch. Settled costs and current holds together stay within the limit, as far as the hold of an
 * execution is known before it is submitted.
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

/** @internal Parses the amount in the option `field`: a decimal string of at least zero. */
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

/** @internal The amount that is reserved for one execution. */
export interface Reservation {
  readonly model: string
  /** Zero if the hold is unknown. */
  readonly amount: money.Amount
  /** Whether the hold is unknown. Then other items of the model wait until it is known. */
  readonly isHoldUnknown: boolean
}

/** @internal A submission of an earlier run. */
export interface EarlierSubmission extends Reservation {
  /** The hold that the API reported, if it did. */
  readonly hold: money.Amount | undefined
}

/**
 * Why nothing can be reserved. `MaxCost`: the limit is reached. `UnknownHold`: the hold of the model is unknown.
 *
 * @internal
 */
export type BudgetShortage = "MaxCost" | "UnknownHold"

/** @internal */
export class CostBudget {
  /** By model: the highest known hold of an execution. */
  private readonly maxHolds = new Map<string, money.Amount>()
  /** By model: how many submissions have an unknown hold, or may have one. */
  private readonly unknownCounts = new Map<string, number>()
  /**
   * By model: the amount that is counted for each of these submissions, once another execution of the model has
   * reported its hold.
   */
  private readonly assumedHolds = new Map<string, money.Amount>()
  /** Sum of settled costs and current holds. */
  private committed = money.zero
  /** How many executions run whose end can free an amount. */
  private runningCount = 0
  private readonly waiters = new Set<() => void>()
  /** The models whose unknown hold has been logged. */
  private readonly warnedModels = new Set<string>()

  constructor(private readonly limit: money.Amount) {}

  /** Counts a submission of an earlier run. Must not be called after the first reservation. */
  addEarlier({ amount, hold, isHoldUnknown, model }: EarlierSubmission): void {
    this.committed = BigDecimal.sum(this.committed, amount)
    if (hold !== undefined) this.recordHold(model, hold)
    if (isHoldUnknown) this.adjustUnknownCount(model, 1)
  }

  /** Counts the known hold of a model for its submissions of unknown hold. Call it after the last `addEarlier`. */
  assumeUnknownHolds(): void {
    for (const model of Array.from(this.unknownCounts.keys())) this.assumeHold(model)
  }

  /** Reserves for an earlier submission that this run awaits or submits again. Its amount is already counted. */
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
   * Waits until the limit has room for one more execution, and reserves it. Frees the amount of `replaced`, which the
   * execution replaces. Returns a `BudgetShortage` if no running execution can make room.
   */
  reserve(
    model: string,
    expectedHold: money.Amount | undefined,
    replaced: EarlierSubmission | undefined
  ): Effect.Effect<Either.Either<Reservation, BudgetShortage>> {
    return Effect.async((resume) => {
      // The first try and the registration run in one synchronous step. Otherwise an execution could end between them
      // unnoticed.
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

  /** Logs once per model that the API did not report a hold. */
  warnOfUnknownHold({ extra, model = "" }: Execution): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.warnedModels.has(model)) return Effect.void
      this.warnedModels.add(model)
      const reported = extra["hold_amount"]
      const problem =
        reported === undefined
          ? `reported no hold for an execution of ${model}`
          : `reported the hold ${JSON.stringify(reported)} for an execution of ${model}, which is not an amount`
      return runSafely(
        Effect.logWarning(
          `The API ${problem}. With maxCost, executions of this model run one at a time until one has reported its cost. The option hold sets the hold beforehand`
        )
      )
    })
  }

  /** Whether the limit is reached and no running execution can free an amount. */
  get isExhausted(): boolean {
    return this.runningCount === 0 && BigDecimal.greaterThanOrEqualTo(this.committed, this.limit)
  }

  /** Records that the API accepted an execution. Replaces the reserved amount by its hold, if the API reported one. */
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
  settle(reservation: Reservation, cost: money.Amount | undefined): void {
    this.runningCount -= 1
    if (cost === undefined) return this.replaceAmount(money.zero, money.zero)
    const before = this.resolveUnknown(reservation)
    // Without reported holds, the cost of one execution is the best estimate for the next.
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

  /** Counts the highest known hold of the model for each of its submissions of unknown hold. */
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

  /** Returns the counted amount, and stops counting the reservation as one of unknown hold. */
  private resolveUnknown(reservation: Reservation): money.Amount {
    const { isHoldUnknown, model } = reservation
    if (isHoldUnknown && !this.assumedHolds.has(model)) this.adjustUnknownCount(model, -1)
    return this.countedAmount(reservation)
  }

  /** Returns a reservation, a shortage, or `undefined` if a running execution may make room. */
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
    // While the hold of a model is unknown, its other executions could exceed the limit.
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
