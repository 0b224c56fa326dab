/** Tests the output files of executions in the simulator. */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { crc32, inflateSync } from "node:zlib"
import { start } from "../utils/harness.js"
import { call, createExecution, errorOf, fluxRequest, idOf, send, test, withApiKey } from "../utils/rawApi.js"

describe("Simulator output file", () => {
  const createFile = Effect.gen(function* () {
    const id = idOf(
      yield* createExecution({ ...fluxRequest, input: { ...fluxRequest.input, width: 301, height: 257 } })
    )
    yield* TestClock.adjust("8420 millis")
    const { json } = yield* call("GET", `/executions/${id}`)
    return Schema.decodeUnknownSync(Schema.Struct({ file_id: Schema.String }))(json["result"]).file_id
  })

  const fetchFile = (url: string) => send(HttpClientRequest.get(url))

  test(
    "is a PNG image of the requested size",
    {},
    Effect.gen(function* () {
      const file = yield* createFile
      const { json } = yield* call("GET", `/files/${file}/download`)
      assert.deepInclude(json, { content_type: "image/png", expires_at: "2026-03-20T11:30:08Z" })
      assert.deepStrictEqual((yield* call("GET", `/files/${file}/url`)).json, json)
      assert.match(String(json["url"]), /^https:\/\/storage\.modelroute\.example\/files\/file_/)
      const { status, bytes } = yield* fetchFile(String(json["url"]))
      assert.strictEqual(status, 200)
      assert.strictEqual(bytes.length, json["size_bytes"])
      const view = new DataView(bytes.buffer)
      assert.deepStrictEqual([view.getUint32(16), view.getUint32(20)], [301, 257])
      const data = 8 + 25 + 60
      const end = data + 8 + view.getUint32(data)
      assert.strictEqual(view.getUint32(end), crc32(bytes.subarray(data + 4, end)))
      const pixels = inflateSync(bytes.subarray(data + 8, end))
      assert.strictEqual(pixels.length, (1 + 151) * 257)
      assert.isAbove(new Set(pixels).size, 10)
    })
  )

  test(
    "has a signed URL that is valid for one hour",
    {},
    Effect.gen(function* () {
      const url = String((yield* call("GET", `/files/${yield* createFile}/url`)).json["url"])
      const changed = url.replace(/.$/, (last) => (last === "0" ? "1" : "0"))
      const extended = url.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999")
      assert.strictEqual((yield* fetchFile(changed)).status, 403)
      assert.strictEqual((yield* fetchFile(extended)).status, 403)
      const withKey = yield* send(HttpClientRequest.get(url).pipe(withApiKey))
      assert.strictEqual(withKey.status, 400)
      assert.match(withKey.text, /<Code>InvalidArgument<\/Code>/)
      assert.strictEqual((yield* send(HttpClientRequest.put(url))).status, 405)
      yield* TestClock.setTime(start + 8000 + 3_599_999)
      assert.strictEqual((yield* fetchFile(url)).status, 200)
      yield* TestClock.adjust("1 millis")
      const expired = yield* fetchFile(url)
      assert.strictEqual(expired.status, 403)
      assert.match(expired.text, /Request has expired/)
      assert.notProperty(expired.headers, "x-ratelimit-limit")
    })
  )

  test(
    "depends only on the prompt and the index",
    { models: { pair: { duration: 0, cost: "0.01", output: "images", result: "both" } } },
    Effect.gen(function* () {
      const checksumsOf = (prompt: string) =>
        Effect.gen(function* () {
          const id = idOf(yield* createExecution({ model: "pair", input: { prompt, n: 2, width: 256, height: 256 } }))
          const { output } = (yield* call("GET", `/executions/${id}/result`)).json
          const Output = Schema.Struct({ images: Schema.Array(Schema.Struct({ file_id: Schema.String })) })
          return yield* Effect.forEach(Schema.decodeUnknownSync(Output)(output).images, ({ file_id }) =>
            Effect.flatMap(call("GET", `/files/${file_id}/url`), ({ json }) =>
              Effect.map(fetchFile(String(json["url"])), ({ bytes }) => crc32(bytes))
            )
          )
        })
      const first = yield* checksumsOf("a lighthouse")
      assert.deepStrictEqual(yield* checksumsOf("a lighthouse"), first)
      assert.strictEqual(new Set([...first, ...(yield* checksumsOf("a harbour"))]).size, 4)
    })
  )

  test(
    "is the body of the download response if the option `download` is `bytes`",
    { download: "bytes" },
    Effect.gen(function* () {
      const file = yield* createFile
      const response = yield* call("GET", `/files/${file}/download`)
      assert.strictEqual(response.headers["content-type"], "image/png")
      const url = String((yield* call("GET", `/files/${file}/url`)).json["url"])
      assert.deepStrictEqual(response.bytes, (yield* fetchFile(url)).bytes)
    })
  )

  test(
    "is available after a redirect if the option `download` is `redirect`",
    { download: "redirect", storageOrigin: "https://cdn.test/modelroute" },
    Effect.gen(function* () {
      const { status, headers } = yield* call("GET", `/files/${yield* createFile}/download`)
      assert.strictEqual(status, 302)
      assert.match(String(headers["location"]), /^https:\/\/cdn\.test\/modelroute\/files\//)
      assert.strictEqual((yield* fetchFile(String(headers["location"]))).status, 200)
    })
  )

  test(
    "is not found if the id is unknown",
    {},
    Effect.gen(function* () {
      const response = yield* call("GET", "/files/file_1/download")
      assert.strictEqual(response.status, 400)
      assert.deepInclude(errorOf(response), { code: "FILE_NOT_FOUND" })
    })
  )
})
