/** Tests the pure functions that compute the steps of a wait. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime } from "effect"
import { Execution, ModelRouteError } from "effect-modelroute"
import type { Observation } from "../../src/internal/executions/observation.js"
import * as PollState from "../../src/internal/executions/pollState.js"
import * as transitions from "../../src/internal/executions/pollTransitions.js"
import { id, observationOf, output } from "../utils/executions.js"

const begin = (options: Partial<Parameters<typeof transitions.start>[0]> = {}) =>
  transitions.start({
    now: 0,
    timeoutMillis: undefined,
    pollImmediately: false,
    isOutputRequired: true,
    createdAt: undefined,
    created: undefined,
    ...options
  })
const schedule = (state: PollState.PollState, now: number, scheduledMillis: number | undefined) =>
  transitions.onScheduled(state, now, { scheduledMillis, isScarce: false, expectedMillis: undefined })

const error = new Execution.Failure({ code: "GENERATION_FAILED" })

const observe = (
  status: string,
  observedAt: number,
  fields: Partial<ConstructorParameters<typeof Execution.Execution>[0]> = {},
  other: Partial<Observation> = {}
): Observation => ({
  execution: new Execution.Execution({ id, status, ...fields }),
  observedAt,
  deadline: undefined,
  ...other
})

const notified = (...updates: ReadonlyArray<Observation>) => updates.reduce(transitions.onNotified, begin())

describe("PollState.next", () => {
  it("returns Wait before the time of the scheduled poll and Poll at that time", () => {
    assert.isTrue(PollState.needsSchedule(begin()))
    const state = schedule(begin(), 0, 2000)
    assert.isFalse(PollState.needsSchedule(state))
    assert.deepStrictEqual(PollState.next(state, 1999), { _tag: "Wait", until: 2000 })
    const poll = { _tag: "Poll", target: "execution", since: 0, deadline: 600_000 } as const
    assert.deepStrictEqual(PollState.next(state, 2000), poll)
    assert.isTrue(PollState.needsSchedule(transitions.onPollStarted(state, 0)))
  })

  it("returns Poll immediately if pollImmediately is true", () => {
    const poll = { _tag: "Poll", target: "execution", since: 5, deadline: 600_005 } as const
    assert.deepStrictEqual(PollState.next(begin({ now: 5, pollImmediately: true }), 5), poll)
  })

  it("returns Poll only once after pollSchedule has ended", () => {
    const first = schedule(begin(), 0, undefined)
    assert.strictEqual(PollState.next(first, 0)._tag, "Poll")
    const polled = transitions.onPolled(transitions.onPollStarted(first, 0), observationOf("PROCESSING", 0))
    assert.deepStrictEqual(PollState.next(schedule(polled, 0, undefined), 0), { _tag: "Fail", error: "timeout" })
  })

  it("returns Poll if the output or the error of an ended execution is missing", () => {
    const completed = transitions.onNotified(begin(), observationOf("COMPLETED", 5))
    assert.deepStrictEqual(PollState.next(completed, 5), {
      _tag: "Poll",
      target: "result",
      since: 5,
      deadline: 600_000
    })
    const failed = transitions.onNotified(begin(), observationOf("FAILED", 5))
    assert.strictEqual(PollState.next(failed, 5)._tag, "Poll")
  })

  it("returns Done after a terminal status", () => {
    const cancelled = observationOf("CANCELLED", 5)
    const state = transitions.onPolled(begin(), cancelled)
    assert.deepStrictEqual(PollState.next(state, 5), { _tag: "Done", execution: cancelled.execution })
    assert.isFalse(PollState.needsSchedule(state))
  })

  it("returns Fail after a non-transient poll failure", () => {
    const error = new ModelRouteError.InvalidRequest({
      operation: "executions.get",
      attempts: 0,
      field: "id",
      message: "no"
    })
    const state = transitions.onPollFailed(begin(), error, 5, 0)
    assert.isFalse(PollState.needsSchedule(state))
    assert.deepStrictEqual(PollState.next(state, 5), { _tag: "Fail", error })
  })
})

describe("PollState.needsSchedule", () => {
  for (const [status, target] of [
    ["FAILED", "execution"],
    ["COMPLETED", "result"]
  ] as const) {
    it(`returns false before the first poll for the missing data of a ${status} execution`, () => {
      const state = transitions.onNotified(schedule(begin(), 0, 2000), observe(status, 5))
      assert.isFalse(PollState.needsSchedule(transitions.onPollStarted(state, 5)))
      assert.deepStrictEqual(PollState.next(state, 5), { _tag: "Poll", target, since: 5, deadline: 600_000 })
      const polled = transitions.onPolled(transitions.onPollStarted(state, 5), observe("PROCESSING", 6))
      assert.isTrue(PollState.needsSchedule(polled))
      const next = schedule(polled, 6, 2000)
      assert.isFalse(PollState.needsSchedule(next))
      assert.deepStrictEqual(PollState.next(next, 6), { _tag: "Wait", until: 2006 })
      assert.deepStrictEqual(PollState.next(next, 2006), { _tag: "Poll", target, since: 6, deadline: 600_000 })
    })
  }
})

describe("PollState.isUpdate", () => {
  const updates = {
    PENDING: observe("PENDING", 5),
    PROCESSING: observe("PROCESSING", 5),
    COMPLETED: observe("COMPLETED", 5),
    "COMPLETED with output": observe("COMPLETED", 5, { output }),
    FAILED: observe("FAILED", 5),
    "FAILED with an error": observe("FAILED", 5, { error }),
    CANCELLED: observe("CANCELLED", 5)
  }
  for (const [name, makeState, expected] of [
    ["no known state", () => begin(), Object.keys(updates)],
    ["PENDING", () => notified(updates.PENDING), Object.keys(updates).slice(1)],
    ["COMPLETED without output", () => notified(updates.COMPLETED), ["COMPLETED with output"]],
    ["COMPLETED with output", () => notified(updates["COMPLETED with output"]), []],
    ["FAILED without an error", () => notified(updates.FAILED), ["FAILED with an error"]],
    ["FAILED with an error", () => notified(updates["FAILED with an error"]), []],
    ["CANCELLED", () => notified(updates.CANCELLED), []]
  ] as const) {
    it(`accepts only notifications with more information after ${name}`, () => {
      const names: ReadonlyArray<string> = expected
      for (const [update, observation] of Object.entries(updates)) {
        assert.strictEqual(PollState.isUpdate(makeState(), observation), names.includes(update), update)
      }
    })
  }
})

describe("PollState.deadlineOf", () => {
  const day = 86_400_000
  const expiring = (expiresAt: number, observedAt = 0) =>
    observe(
      "PROCESSING",
      observedAt,
      { expiresAt: DateTime.unsafeMake(expiresAt) },
      { deadline: observedAt + expiresAt + 30_000 }
    )
  for (const [name, makeState, deadline] of [
    ["10 minutes after the start by default", () => begin({ now: 5 }), 600_005],
    ["the timeout", () => begin({ now: 5, timeoutMillis: 7000 }), 7005],
    ["the timeout even if the expiry is later", () => begin({ timeoutMillis: 7000, created: expiring(60_000) }), 7000],
    ["30 s after the expiry", () => begin({ created: expiring(60_000) }), 90_000],
    [
      "at most 30 s later if the expiry does not change",
      () => transitions.onNotified(begin({ created: expiring(60_000) }), expiring(60_000, 50_000)),
      120_000
    ],
    [
      "30 s after a later expiry",
      () => transitions.onNotified(begin({ created: expiring(60_000) }), expiring(70_000, 50_000)),
      150_000
    ],
    ["at most 24 hours after the start", () => begin({ now: 5, created: expiring(2 * day) }), day + 5],
    [
      "30 s after an expiry that first seemed to have passed",
      () => transitions.onNotified(begin({ created: { ...expiring(60_000), deadline: undefined } }), expiring(60_000)),
      90_000
    ],
    [
      "unchanged if a later state has no expiry",
      () => transitions.onNotified(begin({ created: expiring(60_000) }), observe("PROCESSING", 5)),
      90_000
    ],
    [
      "at least 60 s after the output was first missing",
      () => notified(observe("COMPLETED", 580_000), observe("COMPLETED", 590_000)),
      640_000
    ],
    [
      "at least 60 s after the error was first missing",
      () => notified(observe("FAILED", 580_000), observe("FAILED", 590_000)),
      640_000
    ],
    ["unchanged if the output was missing early", () => notified(observe("COMPLETED", 5)), 600_000]
  ] as const) {
    it(`is ${name}`, () => assert.strictEqual(PollState.deadlineOf(makeState()), deadline))
  }
})

describe("PollState.pollDeadlineOf", () => {
  it("is 30 s after the timeout, or 30 s after a later start of the poll", () => {
    const state = begin({ timeoutMillis: 7000 })
    assert.strictEqual(PollState.pollDeadlineOf(state, 0), 37_000)
    assert.strictEqual(PollState.pollDeadlineOf(state, 8000), 38_000)
    assert.isUndefined(PollState.pollDeadlineOf(begin(), 0))
  })

  it("is the deadline of the first poll for each later poll", () => {
    const first = transitions.onPollStarted(begin({ timeoutMillis: 7000 }), 8000)
    const completed = transitions.onPolled(first, observe("COMPLETED", 20_000))
    assert.strictEqual(PollState.pollDeadlineOf(completed, 20_000), 38_000)
    assert.strictEqual(PollState.pollDeadlineOf(completed, 38_000), 38_000)
    const notifiedDuringPoll = transitions.onNotified(first, observe("PROCESSING", 20_000))
    assert.strictEqual(PollState.pollDeadlineOf(notifiedDuringPoll, 20_000), 38_000)
    // The process was suspended until after the deadline.
    assert.strictEqual(PollState.pollDeadlineOf(completed, 38_001), 68_001)
  })
})

describe("onScheduled", () => {
  const created = observe("PENDING", 0)
  const scheduled = (
    state: PollState.PollState,
    now: number,
    options: Partial<Parameters<typeof transitions.onScheduled>[2]> = {}
  ) =>
    transitions.onScheduled(state, now, {
      scheduledMillis: 2000,
      isScarce: false,
      expectedMillis: undefined,
      ...options
    })
  const waiting = (notBefore: number) => ({ ...begin(), notBefore })

  for (const [name, makeState, now, options, at] of [
    ["after the delay of the schedule", () => begin(), 100, {}, 2100],
    ["at the deadline if the delay is longer", () => begin({ timeoutMillis: 1500 }), 100, {}, 1500],
    ["at the time that the API requires", () => waiting(5000), 100, {}, 5000],
    ["after the delay if the API allows an earlier poll", () => waiting(1000), 100, {}, 2100],
    ["after twice the delay if few requests remain", () => begin(), 100, { isScarce: true }, 4100],
    [
      "at the expected end if few requests remain",
      () => begin({ created }),
      100,
      { isScarce: true, expectedMillis: 10_000 },
      11_000
    ],
    [
      "after twice the delay if the expected end is earlier",
      () => begin({ created }),
      100,
      { isScarce: true, expectedMillis: 1000 },
      4100
    ],
    ["after twice the delay if the model has no estimate", () => begin({ created }), 100, { isScarce: true }, 4100],
    ["after the delay if enough requests remain", () => begin({ created }), 100, { expectedMillis: 10_000 }, 2100],
    [
      "after twice the delay if the start of the execution is unknown",
      () => begin(),
      100,
      { isScarce: true, expectedMillis: 10_000 },
      4100
    ]
  ] as const) {
    it(`schedules the next poll ${name}`, () => {
      assert.deepStrictEqual(scheduled(makeState(), now, options).scheduledPoll, { at, since: now })
    })
  }

  it("times out at the deadline, but only after one poll", () => {
    const unpolled = begin({ timeoutMillis: 5000 })
    assert.deepStrictEqual(scheduled(unpolled, 5000).scheduledPoll, { at: 5000, since: 5000 })
    const polled = transitions.onPolled(unpolled, observe("PENDING", 10))
    assert.deepStrictEqual(scheduled(polled, 4999).scheduledPoll, { at: 5000, since: 4999 })
    assert.strictEqual(scheduled(polled, 5000).stoppedBy, "timeout")
    assert.isUndefined(scheduled(polled, 5000).scheduledPoll)
    assert.strictEqual(scheduled(polled, 6000).stoppedBy, "timeout")
  })

  it("ends the wait for a missing error without a timeout", () => {
    const failed = transitions.onPolled(notified(observe("FAILED", 0)), observe("PROCESSING", 10))
    assert.isFalse(failed.isErrorUnavailable)
    const ended = scheduled(failed, 600_000)
    assert.isUndefined(ended.stoppedBy)
    assert.strictEqual(PollState.phaseOf(ended), "ended")
  })
})

describe("onPollFailed", () => {
  const unexpected = (status: number, retryable = false) =>
    new ModelRouteError.UnrecognizedError({
      operation: "executions.get",
      attempts: 1,
      code: "NEW",
      message: "no",
      retryable,
      status
    })
  const [notFound, conflict, gone, limited, unavailable] = [404, 409, 410, 429, 503].map((status) =>
    unexpected(status, status >= 429)
  )
  const fail = (
    state: PollState.PollState,
    failure: ReturnType<typeof unexpected> | undefined,
    now: number,
    wait = 0
  ) => transitions.onPollFailed(state, failure ?? assert.fail("no failure"), now, wait)

  it("continues after a 404 less than 60 s after the create request", () => {
    const recent = begin({ createdAt: 1000 })
    assert.isUndefined(fail(recent, notFound, 60_999).stoppedBy)
    assert.strictEqual(fail(recent, notFound, 61_000).stoppedBy, notFound)
    assert.strictEqual(fail(recent, conflict, 2000).stoppedBy, conflict)
    assert.strictEqual(fail(begin(), notFound, 2000).stoppedBy, notFound)
  })

  it("stores the failure and the earliest time of the next poll after a retryable failure", () => {
    const state = fail(begin(), unavailable, 2000, 500)
    const { notBefore, pollCount, pollFailure, resultPollCount, stoppedBy } = state
    assert.deepStrictEqual(
      { notBefore, pollCount, pollFailure, resultPollCount, stoppedBy },
      { notBefore: 2500, pollCount: 1, pollFailure: unavailable, resultPollCount: 0, stoppedBy: undefined }
    )
    assert.isUndefined(transitions.onPolled(state, observe("PENDING", 3000)).pollFailure)
  })

  it("fails after a 429 only if its reset is later than the deadline", () => {
    const state = begin({ timeoutMillis: 5000 })
    assert.isUndefined(fail(state, limited, 2000, 3000).stoppedBy)
    assert.strictEqual(fail(state, limited, 2000, 3001).stoppedBy, limited)
    assert.isUndefined(fail(state, unavailable, 2000, 3001).stoppedBy)
  })

  it("fails after a 404, 409 or 410 of a running execution", () => {
    const running = notified(observe("PROCESSING", 1000))
    for (const failure of [notFound, conflict, gone]) {
      assert.strictEqual(fail(running, failure, 61_000).stoppedBy, failure)
    }
  })

  it("ends the wait without output after a 410, or after a 404 for 60 s", () => {
    const completed = notified(observe("COMPLETED", 1000))
    for (const [failure, now, hasEnded] of [
      [gone, 1000, true],
      [notFound, 60_999, false],
      [notFound, 61_000, true],
      [conflict, 61_000, false],
      [unavailable, 61_000, false]
    ] as const) {
      const state = fail(completed, failure, now)
      assert.strictEqual(PollState.phaseOf(state), hasEnded ? "ended" : "needsOutput")
      assert.isUndefined(state.stoppedBy)
      assert.strictEqual(state.resultPollCount, hasEnded ? 0 : 1)
      assert.strictEqual(state.pollCount, 1)
    }
    const forbidden = unexpected(403)
    assert.strictEqual(fail(completed, forbidden, 1000).stoppedBy, forbidden)
  })

  it("ends the wait for a missing error after a permanent failure, or after 60 s", () => {
    const failed = notified(observe("FAILED", 1000))
    for (const [failure, now, hasEnded] of [
      [notFound, 60_999, false],
      [notFound, 61_000, true],
      [unavailable, 60_999, false],
      [unavailable, 61_000, true],
      [unexpected(403), 1000, true]
    ] as const) {
      const state = fail(failed, failure, now)
      assert.strictEqual(PollState.phaseOf(state), hasEnded ? "ended" : "needsError")
      assert.isUndefined(state.stoppedBy)
      assert.strictEqual(state.errorPollCount, 1)
      assert.strictEqual(state.pollCount, 1)
    }
  })
})

describe("onPolled", () => {
  it("ignores a non-terminal status after a terminal status", () => {
    const state = transitions.onPolled(notified(observe("FAILED", 0)), observe("PROCESSING", 59_999))
    assert.strictEqual(state.latest?.execution.status, "FAILED")
    assert.strictEqual(PollState.phaseOf(state), "needsError")
    assert.deepStrictEqual([state.pollCount, state.errorPollCount], [1, 1])
    assert.strictEqual(PollState.phaseOf(transitions.onPolled(state, observe("PROCESSING", 60_000))), "ended")
  })

  it("ends the wait if a poll returns FAILED without an error", () => {
    const state = transitions.onPolled(begin(), observe("FAILED", 0))
    assert.strictEqual(PollState.phaseOf(state), "ended")
    assert.strictEqual(state.errorPollCount, 0)
  })

  it("adds the output of the result to the known execution", () => {
    const completed = notified(observe("COMPLETED", 0, { cost: "0.040" }))
    const metadata = { order: 7 }
    for (const [result, isEnded] of [
      [observe("COMPLETED", 5, { output, metadata }), true],
      [observe("UNKNOWN", 5, { output, metadata }), true],
      [observe("COMPLETED", 5, { metadata }, { hasNoOutput: true }), true],
      [observe("UNKNOWN", 5, { metadata }, { hasNoOutput: true }), true],
      [observe("COMPLETED", 5, { metadata }), false],
      [observe("UNKNOWN", 5, { metadata }), false],
      [observe("PROCESSING", 5, { output, metadata }), false],
      [observe("FAILED", 5, { error, metadata }, { hasNoOutput: true }), false]
    ] as const) {
      const state = transitions.onPolled(completed, result)
      const execution = state.latest?.execution
      assert.deepStrictEqual([execution?.status, execution?.cost], ["COMPLETED", "0.040"])
      assert.deepStrictEqual(execution?.output, isEnded ? result.execution.output : undefined)
      assert.deepStrictEqual(execution?.metadata, isEnded ? metadata : undefined)
      assert.isUndefined(execution?.error)
      assert.strictEqual(PollState.phaseOf(state), isEnded ? "ended" : "needsOutput")
      assert.deepStrictEqual([state.pollCount, state.resultPollCount], [1, 1])
    }
  })

  it("does not wait for the output if the output is not required", () => {
    const state = transitions.onPolled(begin({ isOutputRequired: false }), observe("COMPLETED", 0))
    assert.strictEqual(PollState.phaseOf(state), "ended")
  })
})
