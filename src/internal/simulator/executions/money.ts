/**
 * Amounts of money as integers of a millionth, so that the sum of thousands of holds stays exact.
 *
 * @internal
 */
const decimals = 6

/** @internal */
export type Micros = number

/** @internal */
export const parse = (text: string): Micros => {
  const [, whole, fraction = ""] = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text) ?? []
  if (whole === undefined) {
    throw new RangeError(`"${text}" is no amount: write digits with at most ${decimals} decimals, such as "0.040"`)
  }
  return Number(whole + fraction.padEnd(decimals, "0"))
}

/** @internal At least three decimals, as in the API's samples: `0.040`. */
export const format = (micros: Micros): string => {
  const digits = String(micros).padStart(decimals + 1, "0")
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals).replace(/0{1,3}$/, "")}`
}

/** @internal What is set aside while an execution runs: 1.2 times the estimate, at least one cent. */
export const holdFor = (estimate: Micros): Micros => Math.max(10_000, Math.ceil((estimate * 6) / 5))
