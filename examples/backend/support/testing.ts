/** The backend on a port, over a simulator on another one, and what a client of it sees. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpServer from "@effect/platform/HttpServer"
import { ConfigProvider, Context, Effect, Layer, Logger, Redacted, Schedule, Schema } from "effect"
import { IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import type * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import * as Backend from "../Backend.js"
import type * as ModelRoute from "../ModelRoute.js"
import * as Webhooks from "../Webhooks.js"

export const prompt = "a red fox in snow"

/** A picture in a fifth of a second. */
export const brisk: Simulator.Options = {
  rateLimit: false,
  models: { "flux-1.1-pro": { duration: "200 millis", cost: "0.040", output: "image", requires: ["prompt"] } }
}

/** The two sides of ModelRoute: a simulator, and a client of it that does not wait for long. */
export const modelRoute = (
  simulator: Simulator.Options = {},
  client: ModelRoute.Options = { retry: RetryPolicy.make({ backoff: { base: "20 millis" } }) }
) =>
  Layer.unwrapEffect(
    Effect.map(SimulatorServer.SimulatorServer, ({ url }) =>
      ModelRouteClient.layer({ apiKey: Redacted.make("sk_test"), baseUrl: url, ...client })
    )
  ).pipe(
    Layer.provideMerge(SimulatorServer.layer({ ...brisk, ...simulator })),
    Layer.provide(IdempotencyKey.layer),
    Layer.provideMerge(NodeHttpClient.layerUndici)
  )

/** Starts a backend on a free port, which ends with the scope; gives its URL. */
export const started = (
  variables: Readonly<Record<string, string>> = {},
  telemetry: Layer.Layer<never> = Layer.empty
) =>
  Backend.layer(Webhooks.registered).pipe(
    Layer.provide(telemetry),
    Layer.provide(Layer.setConfigProvider(ConfigProvider.fromJson({ PORT: "0", ...variables }))),
    Layer.build,
    Effect.map(Context.get(HttpServer.HttpServer)),
    Effect.map(({ address }) => HttpServer.formatAddress(address))
  )

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly bytes: Uint8Array
}

/** The client has no part in the backend's traces. */
const untraced = Effect.map(
  HttpClient.HttpClient,
  HttpClient.withTracerDisabledWhen(() => true)
)

const answered = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.gen(function* () {
    const client = yield* untraced
    const { arrayBuffer, headers, status } = yield* client.execute(request)
    return { status, headers, bytes: new Uint8Array(yield* arrayBuffer) } satisfies Answer
  })

const decode = Schema.decodeUnknown(Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown })))

/** The body as JSON. */
export const json = ({ bytes }: Answer) => Effect.orDie(decode(new TextDecoder().decode(bytes)))

export const post = (url: string, text: string, key?: string) =>
  HttpClientRequest.post(`${url}/images`).pipe(
    HttpClientRequest.bodyUnsafeJson({ prompt: text }),
    HttpClientRequest.setHeaders(key === undefined ? {} : { "idempotency-key": key }),
    answered
  )

export const get = (url: string, id: unknown) => answered(HttpClientRequest.get(`${url}/images/${String(id)}`))

/** Asks for an image, and gives the id under which it was accepted. */
export const accepted = (url: string, key?: string) =>
  Effect.flatMap(post(url, prompt, key), (answer) =>
    answer.status === 202
      ? Effect.map(json(answer), ({ id }) => String(id))
      : Effect.dieMessage(`POST /images was answered with ${answer.status}`)
  )

/** Asks until it is so, for at most 10 seconds. */
export const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  Effect.filterOrFail(effect, isSo).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(500)))
  )

/** The answer to `GET /images/:id` that is not "not yet". */
export const final = (url: string, id: string) => eventually(get(url, id), ({ status }) => status !== 202)

/** No lines of the log in the report of a test. */
export const quiet = Logger.remove(Logger.defaultLogger)
