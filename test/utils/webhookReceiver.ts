/**
 * Receives webhooks in a process that a test kills. Arguments: the directory of `Dedup`, and the file for the ids of
 * handled events. The process starts at the first input on stdin and prints its port. It exits when stdin ends.
 */
import * as Http from "node:http"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpServer from "@effect/platform/HttpServer"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Webhook from "../../src/Webhook.js"
import { secret } from "./webhooks.js"

const [, , directory = "", logPath = ""] = process.argv

const receive = Webhook.handler({
  secrets: secret,
  dedup: Webhook.Dedup,
  onEvent: ({ id }) =>
    Effect.flatMap(FileSystem.FileSystem, (files) => files.writeFileString(logPath, `${id}\n`, { flag: "a" }))
})

const port = Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
  Effect.sync(() => process.stdout.write(`${address._tag === "TcpAddress" ? address.port : 0}\n`))
)

const started = Effect.async<void>((resume) => {
  process.stdin.once("data", () => resume(Effect.void))
  process.stdin.once("end", () => process.exit())
})

const server = HttpServer.serve(receive).pipe(
  Layer.merge(Layer.effectDiscard(port)),
  Layer.provide(NodeHttpServer.layer(Http.createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provide(Layer.provide(Webhook.layerDedup(), KeyValueStore.layerFileSystem(directory))),
  Layer.provide(NodeContext.layer)
)

NodeRuntime.runMain(Effect.zipRight(started, Layer.launch(server)))
