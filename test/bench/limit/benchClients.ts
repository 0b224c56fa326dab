/**
 * The clients of the benchmark. Each is configured as its own documentation shows, in the way that works best here, with
 * unlimited retries. Comments name the information that a client gets in advance.
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
  /** Only for clients that declare that they know it in advance. */
  readonly known: { readonly limit: number; readonly length: number; readonly clients: number }
}

export type Create = () => Promise<unknown>

export interface BenchClient {
  readonly name: string
  /** Creates one client. It shares no state with other clients. */
  readonly connect: (context: ClientContext) => Promise<Create>
}

const url = "https://api.modelroute.ai/v1/executions"
const body = { model: "flux-1.1-pro", input: { prompt: "a lighthouse in a storm" } }
const unlimitedRetries = 100_000

/** Returns a create by the client of this package, with its default options. */
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

/** Follows the API's documentation: waits until the reset, at least 1 s. After any other error waits 1, 2, 4 … 30 s. */
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

/** Reads `X-RateLimit-Reset` itself. POST has to be added to the methods that it retries. */
const kyClient: BenchClient = {
  name: "ky",
  connect: async ({ fetch }) => {
    const client = ky.create({ fetch, retry: { limit: unlimitedRetries, methods: ["post"] } })
    return () => client.post(url, { json: body }).json()
  }
}

/** Reads only `Retry-After`. Its `fetch` computes one from the reset, at least 1 s. */
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

/** Reads no header. Its hook for failed attempts waits for the reset, and a 429 uses no retry and no backoff. */
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

/** Knows the limit, the window length and the number of clients in advance. A rejected request takes the next free turn. */
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

/** Follows the documented rule, but the first 429 pauses all calls of the client. */
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
