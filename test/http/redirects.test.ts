/**
 * Tests that no transport follows a redirect of an API call or an upload. A redirect could change the method or send
 * the API key to another host.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { assert } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import { ApiKey, Execution, File, type ModelRouteClient, WebhookEndpoint } from "effect-modelroute"
import { image } from "../utils/harness.js"
import { serve } from "../utils/server.js"
import { makeClientAt, overEachTransport } from "../utils/transports.js"

const statuses = [301, 302, 303, 307, 308]

const id = Execution.ExecutionId.make("exec_1")
const endpointId = WebhookEndpoint.EndpointId.make("wh_1")

const json = (response: ServerResponse, body: unknown) =>
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))

/** Successful response to every request at the target of the redirects. */
const target = {
  id: "exec_1",
  status: "COMPLETED",
  output: {},
  new_key: "sk_new",
  secret: "whsec_new",
  file_id: "file_1",
  upload_url: "http://127.0.0.1:9/put",
  endpoints: []
}

/**
 * Starts a server that redirects the requests to one path. Other requests succeed because the operation must reach that
 * path.
 */
const serveRedirect = (path: string, status: number) =>
  serve((response: ServerResponse, request: IncomingMessage) => {
    const { headers, url = "" } = request
    if (url === "/elsewhere") return void json(response, target)
    if (url === path) return void response.writeHead(status, { location: "/elsewhere" }).end("Moved")
    if (url === "/put") return void request.on("end", () => response.writeHead(200).end())
    return void json(response, { ...target, upload_url: `http://${headers.host}/put` })
  })

const megabyte = 1024 * 1024
const large = { ...image, input: { ...image.input, mask: "x".repeat(2 * megabyte) } }
const upload = ({ files }: ModelRouteClient.Service) => files.upload(File.fromBytes(new Uint8Array(megabyte)))

type Operation = readonly [
  name: string,
  path: string,
  use: (client: ModelRouteClient.Service) => Effect.Effect<unknown, unknown>
]

const operations: ReadonlyArray<Operation> = [
  ["executions.create", "/v1/executions", ({ executions }) => executions.create(image)],
  ["executions.create of 2 MB", "/v1/executions", ({ executions }) => executions.create(large)],
  ["executions.run", "/v1/executions", ({ executions }) => executions.run(image)],
  ["executions.get", "/v1/executions/exec_1", ({ executions }) => executions.get(id)],
  ["executions.result", "/v1/executions/exec_1/result", ({ executions }) => executions.result(id)],
  ["executions.cancel", "/v1/executions/exec_1/cancel", ({ executions }) => executions.cancel(id)],
  ["files.upload", "/v1/files/upload", upload],
  ["the PUT of files.upload", "/put", upload],
  ["the confirmation of files.upload", "/v1/files/confirm", upload],
  [
    "webhookEndpoints.create",
    "/v1/webhooks/endpoints",
    ({ webhookEndpoints }) => webhookEndpoints.create({ url: "https://example.com/hook", events: [] })
  ],
  ["webhookEndpoints.list", "/v1/webhooks/endpoints", ({ webhookEndpoints }) => webhookEndpoints.list],
  [
    "webhookEndpoints.update",
    "/v1/webhooks/endpoints/wh_1",
    ({ webhookEndpoints }) => webhookEndpoints.update(endpointId, { isActive: true })
  ],
  [
    "webhookEndpoints.remove",
    "/v1/webhooks/endpoints/wh_1",
    ({ webhookEndpoints }) => webhookEndpoints.remove(endpointId)
  ],
  [
    "webhookEndpoints.test",
    "/v1/webhooks/endpoints/wh_1/test",
    ({ webhookEndpoints }) => webhookEndpoints.test(endpointId)
  ],
  ["apiKeys.rotate", "/v1/api-keys/key_1/rotate", ({ apiKeys }) => apiKeys.rotate(ApiKey.KeyId.make("key_1"))],
  ["request with GET", "/v1/models", ({ request }) => request("GET", "/models")],
  ["request with POST", "/v1/models", ({ request }) => request("POST", "/models", {})],
  ["request with PUT", "/v1/models", ({ request }) => request("PUT", "/models", {})],
  ["request with PATCH", "/v1/models", ({ request }) => request("PATCH", "/models", {})],
  ["request with DELETE", "/v1/models", ({ request }) => request("DELETE", "/models")]
]

overEachTransport((test) => {
  for (const [name, path, use] of operations) {
    for (const status of statuses) {
      test(
        `${name} fails after one request if the response is a ${status} redirect`,
        Effect.gen(function* () {
          const server = yield* serveRedirect(path, status)
          const error = yield* Effect.flip(use(yield* makeClientAt(server.url)))
          const { received } = server
          assert.propertyVal(error, "_tag", "UnexpectedResponse")
          assert.propertyVal(error, "retryable", false)
          assert.include(String(error), "the response is a redirect, which this call does not follow")
          // With `fetch`, a redirect of a body above 1 MiB is an error without a status.
          if (name !== "executions.create of 2 MB") assert.propertyVal(error, "status", status)
          assert.lengthOf(
            received.filter(({ url }) => url === path),
            1
          )
          assert.notInclude(
            received.map(({ url }) => url),
            "/elsewhere"
          )
          if (name.includes("of files.upload")) assert.propertyVal(error, "fileId", "file_1")
        })
      )
    }
  }

  for (const status of statuses) {
    test(
      `files.download follows a ${status} redirect to storage without sending the API key`,
      Effect.gen(function* () {
        const storage = yield* serve((response) => {
          response.writeHead(200, { "content-type": "image/png", "content-length": "5" }).end("bytes")
        })
        const api = yield* serve((response) => {
          response.writeHead(status, { location: `${storage.url}/file?X-Amz-Signature=a` }).end()
        })
        const { files } = yield* makeClientAt(api.url)
        const chunks = yield* Stream.runCollect(files.download(File.FileId.make("file_1")))
        assert.strictEqual(Buffer.concat(Chunk.toReadonlyArray(chunks)).toString(), "bytes")
        assert.lengthOf(api.received, 1)
        assert.lengthOf(storage.received, 1)
        assert.notProperty(storage.received[0]?.headers ?? {}, "authorization")
      })
    )

    test(
      `files.download fails after five ${status} redirects`,
      Effect.gen(function* () {
        const storage = yield* serve((response) => {
          response.writeHead(status, { location: "/elsewhere" }).end()
        })
        const api = yield* serve((response) => {
          response.writeHead(302, { location: `${storage.url}/file?X-Amz-Signature=a` }).end()
        })
        const { files } = yield* makeClientAt(api.url)
        const error = yield* Effect.flip(Stream.runDrain(files.download(File.FileId.make("file_1"))))
        assert.propertyVal(error, "_tag", "UnexpectedResponse")
        assert.include(error.message, "too many redirects")
        assert.lengthOf(storage.received, 5)
      })
    )
  }
})
