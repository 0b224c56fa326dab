import { assert, describe, it } from "@effect/vitest"
import { ModelRouteError } from "effect-modelroute"
import * as PollState from "../../src/internal/executions/pollState.js"
import * as transitions from "../../src/internal/executions/pollTransitions.js"
import { observationOf } from "../utils/executions.js"

describe("PollState.next", () => {
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
    assert.strictEqual(PollState.next(begin({ pollImmediately: true }), 0)._tag, "Poll")
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
    assert.deepStrictEqual(PollState.next(state, 5), { _tag: "Fail", error })
  })
})
