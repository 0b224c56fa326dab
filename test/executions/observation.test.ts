import { assert, describe, it } from "@effect/vitest"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { DateTime } from "effect"
import { Execution } from "effect-modelroute"
import {
  hasSameExpiry,
  isProgress,
  lacksError,
  lacksOutput,
  toObservation
} from "../../src/internal/executions/observation.js"
import { id, output } from "../utils/executions.js"
import { httpDate, start } from "../utils/harness.js"

const executionOf = (status: string, fields: Partial<ConstructorParameters<typeof Execution.Execution>[0]> = {}) =>
  new Execution.Execution({ id, status, ...fields })

describe("toObservation", () => {
  const minute = 60_000
  for (const [name, expiresAt, date, deadline] of [
    ["30 s after the expiry", start + minute, undefined, 90_500],
    ["30 s after the expiry on the clock of the Date header", start + minute, start - minute, 150_500],
    ["30 s after an expiry in 1 ms", start + 1, undefined, 30_501],
    ["missing if the execution expires now", start, undefined, undefined],
    ["missing if the execution has expired", start - 1, undefined, undefined],
    ["missing if the execution has expired on the clock of the Date header", start + 1, start + minute, undefined],
    ["missing if the execution has no expiry", undefined, start, undefined]
  ] as const) {
    it(`returns a deadline that is ${name}`, () => {
      const execution = executionOf(
        "PENDING",
        expiresAt === undefined ? {} : { expiresAt: DateTime.unsafeMake(expiresAt) }
      )
      const response = HttpClientResponse.fromWeb(
        HttpClientRequest.get("https://api.modelroute.ai"),
        new Response(null, date === undefined ? {} : { headers: { date: httpDate(date) } })
      )
      const received = {
        response,
        headers: response.headers,
        receivedAt: { monotonic: 500, wall: start },
        context: { operation: "executions.get", attempts: 1, isRepeatable: true }
      }
      assert.deepStrictEqual(toObservation(execution, received), { execution, observedAt: 500, deadline })
    })
  }
})

describe("isProgress", () => {
  const running = ["PENDING", "PROCESSING", "AWAITING_WEBHOOK"]
  const terminal = ["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"]
  const unknown = [undefined, "UNKNOWN", "SOMETHING_NEW"]

  it("returns true for a later status of a running execution", () => {
    for (const known of [...unknown, ...running]) {
      for (const update of running) {
        assert.strictEqual(
          isProgress(executionOf(update), known === undefined ? undefined : executionOf(known)),
          running.indexOf(update) > running.indexOf(known ?? ""),
          `${known} to ${update}`
        )
      }
    }
  })

  it("returns true for a terminal status and false for an undocumented status", () => {
    for (const known of [...unknown, ...running]) {
      const before = known === undefined ? undefined : executionOf(known)
      for (const update of terminal) assert.isTrue(isProgress(executionOf(update), before), `${known} to ${update}`)
      assert.isFalse(isProgress(executionOf("SOMETHING_NEW"), before), known)
    }
  })
})

describe("lacksError and lacksOutput", () => {
  const error = new Execution.Failure({ code: "GENERATION_FAILED" })
  const observe = (execution: Execution.Execution, hasNoOutput?: boolean) => ({
    execution,
    observedAt: start,
    deadline: undefined,
    ...(hasNoOutput === undefined ? {} : { hasNoOutput })
  })

  it("return true only if the data of the terminal status is missing", () => {
    assert.isTrue(lacksError(executionOf("FAILED")))
    assert.isFalse(lacksError(executionOf("FAILED", { error })))
    assert.isFalse(lacksError(executionOf("COMPLETED")))
    assert.isTrue(lacksOutput(observe(executionOf("COMPLETED"))))
    assert.isTrue(lacksOutput(observe(executionOf("COMPLETED"), false)))
    assert.isFalse(lacksOutput(observe(executionOf("COMPLETED"), true)))
    assert.isFalse(lacksOutput(observe(executionOf("COMPLETED", { output }))))
    assert.isFalse(lacksOutput(observe(executionOf("COMPLETED", { result: output }))))
    assert.isFalse(lacksOutput(observe(executionOf("FAILED"))))
  })
})

describe("hasSameExpiry", () => {
  it("compares the times of two states, of which each can be missing", () => {
    const at = (millis: number) => executionOf("PENDING", { expiresAt: DateTime.unsafeMake(millis) })
    assert.isTrue(hasSameExpiry(at(start), at(start)))
    assert.isFalse(hasSameExpiry(at(start), at(start + 1)))
    assert.isFalse(hasSameExpiry(at(start), executionOf("PENDING")))
    assert.isFalse(hasSameExpiry(at(start), undefined))
    assert.isFalse(hasSameExpiry(executionOf("PENDING"), at(start)))
    assert.isTrue(hasSameExpiry(executionOf("PENDING"), undefined))
  })
})
