/** Tests the log lines about an exhausted limit and its reset. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, HashMap, Logger, LogLevel } from "effect"
import { admit, awaitResponse, type Capacity, limitUntil } from "../../src/internal/rateLimit/capacity.js"
import { LimitLog } from "../../src/internal/rateLimit/limitLog.js"

/** Updates a log with each capacity. Returns the log lines, and after each update whether a reset is pending. */
const update = (
  updates: ReadonlyArray<readonly [now: number, capacity: Capacity, waiting: number]>,
  limit: number | undefined
) =>
  Effect.gen(function* () {
    const lines: Array<readonly [level: string, text: string]> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      assert.isTrue(HashMap.isEmpty(annotations))
      lines.push([logLevel.label, String(message)])
    })
    const log = new LimitLog()
    const pending = yield* Effect.forEach(updates, ([now, capacity, waiting]) =>
      Effect.map(log.update(capacity, waiting, limit, now), () => log.isResetPending)
    ).pipe(
      Effect.annotateLogs("operation", "of one request"),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    return { lines, pending }
  })

describe("LimitLog.update", () => {
  it.effect("logs the exhausted limit and its reset once", () =>
    Effect.gen(function* () {
      const result = yield* update(
        [
          [1000, limitUntil(7000), 3],
          [2000, limitUntil(8000), 4],
          [8000, admit(1), 2],
          [9000, admit(1), 2]
        ],
        60
      )
      assert.deepStrictEqual(result, {
        lines: [
          ["INFO", "The rate limit of 60 requests per window is exhausted and resets in 6 s. Waiting requests: 3"],
          ["INFO", "The rate limit has reset after 7 s. Waiting requests: 2"]
        ],
        pending: [true, true, false, false]
      })
    })
  )

  it.effect("logs a short wait at level Debug, and omits an unknown limit", () =>
    Effect.gen(function* () {
      const { lines } = yield* update(
        [
          [0, limitUntil(4000), 1],
          [9000, admit(1), 0]
        ],
        undefined
      )
      assert.deepStrictEqual(lines, [
        ["DEBUG", "The rate limit is exhausted and resets in 4 s. Waiting requests: 1"],
        ["DEBUG", "The rate limit has reset after 9 s. Waiting requests: 0"]
      ])
    })
  )

  it.effect("logs nothing if no request waits, or if the requests wait for a response", () =>
    Effect.gen(function* () {
      const { lines, pending } = yield* update(
        [
          [0, limitUntil(4000), 0],
          [0, awaitResponse(4000), 3],
          [0, admit(1), 0]
        ],
        60
      )
      assert.deepStrictEqual([lines, pending], [[], [false, false, false]])
    })
  )
})
