/**
 * Amounts of dollars: decimal strings, never in exponent form.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** @internal Dollars. */
export type Amount = BigDecimal.BigDecimal

/** @internal */
export const zero: Amount = BigDecimal.unsafeFromString("0")

/** The digits are bounded: `1e-999999999` would be written with a billion zeros. */
const amountPattern = /^\d{1,30}(\.\d{1,30})?(e[+-]?\d{1,2})?$/i

/** @internal Writes all digits. `BigDecimal.format` uses an exponent for small amounts, which reads as dollars. */
export const format = (amount: Amount): string => {
  const { scale, value } = BigDecimal.normalize(amount)
  const digits = String(value < 0n ? -value : value)
  const sign = value < 0n ? "-" : ""
  if (scale <= 0) return sign + digits + "0".repeat(-scale)
  const padded = digits.padStart(scale + 1, "0")
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

/** @internal With cents, and more digits if there are more. */
export const formatDollars = (amount: Amount): string => {
  const [whole = "", fraction = ""] = format(amount).split(".")
  return `${whole}.${fraction.padEnd(2, "0")}`
}

/** @internal An amount that cannot be read is unknown: not zero. */
export const parse = (text: string | undefined): Amount | undefined =>
  text !== undefined && amountPattern.test(text) ? Option.getOrUndefined(BigDecimal.fromString(text)) : undefined

/** A decimal string is kept as it is; a number, or an exponent, becomes one. */
const read = (wire: string | number): string | undefined => {
  const text = String(wire).trim()
  const amount = parse(text)
  if (amount === undefined) return undefined
  return /e/i.test(text) ? format(amount) : text
}

/** @internal An amount in a response. Anything else, such as `$0.048` or `0,048`, does not decode. */
export const Money = Schema.transformOrFail(Schema.Union(Schema.String, Schema.Number), Schema.String, {
  strict: true,
  decode: (wire, _, ast) => {
    const text = read(wire)
    return text === undefined
      ? ParseResult.fail(new ParseResult.Type(ast, wire, "is not an amount"))
      : ParseResult.succeed(text)
  },
  encode: ParseResult.succeed
})

/** @internal Whether an amount in a response can be read. */
export const isAmount = (wire: unknown): boolean =>
  (typeof wire === "string" || typeof wire === "number") && read(wire) !== undefined
