/**
 * What a batch may cost, and what it costs: settled costs and standing holds together never pass the limit, as far as the hold of an
 * execution can be known before it is submitted.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Effect from "effect/Effect"
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
  /** Whether others of its model wait until it has told what it holds. */
  readonly isProbe: boolean
}

/** @internal */
export class Spending {
  /** The most that an execution of a model is known to have held. */
  private readonly holds = new Map<string, Amount>()
  /** The models of which nothing is known, and one execution is on its way to tell, or may be. */
  private readonly probed = new Set<string>()
  /** What executions have cost and hold. */
  private committed = nothing
  /** Executions whose end can make room. */
  private running = 0
  private readonly waiting = new Set<() => void>()
  /** Of an earlier run, and nobody knows whether they hold anything: how many, by model, and what is counted for each. */
  private readonly unknown = new Map<string, number>()
  private readonly assumed = new Map<string, Amount>()

  constructor(private readonly limit: Amount) {}

  /** What is known of an execution of an earlier run. */
  recall(about: {
    readonly model: string
    readonly amount: Amount
    readonly hold: Amount
    /** Whether it may hold what nobody knows. */
    readonly isUnknown: boolean
  }): void {
    this.committed = BigDecimal.sum(this.committed, about.amount)
    this.learn(about.model, about.hold)
    if (about.isUnknown) this.unknown.set(about.model, (this.unknown.get(about.model) ?? 0) + 1)
  }

  /** All of them are. */
  recalled(): void {
    for (const [model, count] of this.unknown) {
      const hold = this.holds.get(model)
      if (hold === undefined) {
        this.probed.add(model)
      } else {
        this.assumed.set(model, hold)
        this.committed = BigDecimal.sum(this.committed, BigDecimal.multiply(hold, BigDecimal.fromBigInt(BigInt(count))))
      }
    }
  }

  /** What an earlier run has submitted is submitted again: it was counted. */
  again(model: string, hold: Amount | undefined): Reservation {
    this.running += 1
    const known = hold ?? this.assumed.get(model)
    return { model, amount: known ?? nothing, isProbe: known === undefined }
  }

  /** Waits until there is room for one more execution; none when there is none, and nothing that runs could make any. */
  reserve(model: string, expected: Amount | undefined): Effect.Effect<Option.Option<Reservation>> {
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
  accepted({ amount, isProbe, model }: Reservation, hold: Amount): void {
    this.learn(model, hold)
    if (isProbe) this.probed.delete(model)
    this.change(amount, hold)
  }

  /** A create was not accepted, and whether it holds anything is for a later run to find out, or it holds nothing. */
  refused({ amount, isProbe, model }: Reservation, isCertain: boolean): void {
    if (isProbe && isCertain) this.probed.delete(model)
    this.ended(amount, isCertain ? nothing : amount)
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

  private attempt(model: string, given: Amount | undefined): Effect.Effect<Option.Option<Reservation>> {
    const expected = given ?? this.holds.get(model)
    // Until one execution has told what its model holds, others of it might take more than there is.
    const isProbe = expected === undefined
    if (!(isProbe && this.probed.has(model))) {
      const reserved = expected ?? nothing
      const sum = BigDecimal.sum(this.committed, reserved)
      if (isProbe ? BigDecimal.lessThan(sum, this.limit) : BigDecimal.lessThanOrEqualTo(sum, this.limit)) {
        if (isProbe) this.probed.add(model)
        this.running += 1
        this.committed = sum
        return Effect.succeedSome({ model, amount: reserved, isProbe })
      }
    }
    if (this.running === 0) return Effect.succeedNone
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
