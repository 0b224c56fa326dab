/**
 * What a batch may cost, and what it costs: settled costs and standing holds together never pass the limit, as far as the hold of an
 * execution can be known before it is submitted.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalid } from "../invalid.js"

/** @internal Dollars. */
export type Amount = BigDecimal.BigDecimal

const nothing = BigDecimal.unsafeFromString("0")

/** @internal What cannot be read counts for nothing. */
export const amount = (text: string | undefined): Amount =>
  text === undefined ? nothing : Option.getOrElse(BigDecimal.fromString(text), () => nothing)

/** @internal What the caller gives as an amount, in the option `field`: a decimal number that is not below zero. */
export const given = (field: string, text: string): Effect.Effect<Amount, InvalidRequest> =>
  /^\d+(\.\d+)?$/.test(text)
    ? Effect.succeed(BigDecimal.unsafeFromString(text))
    : Effect.fail(
        invalid("Batch.run", field, "is not an amount of dollars", 'Give a decimal string such as "0.048" or "25.00".')
      )

/** @internal With cents, and more digits where there are more. */
export const format = (sum: Amount): string => {
  const [whole = "", fraction = ""] = BigDecimal.format(sum).split(".")
  return `${whole}.${fraction.padEnd(2, "0")}`
}

/** @internal What is kept free for one execution before it is submitted. */
export interface Reservation {
  readonly model: string
  /** Nothing where it is not known. */
  readonly amount: Amount
  /** Whether nobody knows what an execution of its model holds: others of it wait until this one has told. */
  readonly isProbe: boolean
}

/** @internal A submission of an earlier run. */
export interface Earlier {
  readonly model: string
  /** What it has cost, or may hold. */
  readonly amount: Amount
  /** What it held, or was expected to. */
  readonly hold: Amount
  /** Whether it may hold what nobody knows. */
  readonly isUnknown: boolean
}

/** @internal Why there is no room: what there is has been used, or nobody knows how much an execution of the model takes. */
export type Shortage = "MaxCost" | "UnknownHold"

/** @internal */
export class Spending {
  /** The most that an execution of a model is known to have held. */
  private readonly holds = new Map<string, Amount>()
  /** By model, how many submissions hold what nobody knows, or may do so. */
  private readonly unknown = new Map<string, number>()
  /** By model, what is counted for each of those since another has told what it holds. */
  private readonly assumed = new Map<string, Amount>()
  /** What executions have cost and hold. */
  private committed = nothing
  /** Executions whose end can make room. */
  private running = 0
  private readonly waiting = new Set<() => void>()

  constructor(private readonly limit: Amount) {}

  /** Counts it; all of them before the first reservation. */
  recall({ amount, hold, isUnknown, model }: Earlier): void {
    this.committed = BigDecimal.sum(this.committed, amount)
    this.learn(model, hold)
    if (isUnknown) this.countUnknown(model, 1)
  }

  /** All of them are. */
  recalled(): void {
    for (const model of Array.from(this.unknown.keys())) this.assume(model)
  }

  /** The caller says that nothing has come of it. */
  abandon({ amount, isUnknown, model }: Earlier): void {
    this.change(isUnknown ? this.taken({ model, amount, isProbe: true }) : amount, nothing)
  }

  /** What an earlier run has submitted is submitted again: it was counted. */
  again(model: string, hold: Amount | undefined): Reservation {
    this.running += 1
    const known = hold ?? this.assumed.get(model)
    return { model, amount: known ?? nothing, isProbe: known === undefined }
  }

  /** Waits until there is room for one more execution; there is none when nothing that runs could make any. */
  reserve(model: string, expected: Amount | undefined): Effect.Effect<Either.Either<Reservation, Shortage>> {
    return Effect.suspend(() => this.attempt(model, expected))
  }

  /** There is no room for anything, and nothing runs that could make any. */
  get isUsedUp(): boolean {
    return this.running === 0 && BigDecimal.greaterThanOrEqualTo(this.committed, this.limit)
  }

  /** An execution of an earlier run is waited for again. */
  resumed(): void {
    this.running += 1
  }

  /** An execution was accepted: what it holds is known. */
  accepted(reservation: Reservation, hold: Amount): void {
    const before = this.taken(reservation)
    this.learn(reservation.model, hold)
    this.assume(reservation.model)
    this.change(before, hold)
  }

  /** A create was not accepted, and whether it holds anything is for a later run to find out, or it holds nothing. */
  refused(reservation: Reservation, isCertain: boolean): void {
    this.running -= 1
    this.change(isCertain ? this.taken(reservation) : nothing, nothing)
  }

  /** What was held is settled. */
  ended(held: Amount, cost: Amount): void {
    this.running -= 1
    this.change(held, cost)
  }

  private change(before: Amount, after: Amount): void {
    this.committed = BigDecimal.sum(this.committed, BigDecimal.subtract(after, before))
    for (const wake of this.waiting) wake()
  }

  private learn(model: string, hold: Amount): void {
    if (BigDecimal.greaterThan(hold, this.holds.get(model) ?? nothing)) this.holds.set(model, hold)
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

  /** What is counted for it, which from now on is known or nothing. */
  private taken({ amount, isProbe, model }: Reservation): Amount {
    if (!isProbe) return amount
    const assumed = this.assumed.get(model)
    if (assumed === undefined) this.countUnknown(model, -1)
    return assumed ?? nothing
  }

  private attempt(model: string, given: Amount | undefined): Effect.Effect<Either.Either<Reservation, Shortage>> {
    const expected = given ?? this.holds.get(model)
    const isProbe = expected === undefined
    // Until one execution has told what its model holds, others of it might take more than there is.
    const isUnknown = isProbe && this.unknown.has(model)
    if (!isUnknown) {
      const reserved = expected ?? nothing
      const sum = BigDecimal.sum(this.committed, reserved)
      if (isProbe ? BigDecimal.lessThan(sum, this.limit) : BigDecimal.lessThanOrEqualTo(sum, this.limit)) {
        if (isProbe) this.countUnknown(model, 1)
        this.running += 1
        this.committed = sum
        return Effect.succeed(Either.right({ model, amount: reserved, isProbe }))
      }
    }
    if (this.running === 0) return Effect.succeed(Either.left(isUnknown ? "UnknownHold" : "MaxCost"))
    return Effect.zipRight(
      this.changed,
      Effect.suspend(() => this.attempt(model, given))
    )
  }

  private readonly changed: Effect.Effect<void> = Effect.async((resume) => {
    const wake = () => {
      this.waiting.delete(wake)
      resume(Effect.void)
    }
    this.waiting.add(wake)
    return Effect.sync(() => this.waiting.delete(wake))
  })
}
