/** Tests downloads with the `fetch` of a browser, which hides the status and the target of a redirect. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { collectText, fileId, linkJson, storageUrl } from "../utils/downloads.js"
import { makeClientAt } from "../utils/transports.js"

/** The status of this response is 0, as the status of a hidden redirect. */
const hideRedirect = () => Response.error()

/** Downloads a file. `respond` returns the response of each path. Returns the text or the error, and the paths. */
const download = (respond: (path: string) => Response) =>
  Effect.gen(function* () {
    const paths: Array<string> = []
    const fetch: typeof globalThis.fetch = async (input) => {
      const { pathname } = new URL(String(input))
      paths.push(pathname)
      return respond(pathname)
    }
    const http = Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch))
    const { files } = yield* Effect.provide(makeClientAt("https://api.example"), http)
    return { result: yield* Effect.either(collectText(files.download(fileId))), paths }
  })

describe("files.download in a browser", () => {
  it.effect("requests the link of the file if the API responds with a redirect", () =>
    Effect.gen(function* () {
      const { paths, result } = yield* download((path) => {
        if (path.endsWith("/download")) return hideRedirect()
        return path.endsWith("/url") ? Response.json(linkJson) : new Response("0123456789")
      })
      assert.deepStrictEqual(yield* result, "0123456789")
      assert.deepStrictEqual(paths, [
        `/v1/files/${fileId}/download`,
        `/v1/files/${fileId}/url`,
        new URL(storageUrl).pathname
      ])
    })
  )

  it.effect("fails with UnexpectedResponse if storage responds with a redirect", () =>
    Effect.gen(function* () {
      const { result } = yield* download((path) => (path.startsWith("/v1") ? Response.json(linkJson) : hideRedirect()))
      const error = yield* Effect.flip(result)
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.include(error.message, "the response is a redirect")
    })
  )
})
