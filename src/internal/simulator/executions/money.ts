/**
 * Converts amounts of money. Amounts are integers in millionths of a dollar, so that sums are exact.
 *
 * @internal
 */
const decimals = 6

/** @internal */
export type Micros = number

/** @internal Parses a decimal string. Throws a `RangeError` if the string is not an amount. */
export const parse = (text: string): Micros => {
  const [, integer, fraction = ""] = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text) ?? []
  if (integer === undefined) {
    throw new RangeError(`"${text}" is not an amount. Use digits with at most ${decimals} decimals, such as "0.040"`)
  }
  return Number(integer + fraction.padEnd(decimals, "0"))
}

/** @internal Returns a decimal string with at least three decimals, for example `0.040`. */
export const format = (micros: Micros): string => {
  const digits = String(micros).padStart(decimals + 1, "0")
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals).replace(/0{1,3}$/, "")}`
}

/** @internal Returns the hold for an estimated cost. The hold is 1.2 times the estimate and at least one cent. */
export const holdFor = (estimate: Micros): Micros => Math.max(10_000, Math.ceil((estimate * 6) / 5))
