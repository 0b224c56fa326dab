/** An API in memory for the comparison benchmark. It responds immediately and uses no socket. */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect } from "effect"

const pending = {
  status: "PENDING",
  model: "flux-1.1-pro",
  hold_amount: "0.048",
  estimated_cost: "0.040",
  expires_at: "2099-03-20T10:35:00Z",
  created_at: "2026-03-20T10:30:00Z"
}

const completed = {
  status: "COMPLETED",
  model: "flux-1.1-pro",
  cost: "0.040",
  latency_ms: 3200,
  created_at: "2026-03-20T10:30:00Z",
  completed_at: "2026-03-20T10:30:04Z",
  output: { images: [{ file_id: "file_f47ac10b-58cc-4372-a567-0e02b2c3d479", format: "png" }] }
}

export interface MemoryApi {
  readonly client: HttpClient.HttpClient
  /** Returns the number of responses. */
  readonly responses: () => number
}

/**
 * Creates an API. `isCompleted` receives the id of an execution and returns the status of the next response. `headers`
 * are added to each response.
 */
export const makeMemoryApi = (
  isCompleted: (id: string) => boolean,
  headers: () => { readonly [name: string]: string } = () => ({})
): MemoryApi => {
  let responses = 0
  let created = 0
  const respond = ({ method, url }: HttpClientRequest.HttpClientRequest): Response => {
    responses++
    const isCreate = method === "POST"
    const id = isCreate ? `exec_${created++}` : url.slice(url.lastIndexOf("/") + 1)
    const body = JSON.stringify({ id, ...(!isCreate && isCompleted(id) ? completed : pending) })
    return new Response(body, {
      status: isCreate ? 202 : 200,
      headers: { "content-type": "application/json", "content-length": String(body.length), ...headers() }
    })
  }
  const client = HttpClient.make((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, respond(request))))
  return { client, responses: () => responses }
}
