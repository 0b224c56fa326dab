/**
 * Runs in workerd. `POST /scenarios` runs the scenarios. `POST /shared` creates and awaits an execution with the client
 * of this module, which all requests share.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { Effect, Layer, Redacted } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { runAll } from "./scenarios.js"

let client: ModelRouteClient.Service | undefined

const sharedClient = (baseUrl: string): ModelRouteClient.Service =>
  (client ??= Effect.runSync(
    ModelRouteClient.make({ apiKey: Redacted.make("sk_test"), baseUrl }).pipe(
      Effect.provide(Layer.merge(FetchHttpClient.layer, IdempotencyKey.layer))
    )
  ))

export default {
  fetch: async (request: Request): Promise<Response> => {
    const settings = await request.json()
    if (new URL(request.url).pathname === "/scenarios") return Response.json(await runAll(settings))
    const { executions } = sharedClient(settings.url)
    const { id } = await Effect.runPromise(
      executions.run({ model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } }, { pollImmediately: true })
    )
    return Response.json({ id })
  }
}
