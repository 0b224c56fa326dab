/**
 * What a batch may cost, and what it costs: settled costs and standing holds together never pass the limit, as far as the hold of an
 * execution can be known before it is submitted.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** @internal Dollars. */
export type Amount = BigDecimal.BigDecimal

const nothing = BigDecimal.unsafeFromString("0")

/** @internal What cannot be read counts for nothing. */
export const amount = (text: string | undefined): Amount =>
  text === undefined ? nothing : Option.getOrElse(BigDecimal.fromString(text), () => nothing)

/** @internal `undefined` for what is no amount of money: not a decimal number, or below zero. */
export const parse = (text: string): Amount | undefined => {
  if (!/^\d+(\.\d+)?$/.test(text)) return undefined
  return BigDecimal.unsafeFromString(text)
}

/** @internal With cents, and more digits where there are more. */
export const format = (sum: Amount): string => {
  const [whole = "", fraction = ""] = BigDecimal.format(sum).split(".")
  return `${whole}.${fraction.padEnd(2, "0")}`
}

/** @internal What is kept free for one execution before it is submitted. */
export interface Reservation {
  readonly model: string
  readonly amount: Amount
}

/** @internal */
export class Spending {
  /** The most that an execution of a model is known to have held. */
  private readonly holds = new Map<string, Amount>()
  /** The models of which nothing is known, and one execution is on its way to tell. */
  private readonly probed = new Set<string>()
  /** What executions have cost and hold. */
  private committed = nothing
  /** Executions whose end can make room. */
  private running = 0
  private readonly waiting = new Set<() => void>()

  constructor(private readonly limit: Amount) {}

  /** What is known of an execution of an earlier run. */
  recall({ amount, hold, model }: { readonly model: string; readonly amount: Amount; readonly hold: Amount }): void {
    this.committed = BigDecimal.sum(this.committed, amount)
    this.learn(model, hold)
  }

  /** Waits until there is room for one more execution; none when there is none, and nothing that runs could make any. */
  reserve(model: string, expected: Amount | undefined): Effect.Effect<Option.Option<Reservation>> {
    return Effect.suspend(() => this.attempt(model, expected))
  }

  /** An execution of an earlier run is waited for again. */
  resumed(): void {
    this.running += 1
  }

  /** An execution was accepted: what it holds is known. */
  accepted({ amount, model }: Reservation, hold: Amount): void {
    this.learn(model, hold)
    this.probed.delete(model)
    this.change(amount, hold)
  }

  /** A create was not accepted, and whether it holds anything is for a later run to find out, or it holds nothing. */
  refused({ amount, model }: Reservation, isCertain: boolean): void {
    this.probed.delete(model)
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
        return Effect.succeedSome({ model, amount: reserved })
      }
      if (this.running === 0) return Effect.succeedNone
    }
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
