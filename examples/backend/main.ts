/**
 * Runs a backend that creates images. Serves `POST /images`, `GET /images/:id`, a webhook endpoint for ModelRoute, and
 * metrics for Prometheus at `GET /metrics`.
 *
 *     npm run example:backend
 *     PORT=8080 IMAGES_FOLDER=images TRACE=console npm run example:backend
 *
 * The backend uses a simulator by default. To use the real API, register `PUBLIC_URL/webhooks/modelroute` as an
 * endpoint first. Then set `MODELROUTE_API_KEY`, `MODELROUTE_WEBHOOK_SECRET` and `PUBLIC_URL`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as HttpServer from "@effect/platform/HttpServer"
import { Config, Console, Effect, Layer, Logger, LogLevel } from "effect"
import { fileURLToPath } from "node:url"
import * as Backend from "./Backend.js"
import * as ModelRoute from "./ModelRoute.js"
import * as Telemetry from "./Telemetry.js"
import * as Webhooks from "./Webhooks.js"

const usage = (url: string) => `Listening on ${url}. To try it:

URL=${url}
ID=$(curl -s $URL/images -H "Content-Type: application/json" \\
  -H "Idempotency-Key: fox-1" -d '{"prompt": "a red fox in snow"}' |
  tee /dev/stderr | grep -o 'img_[0-9a-f]*' | head -n 1)
curl -i $URL/images/$ID
until [ "$(curl -s -o fox.png -w '%{http_code}' $URL/images/$ID)" != 202 ]
do sleep 1; done; file fox.png
curl -i $URL${Webhooks.path} -d '{"id": "evt_forged"}'
curl -s $URL/metrics | grep ^modelroute
`

/** Prints the usage after the start, and a line when the backend begins to stop. */
const printUsage = Layer.scopedDiscard(
  Effect.zipRight(
    HttpServer.addressFormattedWith((address) =>
      Effect.flatMap(Config.withDefault(Config.nonEmptyString("PUBLIC_URL"), address), (url) => Console.log(usage(url)))
    ),
    Effect.addFinalizer(() => Console.log("Stopping after the open requests. Press Ctrl-C again to exit immediately."))
  )
)

const logLevel = Config.logLevel("LOG_LEVEL").pipe(
  Config.withDefault(LogLevel.Info),
  Effect.map(Logger.minimumLogLevel),
  Layer.unwrapEffect
)

export const program = (options: ModelRoute.Options = {}) =>
  ModelRoute.fromConfig(options).pipe(
    Effect.map(({ client, secret }) =>
      printUsage.pipe(
        Layer.provide(Backend.layer(secret)),
        Layer.provide([Telemetry.layer, logLevel]),
        // The client is built before the tracer, because traces must not contain spans of the simulator.
        Layer.provide(client)
      )
    ),
    Layer.unwrapEffect
  )

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  NodeRuntime.runMain(Effect.onInterrupt(Layer.launch(program()), () => Console.log("Stopped.")))
}
