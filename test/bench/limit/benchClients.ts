/**
 * Who competes. Each peer has the configuration with which it does best here, in the way that its own pages show, and as
 * many retries as it takes; what it knows beforehand that the others have to find out is said beside it.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import { Effect, Layer, Logger, LogLevel, Random, Redacted } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import ky from "ky"
import OpenAI from "openai"
import pRetry from "p-retry"
import * as VirtualTime from "./virtualTime.js"

/** What one client is made of. */
export interface ClientContext {
  readonly fetch: () => Promise<Response>
  readonly http: HttpClient.HttpClient
  readonly seed: number
  /** Only for those who say that they know it. */
  readonly known: { readonly limit: number; readonly length: number; readonly clients: number }
}

export type Create = () => Promise<unknown>

export interface BenchClient {
  readonly name: string
  /** One client, which knows only of the calls that are made through it. */
  readonly connect: (door: ClientContext) => Promise<Create>
}

const url = "https://api.modelroute.ai/v1/executions"
const body = { model: "flux-1.1-pro", input: { prompt: "a lighthouse in a storm" } }
const many = 100_000

/** The client of this package over an HTTP client, with the options that it has by default. */
export const makeCreate = ({ http, seed }: Pick<ClientContext, "http" | "seed">) =>
  ModelRouteClient.make({ apiKey: Redacted.make("sk_x") }).pipe(
    Effect.map(({ executions }) =>
      executions
        .create(body)
        .pipe(Logger.withMinimumLogLevel(LogLevel.None), Effect.withRandom(Random.make(`limit ${seed}`)))
    ),
    Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layerSequence("key")))
  )

const ours: BenchClient = {
  name: "effect-modelroute",
  connect: (door) =>
    Effect.runPromise(
      Effect.map(makeCreate(door), (create) => () => Effect.runPromise(Effect.withClock(create, VirtualTime.clock)))
    )
}

const secondsToReset = (headers: Headers): number =>
  Math.max(Number(headers.get("x-ratelimit-reset")) - VirtualTime.now() / 1000, 1)

const sleep = (seconds: number): Promise<void> => VirtualTime.sleepUntil(VirtualTime.now() + seconds * 1000)

/** What the API's pages advise: until the reset, at least a second; after anything else 1, 2, 4 … 30 seconds. */
const documented: BenchClient = {
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

/** Reads X-RateLimit-Reset by itself, for the methods that it may retry: POST has to be named. */
const kys: BenchClient = {
  name: "ky",
  connect: async ({ fetch }) => {
    const client = ky.create({ fetch, retry: { limit: many, methods: ["post"] } })
    return () => client.post(url, { json: body }).json()
  }
}

/** Reads Retry-After only: its transport writes one, from the reset and never below a second. */
const openais: BenchClient = {
  name: "openai",
  connect: async ({ fetch }) => {
    const client = new OpenAI({
      apiKey: "sk_x",
      baseURL: "https://api.modelroute.ai/v1",
      maxRetries: many,
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

class TooMany extends Error {
  constructor(readonly headers: Headers) {
    super("429")
  }
}

/** Reads no header: the hook for failed attempts waits for the reset, and such a failure uses up no retry and no backoff. */
const pRetries: BenchClient = {
  name: "p-retry",
  connect:
    async ({ fetch }) =>
    () =>
      pRetry(
        async () => {
          const response = await fetch()
          if (response.status === 429) throw new TooMany(response.headers)
          return response.json()
        },
        {
          onFailedAttempt: ({ error }) => (error instanceof TooMany ? sleep(secondsToReset(error.headers)) : undefined),
          shouldConsumeRetry: ({ error }) => !(error instanceof TooMany)
        }
      )
}

/** Knows the limit, its length and the number of clients beforehand. What is refused takes the next free turn. */
const spaced: BenchClient = {
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

/** The documented rule, but the first refusal holds back all calls of the client. */
const pausing: BenchClient = {
  name: "pause all on a 429",
  connect: async ({ fetch }) => {
    let open = 0
    const attempt = async (): Promise<unknown> => {
      if (VirtualTime.now() < open) {
        await VirtualTime.sleepUntil(open)
        return attempt()
      }
      const response = await fetch()
      if (response.ok) return response.json()
      open = Math.max(open, VirtualTime.now() + 1000 * secondsToReset(response.headers))
      return attempt()
    }
    return attempt
  }
}

export const benchClients: ReadonlyArray<BenchClient> = [ours, spaced, pausing, documented, kys, openais, pRetries]
