import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type { ResponseData } from "../../src/internal/errors/classify.js"
import { start } from "./harness.js"

/** Returns a response that arrived at `start`. Encodes every body except a string as JSON. */
export const responseData = (status: number, body: unknown, headers: Record<string, string> = {}): ResponseData => ({
  status,
  headers,
  body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
  receivedAt: start
})

const request = HttpClientRequest.get("https://api.modelroute.ai/v1/executions/exec_1")

/** Returns a response of `fetch` with some of its properties replaced. */
export const fetchResponse = (
  body: BodyInit,
  headers: Record<string, string>,
  replaced: { readonly [name: string]: unknown } = {}
): HttpClientResponse.HttpClientResponse => {
  const response = HttpClientResponse.fromWeb(request, new Response(body, { headers }))
  return new Proxy(response, {
    get: (target, name) =>
      typeof name === "string" && name in replaced ? replaced[name] : Reflect.get(target, name, target)
  })
}
