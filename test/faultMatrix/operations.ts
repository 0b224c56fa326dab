/** Operations of the matrix. Each operation names the request with the fault and the value of a healthy call. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { ApiKey, Execution, File, IdempotencyKey, type ModelRouteClient, WebhookEndpoint } from "effect-modelroute"
import { image } from "../utils/harness.js"
import { type Endpoint, file, type Ledger } from "./api.js"
import type { Target } from "./server.js"

/**
 * Reaction of an operation to a failed request. `repeatable` requests are sent again with any result. A `keyed` request
 * is sent again with its key. A `once` request is sent again only if the API certainly did not receive it. A `wait`
 * continues with the next poll.
 */
export type Kind = "repeatable" | "keyed" | "once" | "wait"

export interface CallOptions {
  /** Maximum duration of a wait on the clock of the client. `undefined` selects the default. */
  readonly waitTimeout: number | undefined
  /** Size of the content of an upload in bytes. */
  readonly uploadSize: number
}

export interface Operation {
  readonly name: string
  readonly kind: Kind
  readonly target: Target
  /** Runs the operation. Returns `true` if the result is the result of a healthy call. */
  readonly run: (client: ModelRouteClient.Service, options: CallOptions) => Effect.Effect<boolean, unknown>
  /** Number of objects that the API has created for the call. Default: the call creates no object. */
  readonly created?: (ledger: Ledger) => number
}

const id = Execution.ExecutionId.make("exec_1")
const fileId = File.FileId.make("file_1")
const endpointId = WebhookEndpoint.EndpointId.make("wh_1")
const pollSchedule = Schedule.spaced("1 millis")

const executions = (ledger: Ledger): number => ledger.executions.size
const objects = (ledger: Ledger): number => ledger.created

const isCompleted = (execution: Pick<Execution.Completed, "id" | "fileIds">): boolean =>
  execution.id === "exec_1" && execution.fileIds.length === 1 && execution.fileIds[0] === fileId

const wait = ({ waitTimeout }: CallOptions) => ({
  pollSchedule,
  ...(waitTimeout === undefined ? {} : { timeout: waitTimeout })
})

const piece = new Uint8Array(65_536)

const upload = ({ files }: ModelRouteClient.Service, { uploadSize }: CallOptions) =>
  Effect.map(
    files.upload(
      File.fromStream(Stream.take(Stream.repeatValue(piece), uploadSize / piece.length), { size: uploadSize })
    ),
    (uploaded) => uploaded === fileId
  )

const download = ({ files }: ModelRouteClient.Service) =>
  Effect.map(Stream.runCollect(files.download(fileId)), (chunks) =>
    file.equals(Buffer.concat(Chunk.toReadonlyArray(chunks)))
  )

const run = ({ executions }: ModelRouteClient.Service, options: CallOptions) =>
  Effect.map(executions.run(image, wait(options)), isCompleted)

const at = (endpoint: Endpoint, after?: Endpoint): Target => (after === undefined ? { endpoint } : { endpoint, after })

const executionOperations: ReadonlyArray<Operation> = [
  {
    name: "executions.create",
    kind: "keyed",
    target: at("create"),
    run: ({ executions }) => Effect.map(executions.create(image), (created) => created.id === "exec_1"),
    created: executions
  },
  { name: "executions.run, create", kind: "keyed", target: at("create"), run, created: executions },
  { name: "executions.run, poll", kind: "wait", target: at("get", "create"), run, created: executions },
  {
    name: "executions.await",
    kind: "wait",
    target: at("get"),
    run: ({ executions }, options) => Effect.map(executions.await(id, wait(options)), isCompleted)
  },
  {
    name: "executions.watch",
    kind: "wait",
    target: at("get"),
    run: ({ executions }, options) =>
      Effect.map(Stream.runCollect(executions.watch(id, wait(options))), (states) =>
        [...states].every(({ status }) => status === "COMPLETED")
      )
  },
  {
    name: "executions.get",
    kind: "repeatable",
    target: at("get"),
    run: ({ executions }) => Effect.map(executions.get(id), ({ status }) => status === "COMPLETED")
  },
  {
    name: "executions.result",
    kind: "repeatable",
    target: at("result"),
    run: ({ executions }) => Effect.map(executions.result(id), isCompleted)
  },
  {
    name: "executions.cancel",
    kind: "repeatable",
    target: at("cancel"),
    run: ({ executions }) => Effect.map(executions.cancel(id), Execution.isTerminal)
  }
]

