/**
 * The organization's money: what it has, what of that is on hold, and what it has been charged.
 */
import type { Micros } from "./money.js"
import * as Money from "./money.js"

/**
 * The account at one moment, in dollars as decimal strings. `total` is `available` and `held` together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Balance {
  readonly total: string
  readonly held: string
  readonly available: string
  readonly charged: string
}

/** @internal */
export interface Account {
  /** Sets an amount aside, unless there is too little. */
  readonly hold: (amount: Micros) => boolean
  /** Gives a hold back and takes what the execution cost, which may be nothing. */
  readonly settle: (hold: Micros, cost: Micros) => void
  readonly topUp: (amount: Micros) => void
  readonly balance: () => Balance
}

/** @internal */
export const make = (initial: Micros): Account => {
  let total = initial
  let held = 0
  let charged = 0
  return {
    hold: (amount) => {
      if (total - held < amount) {
        return false
      }
      held += amount
      return true
    },
    settle: (hold, cost) => {
      held -= hold
      total -= cost
      charged += cost
    },
    topUp: (amount) => {
      total += amount
    },
    balance: () => ({
      total: Money.format(total),
      held: Money.format(held),
      available: Money.format(total - held),
      charged: Money.format(charged)
    })
  }
}
