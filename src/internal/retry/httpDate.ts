/**
 * Reads the dates in HTTP headers (RFC 9110, 5.6.7). Accepts only the three forms of the RFC, which are all in GMT. `Date.parse` is not
 * used, because it reads the asctime form as local time and "after 2099" as a year.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const month = `(?<month>${months.join("|")})`
const time = "(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)"

const forms: ReadonlyArray<RegExp> = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^\\w{3}, (?<day>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^\\w{6,9}, (?<day>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^\\w{3} ${month} (?<day>[ \\d]\\d) ${time} (?<year>\\d{4})$`)
]

/** Two digits mean the latest such year that is at most 50 years after `now`, in epoch milliseconds. */
const fullYear = (year: string, now: number): number => {
  if (year.length > 2) return Number(year)
  const latest = DateTime.getPartUtc(DateTime.unsafeMake(now), "year") + 50
  return latest - ((latest - Number(year)) % 100)
}

/** @internal Returns the date in epoch milliseconds, or `undefined` if the text is not an HTTP date. */
export const parseHttpDate = (text: string, now: number): number | undefined => {
  const groups = forms.map((form) => form.exec(text)?.groups).find((found) => found !== undefined)
  if (groups === undefined) return undefined
  const { hour, minute, second } = groups
  const day = Number(groups["day"])
  // A second of 60 is a leap second.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  const midnight = Date.UTC(fullYear(groups["year"] ?? "", now), months.indexOf(groups["month"] ?? ""), day)
  // February 30 would become March 2.
  if (DateTime.getPartUtc(DateTime.unsafeMake(midnight), "day") !== day) return undefined
  return midnight + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000
}
