/**
 * Parses the dates in HTTP headers (RFC 9110, section 5.6.7). Accepts only the three formats of the RFC, which are
 * always in GMT. `Date.parse` is not suitable, because `Date.parse` reads the asctime format as local time.
 * `Date.parse` also accepts text that is not a date, such as "after 2099".
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const month = `(?<month>${months.join("|")})`
const time = "(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)"

const forms: ReadonlyArray<RegExp> = [
  // Matches an IMF-fixdate, for example `Sun, 06 Nov 1994 08:49:37 GMT`.
  new RegExp(`^\\w{3}, (?<day>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT$`),
  // Matches an RFC 850 date, for example `Sunday, 06-Nov-94 08:49:37 GMT`.
  new RegExp(`^\\w{6,9}, (?<day>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT$`),
  // Matches an asctime date, for example `Sun Nov  6 08:49:37 1994`.
  new RegExp(`^\\w{3} ${month} (?<day>[ \\d]\\d) ${time} (?<year>\\d{4})$`)
]

/**
 * Expands a two-digit year to the latest year with these digits that is at most 50 years after `now`. `now` is in epoch
 * milliseconds.
 */
const fullYear = (year: string, now: number): number => {
  if (year.length > 2) return Number(year)
  const latest = DateTime.getPartUtc(DateTime.unsafeMake(now), "year") + 50
  return latest - ((latest - Number(year)) % 100)
}

/**
 * The latest parsed date with a four-digit year. Most responses have the same date as the previous response, so that
 * most dates are not parsed again.
 */
let lastDate: { readonly text: string; readonly millis: number | undefined } = { text: "", millis: undefined }

/** @internal Parses an HTTP date. Returns epoch milliseconds, or `undefined` if the text is not an HTTP date. */
export const parseHttpDate = (text: string, now: number): number | undefined => {
  if (text === lastDate.text) return lastDate.millis
  const millis = parseDate(text, now)
  // A date with a two-digit year is not stored, because its meaning depends on `now`.
  if (/\d{4}/.test(text)) lastDate = { text, millis }
  return millis
}

const parseDate = (text: string, now: number): number | undefined => {
  const groups = forms.map((form) => form.exec(text)?.groups).find((found) => found !== undefined)
  if (groups === undefined) return undefined
  const { hour, minute, second } = groups
  const day = Number(groups["day"])
  // The second 60 is valid, because a leap second has this value.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  const midnight = Date.UTC(fullYear(groups["year"] ?? "", now), months.indexOf(groups["month"] ?? ""), day)
  // `Date.UTC` accepts an invalid day and returns a later date, for example March 2 for February 30.
  if (DateTime.getPartUtc(DateTime.unsafeMake(midnight), "day") !== day) return undefined
  return midnight + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000
}
