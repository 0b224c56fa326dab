/** Tests for download links. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Redacted } from "effect"
import { createImage, fileId, imageLinkJson, linkJson } from "../utils/downloads.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { layer, runToEnd, start, withClient } from "../utils/harness.js"

describe("files.url", () => {
  it.effect("returns the redacted download URL with its expiry, content type and size", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const file = yield* createImage(client)
        const found = yield* client.files.url(file)
        assert.match(
          Redacted.value(found.url),
          /^https:\/\/storage\.modelroute\.example\/files\/file_.*X-Amz-Signature=/
        )
        assert.strictEqual(found.contentType, "image/png")
        assert.isAbove(found.size ?? 0, 1000)
        // The link is requested 9.5 s after the start and expires 1 hour later. The expiry is in whole seconds.
        assert.strictEqual(found.expiresAt && DateTime.toEpochMillis(found.expiresAt), start + 9000 + 3_600_000)
        assert.notInclude(JSON.stringify(found), "X-Amz")
        assert.notInclude(String(found), "X-Amz")
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("fails if the file is unknown or the response has no valid download URL", () =>
    Effect.gen(function* () {
      const unknown = withClient((client) => Effect.exit(client.files.url(fileId))).pipe(Effect.provide(layer()))
      assert.strictEqual(failureOf(yield* unknown)._tag, "FileNotFound")
      for (const url of ["ftp://x", "", 7, undefined]) {
        const { client } = makeFakeClient(() => ({ status: 200, json: { ...imageLinkJson, url } }))
        const error = failureOf(yield* Effect.exit((yield* client).files.url(fileId)))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response lacks a download URL")
      }
    })
  )

  it.effect("retries after a 502 response", () => {
    const { client, urls } = makeFakeClient((_, n) => (n === 1 ? { status: 502 } : { status: 200, json: linkJson }))
    return Effect.gen(function* () {
      valueOf(yield* runToEnd((yield* client).files.url(fileId)))
      assert.lengthOf(urls, 2)
    })
  })
})
