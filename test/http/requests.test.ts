/** Tests the construction of requests. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Execution, File } from "effect-modelroute"
import { failureOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"

describe("encodeSegment", () => {
  it.effect('rejects an empty id and the ids "." and ".."', () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { executions, files } = yield* client
      for (const text of [".", ".."]) {
        assert.strictEqual(
          failureOf(yield* Effect.exit(executions.get(Execution.ExecutionId.make(text))))._tag,
          "InvalidRequest"
        )
        assert.strictEqual(failureOf(yield* Effect.exit(files.url(File.FileId.make(text))))._tag, "InvalidRequest")
      }
      // Unchecked JSON can contain an empty id.
      const empty: { id: Execution.ExecutionId } = JSON.parse('{"id":""}')
      assert.strictEqual(failureOf(yield* Effect.exit(executions.get(empty.id)))._tag, "InvalidRequest")
      assert.deepStrictEqual(urls, [])
    })
  })
})
