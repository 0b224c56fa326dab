import { assert, describe, it } from "@effect/vitest"
import { parseHttpDate } from "../../src/internal/retry/httpDate.js"

describe("parseHttpDate", () => {
  const now = Date.UTC(1994, 10, 6)

  it("parses every month", () => {
    const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    months.forEach((month, i) => {
      const expected = Date.UTC(2026, i, 28, 1, 2, 3)
      assert.strictEqual(parseHttpDate(`Thu, 28 ${month} 2026 01:02:03 GMT`, now), expected)
      assert.strictEqual(parseHttpDate(`Thu ${month} 28 01:02:03 2026`, now), expected)
      assert.strictEqual(parseHttpDate(`Thursday, 28-${month}-26 01:02:03 GMT`, now), expected)
    })
  })

  it("accepts the last second of a day and a leap second", () => {
    assert.strictEqual(parseHttpDate("Sun, 06 Nov 1994 23:59:59 GMT", now), Date.UTC(1994, 10, 6, 23, 59, 59))
    assert.strictEqual(parseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT", now), Date.UTC(2017, 0, 1))
  })

  it("rejects hours, minutes, seconds and days that do not exist", () => {
    for (const text of [
      "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Nov 1994 23:60:00 GMT",
      "Sun, 06 Nov 1994 23:59:61 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT",
      "Sun, 31 Nov 1994 08:49:37 GMT",
      "Wed, 29 Feb 2023 08:49:37 GMT"
    ]) {
      assert.isUndefined(parseHttpDate(text, now), text)
    }
    assert.strictEqual(parseHttpDate("Thu, 29 Feb 2024 00:00:00 GMT", now), Date.UTC(2024, 1, 29))
  })

  it("rejects text before or after a date", () => {
    for (const text of [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994"
    ]) {
      assert.isDefined(parseHttpDate(text, now))
      assert.isUndefined(parseHttpDate(`a ${text}`, now), text)
      assert.isUndefined(parseHttpDate(`${text} z`, now), text)
    }
  })

  it("expands a two-digit year to at most 50 years after the given time, even if the text was parsed before", () => {
    const yearAt = (year: number, text: string) => {
      const millis = parseHttpDate(`Sunday, 06-Nov-${text} 08:49:37 GMT`, Date.UTC(year, 5))
      assert.isDefined(millis)
      return Math.floor(millis / (365.2425 * 86_400_000)) + 1970
    }
    assert.deepStrictEqual([yearAt(1994, "94"), yearAt(2090, "94")], [1994, 2094])
    assert.deepStrictEqual([yearAt(1994, "44"), yearAt(1994, "45"), yearAt(1994, "00")], [2044, 1945, 2000])
  })
})
