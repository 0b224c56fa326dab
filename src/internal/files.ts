/**
 * The methods on files.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Files } from "../ModelRouteClient.js"
import { call, send, type Sender } from "./call.js"
import * as decode from "./decode.js"
import * as download from "./download.js"
import * as exchange from "./exchange.js"
import * as requests from "./requests.js"
import { type Account, spannedStream } from "./telemetry.js"

/** @internal `storage` is the client without the API key: for whatever host a link points to. */
export const make = (sender: Sender, storage: HttpClient.HttpClient): Files => {
  const api: Sender = { ...sender, client: download.withoutRedirects(sender.client) }
  const accept = download.accept(download.withoutRedirects(storage), sender.limits.duration)
  return {
    url: (id) => {
      const operation = "files.url"
      return Effect.flatMap(requests.segment(operation, "id", id), (segment) =>
        call(sender, {
          operation,
          request: requests.make("GET", `/v1/files/${segment}/url`),
          accept: exchange.json("a download URL", decode.downloadLink),
          repeatable: true,
          fileId: id
        })
      )
    },
    download: (id) =>
      Stream.suspend(() => {
        const operation = "files.download"
        const account: Account = { attempts: 0, fileId: id }
        const bytes = Effect.flatMap(requests.segment(operation, "id", id), (segment) =>
          send(
            api,
            { operation, request: requests.make("GET", `/v1/files/${segment}/download`), accept, repeatable: true },
            account
          )
        )
        return spannedStream(operation, account, Stream.unwrap(bytes))
      })
  }
}
