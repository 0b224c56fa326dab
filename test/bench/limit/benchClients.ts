/**
 * Clients of the benchmark. Each client has unlimited retries and the best configuration in its documentation.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import { Effect, Layer, Logger, LogLevel, Random, Redacted } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import ky from "ky"
import OpenAI from "openai"
import pRetry from "p-retry"
import * as VirtualTime from "./virtualTime.js"

export interface ClientContext {
  readonly fetch: () => Promise<Response>
  readonly http: HttpClient.HttpClient
  readonly seed: number
  /** Parameters of the scenario. Only `evenlySpaced` uses these parameters. */
  readonly known: { readonly limit: number; readonly length: number; readonly clients: number }
}

export type Create = () => Promise<unknown>

export interface BenchClient {
  readonly name: string
  /** Creates a client that shares no state with other clients. */
  readonly connect: (context: ClientContext) => Promise<Create>
}

const url = "https://api.modelroute.ai/v1/executions"
const body = { model: "flux-1.1-pro", input: { prompt: "a lighthouse in a storm" } }
const unlimitedRetries = 100_000

/** Returns a create request by the client of this package with default options. */
export const makeCreate = ({ http, seed }: Pick<ClientContext, "http" | "seed">) =>
  ModelRouteClient.make({ apiKey: Redacted.make("sk_x") }).pipe(
    Effect.map(({ executions }) =>
      executions
        .create(body)
        .pipe(Logger.withMinimumLogLevel(LogLevel.None), Effect.withRandom(Random.make(`limit ${seed}`)))
    ),
    Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layerSequence("key")))
  )

const effectModelroute: BenchClient = {
  name: "effect-modelroute",
  connect: (context) =>
    Effect.runPromise(
      Effect.map(makeCreate(context), (create) => () => Effect.runPromise(Effect.withClock(create, VirtualTime.clock)))
    )
}

const secondsToReset = (headers: Headers): number =>
  Math.max(Number(headers.get("x-ratelimit-reset")) - VirtualTime.now() / 1000, 1)

const sleep = (seconds: number): Promise<void> => VirtualTime.sleepUntil(VirtualTime.now() + seconds * 1000)

/** Follows the API documentation. Waits for the reset after a 429, and 1, 2, 4 … 30 s after any other error. */
const documentedRule: BenchClient = {
  name: "the documented rule",
  connect: async ({ fetch }) => {
    const attempt = async (n: number): Promise<unknown> => {
      const response = await fetch()
      if (response.ok) return response.json()
      await sleep(response.status === 429 ? secondsToReset(response.headers) : Math.min(2 ** n, 30))
      return attempt(n + 1)
    }
    return () => attempt(0)
  }
}

/** Reads `X-RateLimit-Reset`. By default, ky does not retry POST requests. */
const kyClient: BenchClient = {
  name: "ky",
  connect: async ({ fetch }) => {
    const client = ky.create({ fetch, retry: { limit: unlimitedRetries, methods: ["post"] } })
    return () => client.post(url, { json: body }).json()
  }
}

/** Reads only `Retry-After` headers. The custom `fetch` adds `retry-after-ms` from the reset, with a minimum of 1 s. */
const openaiClient: BenchClient = {
  name: "openai",
  connect: async ({ fetch }) => {
    const client = new OpenAI({
      apiKey: "sk_x",
      baseURL: "https://api.modelroute.ai/v1",
      maxRetries: unlimitedRetries,
      fetch: async () => {
        const response = await fetch()
        if (response.status === 429) {
          response.headers.set("retry-after-ms", String(1000 * secondsToReset(response.headers)))
        }
        return response
      }
    })
    return () => client.post("/executions", { body })
  }
}

class TooManyRequests extends Error {
  constructor(readonly headers: Headers) {
    super("429")
  }
}

/** Reads no headers. `onFailedAttempt` waits for the reset. A 429 does not count as a retry. */
const pRetryClient: BenchClient = {
  name: "p-retry",
  connect:
    async ({ fetch }) =>
    () =>
      pRetry(
        async () => {
          const response = await fetch()
          if (response.status === 429) throw new TooManyRequests(response.headers)
          return response.json()
        },
        {
          onFailedAttempt: ({ error }) =>
            error instanceof TooManyRequests ? sleep(secondsToReset(error.headers)) : undefined,
          shouldConsumeRetry: ({ error }) => !(error instanceof TooManyRequests)
        }
      )
}

/** Sends requests at a constant interval. Resends a request after a 429 at the next free time. */
const evenlySpaced: BenchClient = {
  name: "evenly spaced",
  connect: async ({ fetch, known }) => {
    const interval = (known.length / known.limit) * known.clients
    let next = VirtualTime.now()
    const attempt = async (): Promise<unknown> => {
      const turn = Math.max(next, VirtualTime.now())
      next = turn + interval
      await VirtualTime.sleepUntil(turn)
      const response = await fetch()
      return response.ok ? response.json() : attempt()
    }
    return attempt
  }
}

/** Follows the API documentation, but a 429 pauses all requests of the client. */
const sharedPause: BenchClient = {
  name: "pause all on a 429",
  connect: async ({ fetch }) => {
    let pausedUntil = 0
    const attempt = async (): Promise<unknown> => {
      if (VirtualTime.now() < pausedUntil) {
        await VirtualTime.sleepUntil(pausedUntil)
        return attempt()
      }
      const response = await fetch()
      if (response.ok) return response.json()
      pausedUntil = Math.max(pausedUntil, VirtualTime.now() + 1000 * secondsToReset(response.headers))
      return attempt()
    }
    return attempt
  }
}

export const benchClients: ReadonlyArray<BenchClient> = [
  effectModelroute,
  evenlySpaced,
  sharedPause,
  documentedRule,
  kyClient,
  openaiClient,
  pRetryClient
]
