/**
 * Tracks the account of the organization: balance, holds and charges.
 */
import * as Money from "./money.js"

/**
 * The balance of the account. Amounts are decimal strings in dollars. `total` is the sum of `available` and `held`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Balance {
  /** Balance after all charges, including the held amount. */
  readonly total: string
  /** Sum of the holds of the running executions. */
  readonly held: string
  /** Balance that is available for new holds. The API rejects a create request with a higher hold. */
  readonly available: string
  /** Sum of all charges. */
  readonly charged: string
}

/** @internal */
export interface Account {
  /** Holds an amount and returns `true`. Returns `false` if the available balance is lower than the amount. */
  readonly hold: (amount: Money.Micros) => boolean
  /** Releases a hold and charges the cost. The cost is 0 unless the execution completed. */
  readonly settle: (hold: Money.Micros, cost: Money.Micros) => void
  readonly topUp: (amount: Money.Micros) => void
  readonly balance: () => Balance
}

/** @internal */
export const make = (initial: Money.Micros): Account => {
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
