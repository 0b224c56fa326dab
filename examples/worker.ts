/**
 * Exports the backend as a `fetch` handler for Cloudflare Workers, Bun or Deno. `POST /images` submits an execution.
 * `GET /images/:id` redirects to the image. The module uses no API of Node.
 *
 *     curl http://localhost:3000/images -H "Idempotency-Key: fox-1" -d '{"prompt": "a red fox in snow"}'
 *
 * `examples/worker.test.ts` calls the handler under Node.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { ConfigProvider, Effect, Layer, Redacted, Schema } from "effect"
import { Execution, IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"

/** A worker receives its variables with each request. Bun and Deno pass other values and use `process.env`. */
const toConfig = (env: unknown): ConfigProvider.ConfigProvider => {
  const variables = Object.entries(env ?? {}).filter(
    (entry): entry is [string, string] => entry[0].startsWith("MODELROUTE_") && typeof entry[1] === "string"
  )
  return ConfigProvider.orElse(ConfigProvider.fromMap(new Map(variables)), ConfigProvider.fromEnv)
}

/**
 * Provides a client for one request. A worker must not share connections between requests, and may stop between two
 * requests. Therefore, each client starts without the rate limit of earlier requests. The limits of the retries are
 * short, because a worker may run for only a few seconds.
 */
const client = (env: unknown) =>
  ModelRouteClient.layerConfig({
    attemptTimeout: "10 seconds",
    retry: RetryPolicy.make({ backoff: { base: "200 millis", times: 2 }, rateLimit: { maxWait: "5 seconds" } })
  }).pipe(
    Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer]),
    Layer.provide(Layer.setConfigProvider(toConfig(env)))
  )

const json = (status: number, body: Readonly<Record<string, unknown>>) =>
  HttpServerResponse.unsafeJson(body, { status })

/**
 * Submits an execution and does not wait for its result. The idempotency key of the caller prevents a second charge if
 * the caller repeats the request.
 */
const submit = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { prompt } = yield* HttpServerRequest.schemaBodyJson(Schema.Struct({ prompt: Schema.NonEmptyString }))
  const { "idempotency-key": idempotencyKey } = (yield* HttpServerRequest.HttpServerRequest).headers
  const { id } = yield* executions.create({ model: "flux-1.1-pro", input: { prompt } }, { idempotencyKey })
  return json(202, { id, image: `/images/${id}` })
}).pipe(
  Effect.catchTag("ParseError", () => Effect.succeed(json(400, { error: "The body must contain a prompt" }))),
  Effect.catchTag("ContentModerationRejected", ({ _tag }) => Effect.succeed(json(422, { error: _tag })))
)

/** Redirects to the storage, so that the bytes of the image do not pass through the worker. */
const show = Effect.gen(function* () {
  const { executions, files } = yield* ModelRouteClient.ModelRouteClient
  const { id } = yield* HttpRouter.schemaPathParams(Schema.Struct({ id: Execution.ExecutionId }))
  const { fileIds } = yield* executions.result(id)
  const [fileId] = fileIds
  if (fileId === undefined) return json(404, { error: "The execution has no file" })
  const { url } = yield* files.url(fileId)
  return HttpServerResponse.redirect(Redacted.value(url))
}).pipe(
  Effect.catchTag("ExecutionNotReady", () =>
    Effect.succeed(HttpServerResponse.setHeader(json(202, { status: "running" }), "retry-after", "2"))
  )
)

const app = HttpRouter.empty.pipe(
  HttpRouter.post("/images", submit),
  HttpRouter.get("/images/:id", show),
  Effect.catchTag("RouteNotFound", () => HttpServerResponse.empty({ status: 404 })),
  Effect.catchAll((error) =>
    // The message can contain details of the account. Log it, and return only the tag.
    Effect.as(Effect.logError(error.message), json(502, { error: error._tag }))
  )
)

export default {
  fetch: (request: Request, env?: unknown): Promise<Response> =>
    HttpApp.toWebHandler(
      Effect.provide(app, client(env)).pipe(
        // The configuration is wrong.
        Effect.catchAll((error) => Effect.as(Effect.logError(error), HttpServerResponse.empty({ status: 500 })))
      )
    )(request)
}
