/** Starts the application of a history in a process: a client, a batch journal, durable executions and a webhook handler. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import type * as WorkflowEngine from "@effect/workflow/WorkflowEngine"
import { Context, Effect, Exit, Layer, Option, Redacted, Scope } from "effect"
import { Batch, IdempotencyKey, ModelRouteClient, Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { memoryEngine } from "../durable.js"
import { valueOf } from "../exit.js"
import { apiKey } from "../harness.js"
import { SimulatedProcess } from "./process.js"
import { makeDisk, makeTransport, type World } from "./world.js"

type Services =
  | ModelRouteClient.ModelRouteClient
  | Batch.Journal
  | Webhook.Dedup
  | WorkflowEngine.WorkflowEngine
  | DurableExecution.SuspensionStore

/** A running application. */
export interface App {
  readonly process: SimulatedProcess
  readonly client: ModelRouteClient.Service
  readonly services: Context.Context<Services>
  /** Handles a delivery in the process. Returns `None` if the process is killed. */
  readonly receive: (
    request: HttpServerRequest.HttpServerRequest
  ) => Effect.Effect<Option.Option<HttpServerResponse.HttpServerResponse>>
  /** Runs the finalizers of the application. */
  readonly close: Effect.Effect<void>
}

const makeLayer = (world: World, process: SimulatedProcess) => {
  const disk = Layer.sync(KeyValueStore.KeyValueStore, () => makeDisk(world, process))
  const client = ModelRouteClient.layer({ apiKey: Redacted.make(apiKey) }).pipe(
    Layer.provide([
      Layer.sync(HttpClient.HttpClient, () => makeTransport(world, process)),
      IdempotencyKey.layerSequence(`process-${process.number}`)
    ])
  )
  const dedup =
    world.setup.dedup === "memory" ? Webhook.layerDedupMemory : Webhook.layerDedup().pipe(Layer.provide(disk))
  return DurableExecution.layer({ maxDelay: "2 minutes" }).pipe(
    Layer.provideMerge(Layer.mergeAll(client, memoryEngine, dedup, Layer.provide(Batch.layerJournal(), disk)))
  )
}

/** Returns the handler of deliveries. Passes each event to the client and to the durable executions. */
const makeHandler = (world: World, process: SimulatedProcess) =>
  Webhook.handler({
    secrets: world.simulator.webhookSecret,
    dedup: Webhook.Dedup,
    onEvent: (event) =>
      Effect.gen(function* () {
        const at = yield* Effect.clockWith((clock) => Effect.sync(() => clock.unsafeCurrentTimeMillis()))
        if (process.isAlive) {
          world.handled.push({ eventId: event.id, process: process.number, at: at - world.machine.wallOffset })
        }
        yield* Webhook.notifyClient(event)
        yield* DurableExecution.onEvent(event)
      })
  })

/** Starts the application in a new process. Returns `None` if the process is killed during its start. */
const tryStart = (world: World): Effect.Effect<Option.Option<App>> =>
  Effect.gen(function* () {
    const process = yield* SimulatedProcess.make(world.processes.length + 1, world.machine)
    world.processes.push(process)
    const scope = yield* Scope.make()
    const built = yield* process.run(Layer.buildWithScope(makeLayer(world, process), scope))
    if (Option.isNone(built)) return Option.none()
    const services = valueOf(built.value)
    const handler = Effect.provide(makeHandler(world, process), services)
    const receive: App["receive"] = (request) =>
      Effect.acquireUseRelease(
        Effect.sync(() => (world.verifying += 1)),
        () => process.run(Effect.provideService(handler, HttpServerRequest.HttpServerRequest, request)),
        () => Effect.sync(() => (world.verifying -= 1))
      ).pipe(Effect.map(Option.map(valueOf)))
    return Option.some({
      process,
      client: Context.get(services, ModelRouteClient.ModelRouteClient),
      services,
      receive,
      close: Effect.asVoid(process.run(Scope.close(scope, Exit.void)))
    })
  })

/** Starts the application in a new process. An armed crash can kill the process during its start. */
export const startApp = (world: World): Effect.Effect<App> =>
  Effect.flatMap(tryStart(world), Option.match({ onNone: () => startApp(world), onSome: (app) => Effect.succeed(app) }))

/** Returns the receiver of the simulator's deliveries. A delivery fails while no process runs. */
export const makeReceiver = (currentApp: () => App | undefined) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const app = currentApp()
    if (app === undefined || !app.process.isAlive) return HttpServerResponse.empty({ status: 503 })
    const response = yield* app.receive(request)
    return Option.isSome(response) ? response.value : yield* Effect.never
  })
