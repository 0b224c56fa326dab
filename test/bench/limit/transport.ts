/** `fetch` and `HttpClient` for the rate-limited server. Each request takes one simulated round trip. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Clock, Effect } from "effect"
import type { LimitedResponse, LimitedServer } from "../../utils/limitedServer.js"
import * as VirtualTime from "./virtualTime.js"

const createdBody = JSON.stringify({
  id: "exec_a1b2c3d4-e5f6-7890-abcd-ef1234567890",
  status: "PENDING",
  model: "flux-1.1-pro",
  hold_amount: "0.048",
  estimated_cost: "0.040",
  expires_at: "2026-03-21T10:35:00Z",
  created_at: "2026-03-20T10:30:00Z"
})

const rejectedBody = JSON.stringify({
  error: { code: "RATE_LIMITED", message: "Too many requests", request_id: "req_1", retryable: true }
})

const toWebResponse = ({ headers, isRejected }: LimitedResponse): Response =>
  new Response(isRejected ? rejectedBody : createdBody, {
    status: isRejected ? 429 : 202,
    headers: { "content-type": "application/json", ...headers }
  })

export const makeFetch = (server: LimitedServer, name: string) => async (): Promise<Response> => {
  const exchange = server.request(VirtualTime.now(), name)
  await VirtualTime.sleepUntil(exchange.handledAt)
  const response = exchange.respond()
  await VirtualTime.sleepUntil(exchange.receivedAt)
  return toWebResponse(response)
}

export const makeHttpClient = (server: LimitedServer, name: string): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    Effect.gen(function* () {
      const sentAt = yield* Clock.currentTimeMillis
      const exchange = server.request(sentAt, name)
      yield* Effect.sleep(exchange.handledAt - sentAt)
      const response = exchange.respond()
      yield* Effect.sleep(exchange.receivedAt - exchange.handledAt)
      return HttpClientResponse.fromWeb(request, toWebResponse(response))
    })
  )
