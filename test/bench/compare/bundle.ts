/** Measures the size of bundles for the browser. A KB has 1024 bytes. */
import { gzipSync } from "node:zlib"
import * as esbuild from "esbuild"
import type { Figure, Group } from "./figure.js"
import { bundleOptions, peerPackages, repository } from "./modules.js"

const ours = `
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as IdempotencyKey from "effect-modelroute/IdempotencyKey"
import * as ModelRouteClient from "effect-modelroute/ModelRouteClient"

export const run = (apiKey, input) =>
  ModelRouteClient.make({ apiKey: Redacted.make(apiKey) }).pipe(
    Effect.flatMap(({ executions }) => executions.run({ model: "flux-1.1-pro", input })),
    Effect.provide([IdempotencyKey.layer, FetchHttpClient.layer]),
    Effect.runPromise
  )
`

const plainEffect = `
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Execution = Schema.Struct({ id: Schema.String, status: Schema.String })

export const create = (apiKey, input) =>
  HttpClientRequest.post("https://api.modelroute.ai/v1/executions").pipe(
    HttpClientRequest.bearerToken(apiKey),
    HttpClientRequest.bodyUnsafeJson({ model: "flux-1.1-pro", input }),
    HttpClient.execute,
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Execution)),
    Effect.provide(FetchHttpClient.layer),
    Effect.runPromise
  )
`

const openai = `
import OpenAI from "openai"

export const create = (apiKey, input) => new OpenAI({ apiKey }).responses.create({ model: "gpt-5", input })
`

/** Bundles the code and returns the size of the output after gzip. */
const sizeOf = async (contents: string, external: ReadonlyArray<string> = []): Promise<number> => {
  const { outputFiles } = await esbuild.build({
    ...bundleOptions,
    stdin: { contents, resolveDir: repository },
    external: [...external]
  })
  return outputFiles.reduce((size, file) => size + gzipSync(file.contents).length, 0) / 1024
}

const figure = (row: string, contestant: string, value: number): Figure => ({ row, contestant, value, unit: "KB" })

export const bundle: Group = {
  name: "bundle",
  measure: async () => {
    const whole = "bundle: size after gzip"
    const withoutPeers = "bundle without effect and @effect/platform: size after gzip"
    return [
      figure(whole, "plain Effect", await sizeOf(plainEffect)),
      figure(whole, "effect-modelroute", await sizeOf(ours)),
      figure(whole, "openai", await sizeOf(openai)),
      figure(withoutPeers, "effect-modelroute", await sizeOf(ours, peerPackages))
    ]
  },
  ratios: ["plain Effect", "openai"].map((peer) => ({ contestant: "effect-modelroute", peer }))
}
