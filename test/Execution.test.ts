import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Schedule, Schema } from "effect"
import { Execution } from "effect-modelroute"
import { start } from "./utils/harness.js"

const id = Execution.ExecutionId.make("exec_1")

describe("Execution.Execution", () => {
  it("is unchanged after encoding to JSON and decoding", () => {
    const execution = new Execution.Execution({
      id,
      status: "PENDING",
      latency: Duration.seconds(8),
      extra: { region: "EU" }
    })
    const stored = JSON.stringify(Schema.encodeSync(Execution.Execution)(execution))
    assert.strictEqual(stored, '{"id":"exec_1","latency":8000,"extra":{"region":"EU"},"status":"PENDING"}')
    assert.deepStrictEqual(Schema.decodeUnknownSync(Execution.Execution)(JSON.parse(stored)), execution)
  })
})

describe("Execution.pollSchedule", () => {
  it("increases the delay between polls from 2 s to 15 s", () =>
    Effect.gen(function* () {
      const delays = yield* Schedule.delays(Execution.pollSchedule).pipe(
        Schedule.run(
          start,
          Array.from({ length: 8 }, () => new Execution.Execution({ id, status: "PENDING" }))
        )
      )
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(delays).map((delay) => Duration.toMillis(delay)),
        [2000, 3000, 4500, 6750, 10_125, 15_000, 15_000, 15_000]
      )
    }).pipe(Effect.runPromise))
})

describe("Execution.fileIds", () => {
  it("returns the file ids at any depth without duplicates", () => {
    const value = {
      images: [{ file_id: "file_b" }, { file_id: "file_a", mask: ["file_c", "file_b"] }],
      note: "file_ is not one, nor is a file_x in a sentence",
      texts: ["a file_x", "file_x.png", "file_"],
      none: null
    }
    assert.deepStrictEqual<ReadonlyArray<string>>(Execution.fileIds(value), ["file_b", "file_a", "file_c"])
    assert.deepStrictEqual(Execution.fileIds(undefined), [])
    let deep: unknown = "file_deep"
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.deepStrictEqual<ReadonlyArray<string>>(Execution.fileIds(deep), ["file_deep"])
  })
})
