import { assert, describe, it } from "@effect/vitest"
import * as Window from "../../src/internal/rateLimit/window.js"
import { parseRateLimitHeaders } from "../../src/internal/retry/rateLimitHeaders.js"
import { httpDate, start } from "../utils/harness.js"
import { type ReportedLimit, toRateLimitInfo } from "../utils/reportedLimit.js"

const observe = (
  at: { readonly sentAt?: number; readonly receivedAt?: number },
  headers: { readonly [name: string]: string }
): Window.WindowObservation => {
  const { sentAt = 0, receivedAt = sentAt } = at
  const info = parseRateLimitHeaders(headers, start + receivedAt)
  const serverNow = info.date ?? start + receivedAt
  return { ...info, sentAt: start + sentAt, receivedAt: start + receivedAt, serverNow }
}

const makeHeaders = (remaining: number, resetIn: number) => ({
  date: httpDate(start),
  "x-ratelimit-limit": "60",
  "x-ratelimit-remaining": String(remaining),
  "x-ratelimit-reset": String((start + resetIn) / 1000)
})

describe("Window", () => {
  const known = Window.open(observe({ sentAt: 100, receivedAt: 200 }, makeHeaders(50, 60_000)), 1, 3, undefined)

  it("contains the values of its first response and counts the requests in flight", () => {
    assert.deepStrictEqual(known, {
      reset: { clock: "server", at: start + 60_000 },
      limit: 60,
      remaining: 50,
      ownRequests: 4,
      firstSeenAt: start + 200,
      millisToReset: 60_000
    })
  })

  for (const [name, observation, relation] of [
    ["treats the same reset as the same window", observe({ sentAt: 300 }, makeHeaders(49, 60_000)), "same"],
    ["treats a difference of one second as rounding", observe({ sentAt: 300 }, makeHeaders(49, 61_000)), "same"],
    ["treats a later reset as a later window", observe({ sentAt: 300 }, makeHeaders(59, 120_000)), "newer"],
    ["treats an earlier reset as an earlier window", observe({ sentAt: 150 }, makeHeaders(3, 1000)), "older"],
    [
      "treats an earlier reset as a later window if the request was sent after the first response",
      observe({ sentAt: 300 }, makeHeaders(3, 1000)),
      "newer"
    ],
    [
      "treats a reset one second later as a later window if the request was sent after the reset",
      observe({ sentAt: 60_000 }, makeHeaders(59, 61_000)),
      "newer"
    ],
    [
      "treats more remaining requests as a later window if the request was sent after the reset",
      observe({ sentAt: 60_000 }, makeHeaders(59, 60_000)),
      "newer"
    ],
    [
      "treats fewer remaining requests as the same window if the request was sent after the reset",
      observe({ sentAt: 60_000 }, makeHeaders(49, 60_000)),
      "same"
    ]
  ] as const) {
    it(name, () => {
      const isAfterEnd = observation.sentAt >= start + 60_000
      assert.strictEqual(Window.compare(known, observation, isAfterEnd), relation)
    })
  }

  it("treats more remaining requests as a later window if no reset is reported", () => {
    const { "x-ratelimit-reset": _, ...rest } = makeHeaders(59, 0)
    assert.strictEqual(Window.compare(known, observe({ sentAt: 300 }, rest), false), "newer")
    assert.strictEqual(Window.compare(known, observe({ sentAt: 100 }, rest), false), "same")
  })

  it("never increases the remaining requests when it reads the headers of a later response", () => {
    const remaining = (headers: { readonly [name: string]: string }) =>
      Window.update(known, observe({ sentAt: 300 }, headers)).remaining
    assert.strictEqual(remaining(makeHeaders(47, 60_000)), 47)
    assert.strictEqual(remaining(makeHeaders(55, 60_000)), 50)
    assert.strictEqual(remaining({}), 49)
  })

  it("derives the remaining requests from the limit if a response reports only the limit", () => {
    const { "x-ratelimit-remaining": _, ...rest } = makeHeaders(0, 60_000)
    assert.strictEqual(Window.open(observe({}, rest), 3, 0, undefined).remaining, 57)
    assert.strictEqual(Window.open(observe({}, {}), 1, 0, undefined).remaining, Number.POSITIVE_INFINITY)
  })

  const observeAt = (at: number, reported: ReportedLimit): Window.WindowObservation => ({
    ...toRateLimitInfo(reported),
    sentAt: start + at,
    receivedAt: start + at,
    serverNow: toRateLimitInfo(reported).date ?? start + at
  })
  const openWindow = (reported: ReportedLimit) =>
    Window.open(observeAt(0, { limit: 9, remaining: 8, ...reported }), 1, 0, undefined)

  it("treats a reset 1 s later as a later window if windows are 2 s long", () => {
    const next = observeAt(1, { limit: 9, remaining: 8, reset: 3000 })
    assert.strictEqual(Window.compare(openWindow({ reset: 2000, date: 0 }), next, false), "newer")
  })

  it("treats a reset 2 s later as the same window if the reset is relative to the response", () => {
    const known = openWindow({ reset: 60_000, clock: "local" })
    const observeReset = (reset: number) => observeAt(1, { remaining: 7, reset, clock: "local" })
    assert.strictEqual(Window.compare(known, observeReset(62_000), false), "same")
    assert.strictEqual(Window.compare(known, observeReset(62_001), false), "newer")
  })

  it("treats a later reset as the same window if the two resets are on different clocks", () => {
    const other = observeAt(1, { remaining: 7, reset: 90_000, clock: "local" })
    assert.strictEqual(Window.compare(openWindow({ reset: 60_000, date: 0 }), other, false), "same")
  })

  it("keeps the latest of all resets that responses report", () => {
    const known = openWindow({ reset: 60_000, date: 0 })
    const updatedReset = (reset: number) => Window.update(known, observeAt(1, { remaining: 7, reset })).reset
    assert.deepStrictEqual(updatedReset(61_000), { clock: "server", at: start + 61_000 })
    assert.deepStrictEqual(updatedReset(59_000), { clock: "server", at: start + 60_000 })
  })

  it("measures the time to the reset on the server's clock", () => {
    assert.strictEqual(openWindow({ reset: 660_000, date: 600_000 }).millisToReset, 60_000)
  })

  it("treats an equal number of remaining requests as the same window if no reset is reported", () => {
    assert.strictEqual(Window.compare(known, observeAt(300, { remaining: 50 }), false), "same")
    assert.strictEqual(Window.compare(known, observeAt(300, {}), false), "same")
  })

  it("treats more remaining requests as a later window if the current window has no reset", () => {
    const next = observeAt(1, { limit: 9, remaining: 9, reset: 60_000 })
    assert.strictEqual(Window.compare(openWindow({}), next, false), "newer")
  })

  it("compares a request that was sent at the time of the first response like a later request", () => {
    assert.strictEqual(Window.compare(known, observeAt(200, { remaining: 51 }), false), "newer")
    assert.strictEqual(Window.compare(known, observeAt(199, { remaining: 51 }), false), "same")
    assert.strictEqual(Window.compare(known, observeAt(200, { remaining: 3, reset: 1000 }), false), "newer")
    assert.strictEqual(Window.compare(known, observeAt(199, { remaining: 3, reset: 1000 }), false), "older")
  })

  it("treats a reset 1 s later as a later window if the request was sent after the reset and fewer requests remain", () => {
    assert.strictEqual(Window.compare(known, observeAt(60_000, { remaining: 49, reset: 61_000 }), true), "newer")
  })

  it("treats a later reset as a later window even if the request was sent before the first response", () => {
    assert.strictEqual(Window.compare(known, observeAt(150, { remaining: 59, reset: 120_000 }), false), "newer")
  })

  it("treats a reset 1 s earlier as rounding", () => {
    assert.strictEqual(Window.compare(known, observeAt(150, { remaining: 49, reset: 59_000 }), false), "same")
    assert.strictEqual(Window.compare(known, observeAt(150, { remaining: 49, reset: 58_999 }), false), "older")
  })

  it("treats an earlier reset as the same window if the request was sent after the reset and fewer requests remain", () => {
    assert.strictEqual(Window.compare(known, observeAt(150, { remaining: 49, reset: 59_000 }), true), "same")
  })

  it("treats a reset 1 s later as rounding only if windows are longer than 3 s", () => {
    const relation = (reset: number) =>
      Window.compare(openWindow({ reset, date: 0 }), observeAt(1, { remaining: 7, reset: reset + 1000 }), false)
    assert.deepStrictEqual([relation(3000), relation(4000)], ["newer", "same"])
  })

  it("subtracts accepted requests from the limit down to 0", () => {
    const opened = Window.open(observeAt(0, { limit: 2, reset: 60_000 }), 3, 0, undefined)
    assert.strictEqual(opened.remaining, 0)
  })

  it("uses the limit of an earlier window if its first response reports no limit", () => {
    const opened = Window.open(observeAt(0, { reset: 60_000 }), 1, 0, 9)
    assert.deepStrictEqual([opened.limit, opened.remaining], [9, 8])
    assert.strictEqual(Window.open(observeAt(0, { limit: 5, reset: 60_000 }), 1, 0, 9).limit, 5)
  })

  it("has an unknown number of remaining requests if only the limit or only the reset is reported", () => {
    for (const reported of [{ limit: 9 }, { reset: 60_000 }]) {
      const opened = Window.open(observeAt(0, reported), 1, 0, undefined)
      assert.isTrue(Window.isRemainingUnknown(opened))
      assert.isFalse(Window.hasRemaining(observeAt(0, reported)))
    }
    assert.isTrue(Window.isRemainingUnknown(undefined))
    assert.isFalse(Window.isRemainingUnknown(known))
    for (const reported of [{ remaining: 0 }, { limit: 9, reset: 60_000 }]) {
      assert.isTrue(Window.hasRemaining(observeAt(0, reported)))
    }
  })

  it("measures a relative reset on the local clock, and a past reset as 0 ms", () => {
    const relative = { ...observeAt(0, { reset: 5000, clock: "local" }), serverNow: start + 3000 }
    assert.strictEqual(Window.open(relative, 1, 0, undefined).millisToReset, 5000)
    assert.strictEqual(openWindow({ reset: -500 }).millisToReset, 0)
    assert.strictEqual(openWindow({}).millisToReset, 0)
  })

  it("keeps its limit if a later response reports no limit", () => {
    assert.strictEqual(Window.update(known, observeAt(300, { remaining: 7 })).limit, 60)
    assert.strictEqual(Window.update(known, observeAt(300, { limit: 90 })).limit, 90)
  })

  it("has at least 0 remaining requests", () => {
    const empty = Window.exhaust(known)
    assert.strictEqual(empty.remaining, 0)
    assert.strictEqual(Window.update(empty, observeAt(300, {})).remaining, 0)
    assert.strictEqual(Window.decrementRemaining(empty).remaining, 0)
    assert.strictEqual(Window.decrementRemaining(known).remaining, 49)
  })

  it("keeps its reset if a later response reports no reset or a reset on the other clock", () => {
    const reset = { clock: "server", at: start + 60_000 }
    assert.deepStrictEqual(Window.update(known, observeAt(300, {})).reset, reset)
    assert.deepStrictEqual(Window.update(known, observeAt(300, { reset: 90_000, clock: "local" })).reset, reset)
    assert.isUndefined(Window.update(openWindow({}), observeAt(300, {})).reset)
  })
})
