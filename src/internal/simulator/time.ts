/**
 * Moments as the API writes them. Inside, a moment is a number of milliseconds since 1970. The server has a clock of its own: it does
 * not move when the local wall clock is set.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"

/** @internal Whole seconds, as in every sample of the API: `2026-03-20T10:35:00Z`. */
export const iso = (millis: number): string => DateTime.formatIso(DateTime.unsafeMake(millis)).replace(/\.\d+Z$/, "Z")

/** @internal The form of the Date header; whole seconds, rounded down. */
export const httpDate = (millis: number): string => DateTime.toDateUtc(DateTime.unsafeMake(millis)).toUTCString()

/** @internal The form of X-Amz-Date: `20260320T103500Z`. */
export const amzDate = (millis: number): string => iso(millis).replace(/[-:]/g, "")

/** @internal The moment that an X-Amz-Date names, or NaN. */
export const parseAmzDate = (text: string): number => {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** @internal A number is signed milliseconds, which a `Duration` cannot be. */
export const signedMillis = (input: Duration.DurationInput): number =>
  typeof input === "number" ? input : Duration.toMillis(input)
