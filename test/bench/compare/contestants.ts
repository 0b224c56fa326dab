/** The clients of the comparison benchmark. All clients send the same request and decode the response. */
import { randomUUID } from "node:crypto"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, ManagedRuntime, Redacted, Schema } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import ky from "ky"
import OpenAI from "openai"
import { Stripe } from "stripe"
import * as Undici from "undici"
import type { Contestant } from "./measure.js"

export const apiKey = "sk_0123456789abcdef"
export const createRequest = { model: "flux-1.1-pro", input: { prompt: "a lighthouse in a storm" } }

/** The context of the Effect contestants for each transport. */
export const runtimes = {
  undici: ManagedRuntime.make(NodeHttpClient.layerUndici),
  fetch: ManagedRuntime.make(FetchHttpClient.layer),
  /** Disables spans for the whole run, because `Effect.withTracerEnabled` allocates memory in each call. */
  undiciWithoutSpans: ManagedRuntime.make(Layer.merge(NodeHttpClient.layerUndici, Layer.setTracerEnabled(false)))
}

export type Transport = keyof typeof runtimes

/** Creates a contestant that starts the next call after each completed call. */
export const promiseContestant = (name: string, call: () => Promise<unknown>): Contestant => ({
  name,
  run: (calls, concurrency, onLatency) =>
    new Promise((resolve, reject) => {
      let started = 0
      let completed = 0
      const startNext = (): void => {
        if (started === calls) return
        started++
        const start = performance.now()
        call().then(() => {
          onLatency?.((performance.now() - start) * 1000)
          completed++
          if (completed === calls) resolve()
          else startNext()
        }, reject)
      }
      for (let n = 0; n < concurrency; n++) startNext()
    })
})

const withLatency = (
  call: Effect.Effect<unknown, unknown>,
  onLatency: (micros: number) => void
): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    const start = performance.now()
    return Effect.tap(call, () => onLatency((performance.now() - start) * 1000))
  })

/** Creates a contestant that makes all calls in one fiber and its children. `makeCall` runs once. */
export const effectContestant = async (
  name: string,
  transport: Transport,
  makeCall: Effect.Effect<Effect.Effect<unknown, unknown>, unknown, HttpClient.HttpClient>
): Promise<Contestant> => {
  const runtime = runtimes[transport]
  const call = await runtime.runPromise(makeCall)
  return {
    name,
    run: (calls, concurrency, onLatency) => {
      const each = onLatency === undefined ? call : withLatency(call, onLatency)
      return runtime.runPromise(
        Effect.forEach(Array.from({ length: calls }), () => each, { concurrency, discard: true })
      )
    }
  }
}

export const jsonHeaders = (): { readonly [name: string]: string } => ({
  authorization: `Bearer ${apiKey}`,
  "content-type": "application/json",
  "idempotency-key": randomUUID()
})

const dispatcher = new Undici.Agent()

/** Sends the request with `undici`. Returns the response with any status. */
export const requestWithUndici = (baseUrl: string): Promise<Undici.Dispatcher.ResponseData> =>
  Undici.request(`${baseUrl}/v1/executions`, {
    dispatcher,
    method: "POST",
    headers: jsonHeaders(),
    body: JSON.stringify(createRequest)
  })

/** Sends the request with the `HttpClient` in the context. Returns the response with any status. */
export const requestWithHttpClient = (
  client: HttpClient.HttpClient,
  baseUrl: string
): ReturnType<HttpClient.HttpClient["execute"]> =>
  HttpClientRequest.post(`${baseUrl}/v1/executions`).pipe(
    HttpClientRequest.bearerToken(apiKey),
    HttpClientRequest.setHeader("idempotency-key", randomUUID()),
    HttpClientRequest.bodyUnsafeJson(createRequest),
    client.execute
  )

const callWithFetch = async (baseUrl: string): Promise<unknown> => {
  const response = await fetch(`${baseUrl}/v1/executions`, {
    method: "POST",
    headers: jsonHeaders(),
    body: JSON.stringify(createRequest)
  })
  return response.json()
}

const decodeCreated = HttpClientResponse.schemaBodyJson(Schema.Struct({ id: Schema.String, status: Schema.String }))

/** A call with the plain `HttpClient` of `@effect/platform`. Decodes two fields with a schema. */
export const makePlainCall = (
  baseUrl: string
): Effect.Effect<Effect.Effect<unknown, unknown>, never, HttpClient.HttpClient> =>
  Effect.map(HttpClient.HttpClient, (client) =>
    Effect.suspend(() => Effect.flatMap(requestWithHttpClient(client, baseUrl), decodeCreated))
  )

/** A client of this package with the default options. */
export const makeModelRoute = (
  baseUrl: string,
  options: Omit<ModelRouteClient.Options, "apiKey" | "baseUrl"> = {}
): Effect.Effect<ModelRouteClient.Service, unknown, HttpClient.HttpClient> =>
  Effect.provide(ModelRouteClient.make({ ...options, apiKey: Redacted.make(apiKey), baseUrl }), IdempotencyKey.layer)

const makeModelRouteCall = (baseUrl: string) =>
  Effect.map(makeModelRoute(baseUrl), ({ executions }) => Effect.suspend(() => executions.create(createRequest)))

/** The retries of POST requests have their defaults: `openai` and `stripe` retry, `ky` does not. */
const openaiCall = (baseUrl: string): (() => Promise<unknown>) => {
  const client = new OpenAI({ apiKey, baseURL: `${baseUrl}/v1` })
  return () => client.post("/executions", { body: createRequest, headers: { "idempotency-key": randomUUID() } })
}

const kyCall = (baseUrl: string): (() => Promise<unknown>) => {
  const client = ky.create({ prefixUrl: `${baseUrl}/v1`, headers: { authorization: `Bearer ${apiKey}` } })
  return () => client.post("executions", { json: createRequest, headers: { "idempotency-key": randomUUID() } }).json()
}

/** Uses a path below `/v2`, because `stripe` sends forms instead of JSON to `/v1`. Generates the key itself. */
const stripeCall = (baseUrl: string): (() => Promise<unknown>) => {
  const { hostname, pathname, port } = new URL(baseUrl)
  const client = new Stripe(apiKey, { host: hostname, port, protocol: "http" })
  const path = `/v2/executions${pathname}`
  return () => client.rawRequest("POST", path, createRequest)
}

/** Returns the contestants that decode a gzip response. */
export const decodingContestants = async (baseUrl: string): Promise<ReadonlyArray<Contestant>> => [
  promiseContestant("fetch", () => callWithFetch(baseUrl)),
  await effectContestant("HttpClient over fetch", "fetch", makePlainCall(baseUrl)),
  await effectContestant("effect-modelroute over undici", "undici", makeModelRouteCall(baseUrl)),
  await effectContestant("effect-modelroute over fetch", "fetch", makeModelRouteCall(baseUrl)),
  promiseContestant("openai", openaiCall(baseUrl)),
  promiseContestant("ky", kyCall(baseUrl))
]

/** Returns all contestants. */
export const allContestants = async (baseUrl: string): Promise<ReadonlyArray<Contestant>> => [
  promiseContestant("undici", async () => (await requestWithUndici(baseUrl)).body.json()),
  await effectContestant("HttpClient over undici", "undici", makePlainCall(baseUrl)),
  promiseContestant("stripe", stripeCall(baseUrl)),
  ...(await decodingContestants(baseUrl))
]
