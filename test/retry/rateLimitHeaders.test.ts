import { assert, describe, it } from "@effect/vitest"
import {
  parseRateLimitHeaders,
  type RateLimitInfo,
  requestedWaitMillis,
  retryAfterMillis
} from "../../src/internal/retry/rateLimitHeaders.js"
import { httpDate, start } from "../utils/harness.js"

describe("parseRateLimitHeaders", () => {
  const parse = (headers: { readonly [name: string]: string }) =>
    parseRateLimitHeaders({ date: httpDate(start), ...headers }, start)
  const at = start + 42_000
  type Limits = Pick<RateLimitInfo, "limit" | "remaining" | "reset">
  const all: Limits = { limit: 60, remaining: 57, reset: { clock: "server", at } }
  const none: Limits = { limit: undefined, remaining: undefined, reset: undefined }
  const formats: ReadonlyArray<readonly [name: string, string, string, string, Limits]> = [
    ["the documented format", "60", "57", String(at / 1000), all],
    ["a reset in milliseconds", "60", "57", String(at), all],
    ["values repeated by a proxy", "60, 60", "57, 58", `${at / 1000}, ${at / 1000}`, all],
    ["different values joined by a proxy", "90, 60", "58, 57", `${at / 1000 - 5}, ${at / 1000}`, all],
    ["fractions", "60.9", "57.25", `${at / 1000}.0`, all],
    ["a unit after each value", "60r", "57r", "42s", none],
    ["a reset in seconds from now", "60", "57", "42", { ...all, reset: { clock: "local", at } }],
    ["unreadable values", "many", "-1", "soon", none],
    ["empty values", "", "", "0", none],
    ["a limit of 0", "0", "57", String(at / 1000), { ...all, limit: undefined }]
  ]
  for (const [name, limit, remaining, reset, expected] of formats) {
    it(`parses rate limit headers with ${name}`, () => {
      const parsed = parse({
        "x-ratelimit-limit": limit,
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": reset
      })
      assert.deepStrictEqual({ limit: parsed.limit, remaining: parsed.remaining, reset: parsed.reset }, expected)
    })
  }

  it("parses Retry-After as seconds or as a date", () => {
    assert.deepStrictEqual(parse({ "retry-after": "7" }).retryAfter, { clock: "local", at: start + 7000 })
    assert.deepStrictEqual(parse({ "retry-after": httpDate(at) }).retryAfter, { clock: "server", at })
    assert.isUndefined(parse({ "retry-after": "0" }).retryAfter)
  })

  it("parses a reset above 100,000,000,000 as milliseconds", () => {
    const reset = (text: string) => parse({ "x-ratelimit-reset": text }).reset
    assert.deepStrictEqual(reset("100000000000"), { clock: "server", at: 100_000_000_000_000 })
    assert.deepStrictEqual(reset("100000000001"), { clock: "server", at: 100_000_000_001 })
  })

  it("parses a reset of at most one day as seconds from now, unless the server's clock is within one year after 1970", () => {
    const year = 365 * 86_400_000
    const reset = (date: number) =>
      parseRateLimitHeaders({ date: httpDate(date), "x-ratelimit-reset": "100" }, start).reset
    assert.deepStrictEqual(reset(year + 100_000), { clock: "server", at: 100_000 })
    assert.deepStrictEqual(reset(year + 101_000), { clock: "local", at: start + 100_000 })
  })

  it("limits a number of 400 digits to a finite number", () => {
    assert.isTrue(Number.isFinite(parse({ "x-ratelimit-limit": "9".repeat(400) }).limit))
    assert.isTrue(Number.isFinite(parse({ "x-ratelimit-remaining": "9".repeat(400) }).remaining))
  })

  it("parses a limit that is not a number as an absent limit", () => {
    const { limit, remaining } = parse({ "x-ratelimit-limit": ".", "x-ratelimit-remaining": "5 requests" })
    assert.deepStrictEqual([limit, remaining], [undefined, undefined])
  })

  it("ignores a Retry-After that contains more than numbers", () => {
    for (const text of ["soon, 5", "5, soon", "5 s", "", ","]) {
      assert.isUndefined(parse({ "retry-after": text }).retryAfter, text)
    }
  })
})

describe("requestedWaitMillis", () => {
  const date = httpDate(start)
  const reset = String(start / 1000 + 9)

  it("returns the time until the reset if Retry-After is the time of the response", () => {
    assert.strictEqual(requestedWaitMillis({ date, "retry-after": date, "x-ratelimit-reset": reset }, start), 9000)
  })

  it("does not depend on the Date header if Retry-After or the reset is a number of seconds from now", () => {
    const receivedAt = start + 3_600_000
    assert.strictEqual(requestedWaitMillis({ date, "retry-after": "5" }, receivedAt), 5000)
    assert.strictEqual(requestedWaitMillis({ date, "x-ratelimit-reset": "30" }, receivedAt), 30_000)
  })

  it("returns undefined if the reset is the time of the response", () => {
    assert.isUndefined(requestedWaitMillis({ date, "x-ratelimit-reset": String(start / 1000) }, start))
  })

  it("returns at most 100 years", () => {
    const century = 100 * 365 * 86_400_000
    assert.strictEqual(requestedWaitMillis({ date, "x-ratelimit-reset": "99999999999" }, start), century)
    assert.strictEqual(requestedWaitMillis({ "retry-after": "9".repeat(15) }, start), century)
  })
})

describe("retryAfterMillis", () => {
  const date = httpDate(start)

  it("returns the delay in Retry-After and ignores the reset", () => {
    const headers = { date, "x-ratelimit-reset": String(start / 1000 + 9) }
    assert.strictEqual(retryAfterMillis({ ...headers, "retry-after": "2" }, start), 2000)
    assert.isUndefined(retryAfterMillis(headers, start))
    assert.isUndefined(retryAfterMillis({ ...headers, "retry-after": "soon" }, start))
  })

  it("measures a date in Retry-After from the Date header, or else from the time of the response", () => {
    const headers = { "retry-after": httpDate(start + 4000) }
    assert.strictEqual(retryAfterMillis({ ...headers, date }, start + 60_000), 4000)
    assert.strictEqual(retryAfterMillis(headers, start + 1000), 3000)
  })
})
