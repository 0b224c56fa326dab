/** Tests for storage errors. Storage errors are never decoded as API errors. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream, TestClock } from "effect"
import { File } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { runToEnd, silent, start } from "../utils/harness.js"
import { fakeUploadApi, pathsOf, uploadUrl } from "../utils/uploads.js"

const fileId = File.FileId.make("file_1")

const json = (status: number, body: unknown): FakeResponse => ({ status, json: body })
const xml = (status: number, code: string): FakeResponse => ({
  status,
  text: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
  headers: { "content-type": "application/xml" }
})

/** Responses of S3, GCS, R2, Azure, MinIO and proxies. Some responses have the format of API errors. */
const rejections: ReadonlyArray<readonly [string, FakeResponse]> = [
  ["a bare 401", { status: 401 }],
  ["a 401 with a page", { status: 401, text: "<html>Sign in</html>", headers: { "content-type": "text/html" } }],
  ["a 401 in JSON", json(401, { error: { code: "UNAUTHORIZED", message: "Invalid token" } })],
  ["a 403 in XML", xml(403, "AccessDenied")],
  ["a 403 in JSON", json(403, { error: { code: 403, message: "Forbidden" } })],
  ["a 403 with flat JSON", json(403, { code: "AuthenticationFailed", message: "no" })],
  ["a 402 with an envelope", json(402, { error: { code: "INSUFFICIENT_BALANCE", message: "Pay" } })],
  ["a 404 in XML", xml(404, "NoSuchKey")],
  ["a 404 with an envelope", json(404, { error: { code: "FILE_NOT_FOUND", message: "no" } })],
  ["a 400 with an envelope", json(400, { error: { code: "INPUT_VALIDATION_ERROR", message: "no", details: [] } })],
  ["a 409 with an envelope", json(409, { error: { code: "CONTENT_MODERATION_REJECTED", message: "no" } })],
  ["a 410 with a problem", json(410, { type: "about:blank", title: "Gone" })]
]

const fakeDownloadApi = (get: (n: number) => FakeResponse) => {
  let gets = 0
  return makeFakeClient((url) => {
    if (url.endsWith("/v1/files/file_1/download")) return { status: 200, json: { url: uploadUrl(1) } }
    gets += 1
    return get(gets)
  })
}

for (const [name, response] of rejections) {
  describe(`${name} from storage`, () => {
    it.effect("makes files.upload fail with an UnexpectedResponse that contains the file id", () => {
      const api = fakeUploadApi({ put: () => response })
      return Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const upload = (yield* api.client).files.upload(File.fromBytes(new Uint8Array(3)))
        const error = failureOf(yield* runToEnd(silent(upload)))
        assert.deepStrictEqual(
          [error._tag, "status" in error && error.status, error.retryable],
          ["UnexpectedResponse", response.status, false]
        )
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.fileId, fileId)
        assert.include(error.message, "storage rejected the request")
        assert.notMatch(error.message, /API key|balance/)
        assert.deepStrictEqual(pathsOf(api.urls), ["/v1/files/upload", "/uploads/file_1"])
      })
    })

    it.effect("makes files.download fail with an UnexpectedResponse that contains the file id", () => {
      const api = fakeDownloadApi(() => response)
      return Effect.gen(function* () {
        const error = failureOf(yield* runToEnd(silent(Stream.runDrain((yield* api.client).files.download(fileId)))))
        assert.deepStrictEqual(
          [error._tag, "status" in error && error.status, error.retryable],
          ["UnexpectedResponse", response.status, false]
        )
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.fileId, fileId)
        assert.notMatch(error.message, /API key|balance/)
      })
    })

    it.effect("makes files.upload request a new upload URL if the upload URL has expired", () => {
      const api = fakeUploadApi({ put: (n) => (n === 1 ? response : { status: 200 }), expiresIn: 20_000 })
      return Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const { files } = yield* api.client
        const slow = Stream.fromEffect(Effect.delay(Effect.succeed(new Uint8Array(3)), "25 seconds"))
        const upload = files.upload(File.fromStream(slow, { size: 3 }))
        assert.strictEqual(valueOf(yield* runToEnd(silent(upload))), "file_2")
        assert.deepStrictEqual(pathsOf(api.urls), [
          "/v1/files/upload",
          "/uploads/file_1",
          "/v1/files/upload",
          "/uploads/file_2",
          "/v1/files/confirm"
        ])
      })
    })
  })
}
