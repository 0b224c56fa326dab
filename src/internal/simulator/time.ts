/**
 * Formats and parses the times of the API. All times are in epoch milliseconds on the server's clock. This clock is
 * monotonic, even if the system time changes.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"

/** @internal Formats a time as ISO 8601 in whole seconds, for example `2026-03-20T10:35:00Z`. */
export const iso = (millis: number): string => DateTime.formatIso(DateTime.unsafeMake(millis)).replace(/\.\d+Z$/, "Z")

/** @internal Formats a time for the Date header, rounded down to whole seconds. */
export const httpDate = (millis: number): string => DateTime.toDateUtc(DateTime.unsafeMake(millis)).toUTCString()

/** @internal Formats a time as an X-Amz-Date, for example `20260320T103500Z`. */
export const amzDate = (millis: number): string => iso(millis).replace(/[-:]/g, "")

/** @internal Parses an X-Amz-Date. Returns `NaN` if the text is invalid. */
export const parseAmzDate = (text: string): number => {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/**
 * Converts a duration to milliseconds. A number is a number of milliseconds, and may be negative. A `Duration` cannot
 * be negative.
 *
 * @internal
 */
export const signedMillis = (input: Duration.DurationInput): number =>
  typeof input === "number" ? input : Duration.toMillis(input)
