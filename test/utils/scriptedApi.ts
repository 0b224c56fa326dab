/** Provides a client with scripted responses, for tests of single methods. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { ModelRouteClient } from "effect-modelroute"
import { makeFakeClient, type FakeResponse } from "./fake.js"
import { runToEnd, silent } from "./harness.js"

/**
 * Returns a client that receives these responses in order. The last response repeats. `requests` contains the method
 * and the path of each request.
 */
export const scriptedApi = (...replies: ReadonlyArray<FakeResponse>) => {
  const requests: Array<string> = []
  const api = makeFakeClient((_, n) => replies[n - 1] ?? replies.at(-1) ?? { status: 500, text: "" }, {
    transformClient: HttpClient.tapRequest(({ method, url }) =>
      Effect.sync(() => void requests.push(`${method} ${new URL(url).pathname}`))
    )
  })
  /** Runs an effect with the client to its end, on the test clock. */
  const run = <A, E>(
    use: (client: ModelRouteClient.Service) => Effect.Effect<A, E>
  ): Effect.Effect<Exit.Exit<A, E>, unknown> => Effect.flatMap(api.client, (client) => runToEnd(silent(use(client))))
  return { ...api, requests, run }
}

/** Returns a response with an error envelope. */
export const errorReply = (code: string, status: number, fields: Record<string, unknown> = {}) => ({
  status,
  json: { error: { code, message: code, ...fields } }
})
