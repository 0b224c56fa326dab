/**
 * Parses and formats amounts in dollars. In the models, an amount is a decimal string without an exponent.
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

/**
 * Matches amounts with at most 30 digits on each side of the decimal point. An exponent has at most two digits. Without
 * these limits, `format` would write a billion zeros for `1e-999999999`.
 */
const amountPattern = /^\d{1,30}(\.\d{1,30})?(e[+-]?\d{1,2})?$/i

/**
 * Formats an amount without an exponent. `BigDecimal.format` is not suitable, because its output contains an exponent
 * for small amounts.
 *
 * @internal
 */
export const format = (amount: Amount): string => {
  const { scale, value } = BigDecimal.normalize(amount)
  const digits = String(value < 0n ? -value : value)
  const sign = value < 0n ? "-" : ""
  if (scale <= 0) return sign + digits + "0".repeat(-scale)
  const padded = digits.padStart(scale + 1, "0")
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

/** @internal Formats an amount with at least two decimal places. */
export const formatDollars = (amount: Amount): string => {
  const [whole = "", fraction = ""] = format(amount).split(".")
  return `${whole}.${fraction.padEnd(2, "0")}`
}

/**
 * Parses an amount. Returns `undefined` if the text is not an amount. Zero would be wrong in this case, because the
 * true amount is unknown.
 *
 * @internal
 */
export const parse = (text: string | undefined): Amount | undefined =>
  text !== undefined && amountPattern.test(text) ? Option.getOrUndefined(BigDecimal.fromString(text)) : undefined

/**
 * Converts an amount in a response to a decimal string without an exponent. Returns `undefined` if the value is not an
 * amount. A string without an exponent remains unchanged.
 */
const toDecimalString = (wire: string | number): string | undefined => {
  const text = String(wire).trim()
  if (!amountPattern.test(text)) return undefined
  if (!/e/i.test(text)) return text
  const amount = parse(text)
  return amount && format(amount)
}

/** @internal Schema of an amount in a response. Rejects other texts, such as `$0.048` or `0,048`. */
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

/** @internal Returns an amount in a response, or `undefined` if the amount cannot be decoded. */
export const readMoney = (wire: unknown): string | undefined =>
  typeof wire === "string" || typeof wire === "number" ? toDecimalString(wire) : undefined
