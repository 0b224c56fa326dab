/**
 * What a batch may cost, and what it costs: settled costs and standing holds together never pass the limit, as far as the hold of an
 * execution can be known before it is submitted.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Execution } from "../../Execution.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalid } from "../errors/invalidRequest.js"
import * as money from "../data/money.js"
import { safely } from "../telemetry.js"

/** @internal What the caller gives as an amount, in the option `field`: a decimal number that is not below zero. */
export const given = (field: string, text: unknown): Either.Either<money.Amount, InvalidRequest> => {
  const amount = typeof text === "string" && /^\d+(\.\d+)?$/.test(text) ? money.parse(text) : undefined
  return amount === undefined
    ? Either.left(
        invalid("Batch.run", field, "is not an amount of dollars", 'Give a decimal string such as "0.048" or "25.00".')
      )
    : Either.right(amount)
}

/** @internal What is kept free for one execution. */
export interface Reservation {
  readonly model: string
  /** Nothing where it is not known. */
  readonly amount: money.Amount
  /** Whether nobody knows what it holds: others of its model wait until that is known. */
  readonly isUnknown: boolean
}

/** @internal A submission of an earlier run. */
export interface Earlier extends Reservation {
  /** What the API has held for it, where it has told. */
  readonly hold: money.Amount | undefined
}

/** @internal Why there is no room: what there is has been used, or nobody knows how much an execution of the model takes. */
export type Shortage = "MaxCost" | "UnknownHold"

/** @internal */
export class Spending {
  /** The most that an execution of a model is known to have held. */
  private readonly holds = new Map<string, money.Amount>()
  /** By model, how many submissions hold what nobody knows, or may do so. */
  private readonly unknown = new Map<string, number>()
  /** By model, what is counted for each of those since another has told what it holds. */
  private readonly assumed = new Map<string, money.Amount>()
  /** What executions have cost and hold. */
  private committed = money.zero
  /** Executions whose end can make room. */
  private running = 0
  private readonly waiting = new Set<() => void>()
  /** The models whose unknown hold was logged. */
  private readonly warned = new Set<string>()

  constructor(private readonly limit: money.Amount) {}

  /** Counts it; all of them before the first reservation. */
  recall({ amount, hold, isUnknown, model }: Earlier): void {
    this.committed = BigDecimal.sum(this.committed, amount)
    if (hold !== undefined) this.learn(model, hold)
    if (isUnknown) this.countUnknown(model, 1)
  }

  /** All of them are. */
  recalled(): void {
    for (const model of Array.from(this.unknown.keys())) this.assume(model)
  }

  /** One of an earlier run is waited for, or submitted, again: it was counted. */
  again(earlier: Earlier): Reservation {
    const { isUnknown, model } = earlier
    this.running += 1
    return { model, amount: this.counted(earlier), isUnknown: isUnknown && !this.assumed.has(model) }
  }

  /**
   * Waits until there is room for one more execution, which takes the place of `abandoned`; there is none when nothing that runs
   * could make any.
   */
  reserve(
    model: string,
    expected: money.Amount | undefined,
    abandoned: Earlier | undefined
  ): Effect.Effect<Either.Either<Reservation, Shortage>> {
    return Effect.async((resume) => {
      // Tried and waited for in one go: what runs may end at any moment between.
      const attempt = () => {
        const room = this.attempt(model, expected, abandoned)
        if (room === undefined) return
        this.waiting.delete(attempt)
        resume(Effect.succeed(room))
      }
      this.waiting.add(attempt)
      attempt()
      return Effect.sync(() => this.waiting.delete(attempt))
    })
  }