const fileOperations: ReadonlyArray<Operation> = [
  { name: "files.upload, ticket", kind: "repeatable", target: at("ticket"), run: upload },
  { name: "files.upload, put", kind: "repeatable", target: at("put", "ticket"), run: upload },
  { name: "files.upload, confirm", kind: "repeatable", target: at("confirm", "put"), run: upload },
  { name: "files.download, link", kind: "repeatable", target: at("link"), run: download },
  { name: "files.download, storage", kind: "repeatable", target: at("storage", "link"), run: download },
  {
    name: "files.url",
    kind: "repeatable",
    target: at("url"),
    run: ({ files }) => Effect.map(files.url(fileId), ({ size }) => size === file.length)
  }
]

const endpointOperations: ReadonlyArray<Operation> = [
  {
    name: "webhookEndpoints.create",
    kind: "once",
    target: at("createEndpoint"),
    run: ({ webhookEndpoints }) =>
      Effect.map(
        webhookEndpoints.create({ url: "https://app.example/hook", events: [] }),
        (created) => created.id === endpointId
      ),
    created: objects
  },
  {
    name: "webhookEndpoints.list",
    kind: "repeatable",
    target: at("listEndpoints"),
    run: ({ webhookEndpoints }) => Effect.map(webhookEndpoints.list, ({ length }) => length === 1)
  },
  {
    name: "webhookEndpoints.update",
    kind: "repeatable",
    target: at("updateEndpoint"),
    run: ({ webhookEndpoints }) =>
      Effect.map(webhookEndpoints.update(endpointId, { description: "new" }), (updated) => updated.id === endpointId)
  },
  {
    name: "webhookEndpoints.remove",
    kind: "repeatable",
    target: at("removeEndpoint"),
    run: ({ webhookEndpoints }) => Effect.as(webhookEndpoints.remove(endpointId), true)
  },
  {
    name: "webhookEndpoints.test",
    kind: "repeatable",
    target: at("testEndpoint"),
    run: ({ webhookEndpoints }) =>
      Effect.map(webhookEndpoints.test(endpointId), (response) => JSON.stringify(response) === '{"delivered":true}')
  }
]

const otherOperations: ReadonlyArray<Operation> = [
  {
    name: "apiKeys.rotate",
    kind: "once",
    target: at("rotate"),
    run: ({ apiKeys }) => Effect.map(apiKeys.rotate(ApiKey.KeyId.make("key_1")), (rotated) => rotated.id === "key_1"),
    created: objects
  },
  {
    name: "request, GET",
    kind: "repeatable",
    target: at("readOther"),
    run: ({ request }) =>
      Effect.map(request("GET", "/other"), (response) => JSON.stringify(response) === '{"models":[]}')
  },
  {
    name: "request, POST",
    kind: "once",
    target: at("createOther"),
    run: ({ request }) =>
      Effect.map(request("POST", "/other", {}), (response) => JSON.stringify(response) === '{"id":"other_1"}'),
    created: objects
  },
  {
    name: "request, POST with a key",
    kind: "keyed",
    target: at("createOther"),
    run: ({ request }) =>
      Effect.map(request("POST", "/other", {}), (response) => JSON.stringify(response).includes("exec_1")).pipe(
        IdempotencyKey.withKey("key-of-the-caller")
      ),
    created: executions
  }
]

export const operations: ReadonlyArray<Operation> = [
  ...executionOperations,
  ...fileOperations,
  ...endpointOperations,
  ...otherOperations
]
