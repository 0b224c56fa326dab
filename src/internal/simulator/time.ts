/**
 * Formats times for the API. A time is a number of milliseconds since 1970. The server's clock does not move when the
 * local wall clock is set.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"

/** @internal Formats a time in whole seconds, as in the API's samples: `2026-03-20T10:35:00Z`. */
export const iso = (millis: number): string => DateTime.formatIso(DateTime.unsafeMake(millis)).replace(/\.\d+Z$/, "Z")

/** @internal Formats a time for the Date header, in whole seconds, rounded down. */
export const httpDate = (millis: number): string => DateTime.toDateUtc(DateTime.unsafeMake(millis)).toUTCString()

/** @internal Formats a time for X-Amz-Date: `20260320T103500Z`. */
export const amzDate = (millis: number): string => iso(millis).replace(/[-:]/g, "")

/** @internal Parses an X-Amz-Date. Returns NaN if it is invalid. */
export const parseAmzDate = (text: string): number => {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** @internal Returns milliseconds. A number may be negative, unlike a `Duration`. */
export const signedMillis = (input: Duration.DurationInput): number =>
  typeof input === "number" ? input : Duration.toMillis(input)
