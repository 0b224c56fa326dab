/** A process that uploads one file and tells how much memory that took: `uploader.ts <transport> <api> <path>`. */
import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import { Console, Effect, Layer, Redacted } from "effect"
import { File, IdempotencyKey, ModelRouteClient } from "effect-modelroute"

const [, , transport = "", baseUrl = "", path = ""] = process.argv

const layers: Readonly<Record<string, Layer.Layer<HttpClient.HttpClient>>> = {
  fetch: FetchHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  "node:http": NodeHttpClient.layer
}
const http = layers[transport] ?? FetchHttpClient.layer

const main = Effect.gen(function* () {
  const { files } = yield* ModelRouteClient.make({ apiKey: Redacted.make("sk_simulated"), baseUrl })
  // Idle is a process that has done all this before.
  yield* files.upload(File.fromBytes(new Uint8Array(1)))
  globalThis.gc?.()
  const idle = process.memoryUsage.rss()
  let peak = idle
  const told: Array<number> = []
  const source = yield* File.fromPath(path)
  const fileId = yield* files.upload(source, {
    onProgress: ({ sent }) =>
      Effect.sync(() => {
        told.push(sent)
        peak = Math.max(peak, process.memoryUsage.rss())
      })
  })
  const monotonic = told.every((sent, n) => sent > (told[n - 1] ?? -1))
  yield* Console.log(JSON.stringify({ fileId, idle, peak, steps: told.length, last: told.at(-1), monotonic }))
})

NodeRuntime.runMain(Effect.provide(main, Layer.mergeAll(http, IdempotencyKey.layer, NodeContext.layer)))
