/**
 * Amounts in dollars, as decimal strings without an exponent.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** @internal An amount in dollars. */
export type Amount = BigDecimal.BigDecimal

/** @internal */
export const zero: Amount = BigDecimal.unsafeFromString("0")

/** Limits the digits, because `1e-999999999` would be written with a billion zeros. */
const amountPattern = /^\d{1,30}(\.\d{1,30})?(e[+-]?\d{1,2})?$/i

/** @internal Writes all digits. `BigDecimal.format` writes small amounts with an exponent, which can be misread. */
export const format = (amount: Amount): string => {
  const { scale, value } = BigDecimal.normalize(amount)
  const digits = String(value < 0n ? -value : value)
  const sign = value < 0n ? "-" : ""
  if (scale <= 0) return sign + digits + "0".repeat(-scale)
  const padded = digits.padStart(scale + 1, "0")
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

/** @internal Writes at least two decimal places. */
export const formatDollars = (amount: Amount): string => {
  const [whole = "", fraction = ""] = format(amount).split(".")
  return `${whole}.${fraction.padEnd(2, "0")}`
}

/** @internal Returns `undefined` if the amount cannot be read. It is then unknown, not zero. */
export const parse = (text: string | undefined): Amount | undefined =>
  text !== undefined && amountPattern.test(text) ? Option.getOrUndefined(BigDecimal.fromString(text)) : undefined

/** Returns a decimal string unchanged, and converts a number or an exponent to a decimal string. */
const toDecimalString = (wire: string | number): string | undefined => {
  const text = String(wire).trim()
  const amount = parse(text)
  if (amount === undefined) return undefined
  return /e/i.test(text) ? format(amount) : text
}

/** @internal The schema of an amount in a response. Other texts, such as `$0.048` or `0,048`, do not decode. */
export const Money = Schema.transformOrFail(Schema.Union(Schema.String, Schema.Number), Schema.String, {
  strict: true,
  decode: (wire, _, ast) => {
    const text = toDecimalString(wire)
    return text === undefined
      ? ParseResult.fail(new ParseResult.Type(ast, wire, "is not an amount"))
      : ParseResult.succeed(text)
  },
  encode: ParseResult.succeed
})

/** @internal Tests whether an amount in a response can be read. */
export const isAmount = (wire: unknown): boolean =>
  (typeof wire === "string" || typeof wire === "number") && toDecimalString(wire) !== undefined
