/** Starts the backend and a simulator on local ports, and sends requests to the backend. */
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

/** Simulator options for an execution of 200 ms without a rate limit. */
export const brisk: Simulator.Options = {
  rateLimit: false,
  models: { "flux-1.1-pro": { duration: "200 millis", cost: "0.040", output: "image", requires: ["prompt"] } }
}

/** Provides a simulator, and a client with short retry delays. */
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

/** Starts a backend on a free port until the scope closes. Returns the URL of the backend. */
export const startBackend = (
  variables: Readonly<Record<string, string>> = {},
  telemetry: Layer.Layer<never> = Layer.empty
) =>
  Backend.layer(Webhooks.layerRegistered).pipe(
    Layer.provide(telemetry),
    Layer.provide(Layer.setConfigProvider(ConfigProvider.fromJson({ PORT: "0", ...variables }))),
    Layer.build,
    Effect.map(Context.get(HttpServer.HttpServer)),
    Effect.map(({ address }) => HttpServer.formatAddress(address))
  )

export interface ResponseData {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly bytes: Uint8Array
}

/** Client without tracing. Its requests do not appear in the traces of the backend. */
const untracedClient = Effect.map(
  HttpClient.HttpClient,
  HttpClient.withTracerDisabledWhen(() => true)
)

const send = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.gen(function* () {
    const client = yield* untracedClient
    const { arrayBuffer, headers, status } = yield* client.execute(request)
    return { status, headers, bytes: new Uint8Array(yield* arrayBuffer) } satisfies ResponseData
  })

const decode = Schema.decodeUnknown(Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown })))

/** Parses the body as a JSON object. Dies if the body is not a JSON object. */
export const json = ({ bytes }: ResponseData) => Effect.orDie(decode(new TextDecoder().decode(bytes)))

export const post = (url: string, text: string, key?: string) =>
  HttpClientRequest.post(`${url}/images`).pipe(
    HttpClientRequest.bodyUnsafeJson({ prompt: text }),
    HttpClientRequest.setHeaders(key === undefined ? {} : { "idempotency-key": key }),
    send
  )

export const get = (url: string, id: unknown) => send(HttpClientRequest.get(`${url}/images/${String(id)}`))

/** Submits an image and returns its id. */
export const submitImage = (url: string, key?: string) =>
  Effect.flatMap(post(url, prompt, key), (response) =>
    response.status === 202
      ? Effect.map(json(response), ({ id }) => String(id))
      : Effect.dieMessage(`The status of POST /images is ${response.status}`)
  )

/** Repeats an effect every 20 ms until the predicate holds. Fails after 500 repetitions. */
export const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, predicate: (value: A) => boolean) =>
  Effect.filterOrFail(effect, predicate).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(500)))
  )

/** Polls `GET /images/:id` and returns the first response with a status other than 202. */
export const waitForImage = (url: string, id: string) => eventually(get(url, id), ({ status }) => status !== 202)

/** Disables logging. */
export const quiet = Logger.remove(Logger.defaultLogger)
