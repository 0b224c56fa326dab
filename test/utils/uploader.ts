/** Uploads one file in a separate process and prints the memory use. Usage: `uploader.ts <transport> <api> <path>`. */
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
  // The first upload loads all modules, because the idle size must include them.
  yield* files.upload(File.fromBytes(new Uint8Array(1)))
  globalThis.gc?.()
  const idle = process.memoryUsage.rss()
  let peak = idle
  const reported: Array<number> = []
  const source = yield* File.fromPath(path)
  const fileId = yield* files.upload(source, {
    onProgress: ({ sent }) =>
      Effect.sync(() => {
        reported.push(sent)
        peak = Math.max(peak, process.memoryUsage.rss())
      })
  })
  const monotonic = reported.every((sent, n) => sent > (reported[n - 1] ?? -1))
  yield* Console.log(JSON.stringify({ fileId, idle, peak, steps: reported.length, last: reported.at(-1), monotonic }))
})

NodeRuntime.runMain(Effect.provide(main, Layer.mergeAll(http, IdempotencyKey.layer, NodeContext.layer)))
