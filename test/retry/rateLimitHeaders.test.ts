import { assert, describe, it } from "@effect/vitest"
import { parseRateLimitHeaders, type RateLimitInfo } from "../../src/internal/retry/rateLimitHeaders.js"
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
})