  /** Says once per model that `maxCost` has to do without what the API holds. */
  warnOfUnknownHold({ extra, model = "" }: Execution): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.warned.has(model)) return Effect.void
      this.warned.add(model)
      const given = extra["hold_amount"]
      const reason = given === undefined ? "not said" : `said ${JSON.stringify(given)}, which is no amount, for`
      return safely(
        Effect.logWarning(
          `The API has ${reason} what an execution of ${model} holds. Under maxCost, one execution of the model runs at a time until one has told what it costs; the option hold tells it beforehand`
        )
      )
    })
  }

  /** There is no room for anything, and nothing runs that could make any. */
  get isUsedUp(): boolean {
    return this.running === 0 && BigDecimal.greaterThanOrEqualTo(this.committed, this.limit)
  }

  /** An execution was accepted, and what it holds is known, if the API tells it. */
  accepted(reservation: Reservation, hold: money.Amount | undefined): Reservation {
    if (hold === undefined) return reservation
    const before = this.taken(reservation)
    const { model } = reservation
    this.learn(model, hold)
    this.assume(model)
    this.change(before, hold)
    return { model, amount: hold, isUnknown: false }
  }

  /** This run has done with it: what it has cost, or `undefined` if that is unknown or it may still hold something. */
  settled(reservation: Reservation, cost: money.Amount | undefined): void {
    this.running -= 1
    if (cost === undefined) return this.change(money.zero, money.zero)
    const before = this.taken(reservation)
    // Where the API tells no holds.
    if (reservation.isUnknown && BigDecimal.greaterThan(cost, money.zero)) {
      this.learn(reservation.model, cost)
      this.assume(reservation.model)
    }
    this.change(before, cost)
  }

  private change(before: money.Amount, after: money.Amount): void {
    this.committed = BigDecimal.sum(this.committed, BigDecimal.subtract(after, before))
    for (const attempt of Array.from(this.waiting)) attempt()
  }

  private learn(model: string, hold: money.Amount): void {
    const most = this.holds.get(model)
    if (most === undefined || BigDecimal.greaterThan(hold, most)) this.holds.set(model, hold)
  }

  private countUnknown(model: string, by: 1 | -1): void {
    const count = (this.unknown.get(model) ?? 0) + by
    if (count > 0) this.unknown.set(model, count)
    else this.unknown.delete(model)
  }

  /** Counts as much for each submission of unknown hold as another of its model has held. */
  private assume(model: string): void {
    const hold = this.holds.get(model)
    const count = this.unknown.get(model)
    if (hold === undefined || count === undefined) return
    this.unknown.delete(model)
    this.assumed.set(model, hold)
    this.committed = BigDecimal.sum(this.committed, BigDecimal.multiply(hold, BigDecimal.fromBigInt(BigInt(count))))
  }

  /** What is counted for it. */
  private counted({ amount, isUnknown, model }: Reservation): money.Amount {
    return isUnknown ? (this.assumed.get(model) ?? money.zero) : amount
  }

  /** The same, and from now on it is known, or nothing. */
  private taken(reservation: Reservation): money.Amount {
    const { isUnknown, model } = reservation
    if (isUnknown && !this.assumed.has(model)) this.countUnknown(model, -1)
    return this.counted(reservation)
  }

  private attempt(
    model: string,
    given: money.Amount | undefined,
    abandoned: Earlier | undefined
  ): Either.Either<Reservation, Shortage> | undefined {
    const expected = given ?? this.holds.get(model)
    const isUnknown = expected === undefined
    const amount = expected ?? money.zero
    const before = abandoned === undefined ? money.zero : this.counted(abandoned)
    const sum = BigDecimal.sum(BigDecimal.subtract(this.committed, before), amount)
    // Until one execution has told what its model holds, others of it might take more than there is.
    const others = (this.unknown.get(model) ?? 0) - (abandoned?.isUnknown === true && abandoned.model === model ? 1 : 0)
    const isWithin = isUnknown ? BigDecimal.lessThan(sum, this.limit) : BigDecimal.lessThanOrEqualTo(sum, this.limit)
    const shortage = isUnknown && others > 0 ? "UnknownHold" : isWithin ? undefined : "MaxCost"
    if (shortage !== undefined) return this.running === 0 ? Either.left(shortage) : undefined
    if (abandoned !== undefined) this.taken(abandoned)
    if (isUnknown) this.countUnknown(model, 1)
    this.running += 1
    this.committed = sum
    return Either.right({ model, amount, isUnknown })
  }
}
