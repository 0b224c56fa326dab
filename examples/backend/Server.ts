/**
 * Serves the API on a port, and drains its connections at shutdown.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import type * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Chunk, Config, type ConfigError, Context, Effect, Layer, Option, Stream } from "effect"
import type { Webhook } from "effect-modelroute"
import * as Http from "node:http"
import { Api, Status } from "./Api.js"
import type { ImageError } from "./Errors.js"
import type { UnfailedImage } from "./Image.js"
import { Images } from "./Images.js"
import { Prometheus } from "./Prometheus.js"
import * as Webhooks from "./Webhooks.js"

const statuses = { Submitting: "SUBMITTING", Running: "RUNNING", Completed: "COMPLETED" } as const

const toStatus = ({ _tag, id }: UnfailedImage): Status =>
  new Status({ id, status: statuses[_tag], links: { image: `/images/${id}` } })

const setRetryAfter = (seconds: number) =>
  HttpApp.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(seconds)))
  )

/** Streams a file. Waits for the first bytes, because the status cannot change after the response has started. */
const streamFile = (png: Stream.Stream<Uint8Array, ImageError>) =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(png)
    const first = yield* Effect.catchAll(
      pull,
      Option.match({ onNone: () => Effect.succeed(Chunk.empty()), onSome: Effect.fail })
    )
    return HttpServerResponse.stream(Stream.concat(Stream.fromChunk(first), Stream.repeatEffectChunkOption(pull)), {
      contentType: "image/png"
    })
  })

const images = HttpApiBuilder.group(Api, "images", (handlers) =>
  Effect.map(Images, (images) =>
    handlers
      .handle("create", ({ headers, payload }) =>
        images.submit(payload.prompt, headers["idempotency-key"]).pipe(
          Effect.map(toStatus),
          Effect.tapErrorTag("TooBusy", (error) => setRetryAfter(error.retryAfter))
        )
      )
      .handle("get", ({ path }) =>
        Effect.gen(function* () {
          const image = yield* images.get(path.id)
          switch (image._tag) {
            case "Completed":
              return yield* streamFile(images.png(image))
            case "Failed":
              return yield* image.failure
            default:
              yield* setRetryAfter(1)
              return toStatus(image)
          }
        }).pipe(Effect.tapErrorTag("TooBusy", (error) => setRetryAfter(error.retryAfter)))
      )
  )
)

const health = HttpApiBuilder.group(Api, "health", (handlers) =>
  handlers.handle("health", () => Effect.succeed({ status: "ok" as const }))
)

const metrics = HttpApiBuilder.group(Api, "metrics", (handlers) =>
  Effect.map(Prometheus, ({ page }) => handlers.handle("metrics", () => page))
)

/** Open connections of the server. */
export class Connections extends Context.Tag("backend/Connections")<
  Connections,
  { readonly drain: Effect.Effect<void> }
>() {}

/** Listens on `HOST` and `PORT`. Default: 127.0.0.1 and 3000. Port 0 selects a free port. */
export const layerServer: Layer.Layer<
  HttpServer.HttpServer | Connections | Layer.Layer.Success<typeof NodeHttpServer.layerContext>,
  HttpServerError.ServeError | ConfigError.ConfigError
> = Layer.unwrapEffect(
  Effect.gen(function* () {
    const host = yield* Config.withDefault(Config.nonEmptyString("HOST"), "127.0.0.1")
    const port = yield* Config.withDefault(Config.integer("PORT"), 3000)
    const open = new Set<Http.ServerResponse>()
    let draining = false
    const server = Http.createServer((_, response) => {
      if (draining) response.shouldKeepAlive = false
      open.add(response)
      response.once("close", () => open.delete(response))
    })

    /**
     * Stops accepting connections, completes the requests in flight and closes their connections. Timeout: 10 seconds.
     */
    const drain = Effect.async<void>((resume) => {
      draining = true
      for (const response of open) response.shouldKeepAlive = false
      server.close(() => resume(Effect.void))
    }).pipe(
      Effect.interruptible,
      Effect.timeoutOption("10 seconds"),
      Effect.zipRight(Effect.sync(() => server.closeAllConnections()))
    )

    return Layer.merge(
      NodeHttpServer.layer(() => server, { host, port }),
      Layer.succeed(Connections, { drain })
    )
  })
)

/** Drains the connections before the routes and their services are released. */
const drainOnClose = Layer.scopedDiscard(Effect.flatMap(Connections, ({ drain }) => Effect.addFinalizer(() => drain)))

const routes = HttpApiBuilder.serve(HttpMiddleware.logger).pipe(
  Layer.provide(HttpApiBuilder.api(Api)),
  Layer.provide([images, health, metrics, Webhooks.route]),
  HttpMiddleware.withTracerDisabledForUrls(["/health", "/metrics"])
)

/** Provides the routes of the backend with a graceful shutdown. */
export const layer: Layer.Layer<
  never,
  never,
  | HttpServer.HttpServer
  | Connections
  | Layer.Layer.Success<typeof NodeHttpServer.layerContext>
  | Images
  | Prometheus
  | Webhooks.Secret
  | Webhook.Dedup
> = Layer.provide(drainOnClose, routes)
