/** Tests the permit requests of calls. */
import { assert, describe, it } from "@effect/vitest"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Duration, Effect, Option, TestClock } from "effect"
import type { ModelRouteError } from "effect-modelroute"
import type { Call } from "../../src/internal/http/attempt.js"
import { makePermitRequest } from "../../src/internal/http/makePermitRequest.js"
import { start } from "../utils/harness.js"

const makeCall = (operation: string, deadline?: number): Call<unknown> => ({
  operation,
  request: HttpClientRequest.get("/v1/executions"),
  decode: () => Effect.void,
  isRepeatable: true,
  isKeyed: true,
  idempotencyKey: "key-1",
  ...(deadline === undefined ? {} : { deadline })
})

/** Returns the permit request of a call that has sent two requests, and the errors that the policy receives. */
const make = (call: Call<unknown>, wait: number | undefined, isRetry = false) => {
  const errors: Array<ModelRouteError.ModelRouteError> = []
  const stats = { attempts: 2, executionId: undefined, fileId: undefined }
  const driver = {
    next: () => Effect.dieMessage("the policy must repeat its latest step"),
    reevaluate: (error: ModelRouteError.RequestFailure) =>
      Effect.sync(() => {
        errors.push(error)
        return wait
      })
  }
  return { errors, request: makePermitRequest(call, stats, driver, isRetry) }
}

describe("makePermitRequest", () => {
  for (const [operation, requestClass] of [
    ["executions.create", "submissions"],
    ["executions.cancel", "cancels"],
    ["executions.await", "polls"],
    ["executions.watch", "polls"],
    ["executions.get", "calls"],
    ["request GET", "calls"]
  ] as const) {
    it(`assigns ${operation} to the class ${requestClass}`, () => {
      for (const isRetry of [false, true]) {
        const { confirmWait: _, ...request } = make(makeCall(operation), 0, isRetry).request
        assert.deepStrictEqual(request, { operation, requestClass, isRetry })
      }
    })
  }

  const delay = { opensIn: 4000, wait: 6000, limit: 60, remaining: 0 }

  it.effect("accepts or rejects a wait with the retry policy", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      for (const deadline of [undefined, start + 3999]) {
        const accepted = make(makeCall("executions.create", deadline), 0)
        assert.isTrue(Option.isNone(yield* accepted.request.confirmWait(delay)))
        assert.lengthOf(accepted.errors, 1)
        const rejected = make(makeCall("executions.create", deadline), undefined)
        const error = Option.getOrThrow(yield* rejected.request.confirmWait(delay))
        assert.deepStrictEqual(rejected.errors, [error])
        if (error._tag !== "RateLimited") return assert.fail(error._tag)
        assert.deepInclude(error, {
          operation: "executions.create",
          attempts: 2,
          idempotencyKey: "key-1",
          limit: 60,
          remaining: 0
        })
        assert.deepStrictEqual(error.retryAfter && Duration.toMillis(error.retryAfter), 6000)
        assert.deepStrictEqual(error.resetAt?.epochMillis, start + 4000)
      }
    })
  )

  it.effect("accepts a wait that ends before the deadline of the call without the retry policy", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      for (const deadline of [start + 4000, start + 4001]) {
        const { errors, request } = make(makeCall("executions.await", deadline), undefined)
        assert.isTrue(Option.isNone(yield* request.confirmWait(delay)))
        assert.deepStrictEqual(errors, [])
      }
    })
  )
})
