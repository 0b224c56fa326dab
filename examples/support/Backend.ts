/**
 * Selects the real API if `MODELROUTE_API_KEY` is set. Otherwise starts a simulator on a free local port.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import { Config, type ConfigError, Context, Effect, Layer, Metric, MetricState, Option, Record, Redacted } from "effect"
import { type Execution, IdempotencyKey, ModelRouteClient, type ModelRouteError } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { wrap } from "./Text.js"

export class Backend extends Context.Tag("examples/Backend")<
  Backend,
  {
    readonly greeting: string
    /** `true` if the API is a simulator that ends with this program. */
    readonly isEphemeral: boolean
    /** Describes the requests and the cost of an execution. */
    readonly receipt: (completed: Execution.Completed) => Effect.Effect<string>
  }
>() {}

const pluralize = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`

/** Counts the create requests of this process, based on the metrics of the library. */
const createCount = Effect.map(Metric.snapshot, (pairs) =>
  pairs
    .filter(({ metricKey }) => metricKey.name === "modelroute_requests_total")
    .filter(({ metricKey }) => metricKey.tags.some(({ value }) => value === "executions.create"))
    .reduce(
      (sum, { metricState }) => (MetricState.isCounterState(metricState) ? sum + Number(metricState.count) : sum),
      0
    )
)

const real = Layer.merge(
  ModelRouteClient.layerConfig(),
  Layer.effect(
    Backend,
    Effect.gen(function* () {
      const url = yield* Config.withDefault(Config.nonEmptyString("MODELROUTE_BASE_URL"), "https://api.modelroute.ai")
      return {
        greeting: wrap(`MODELROUTE_API_KEY is set, so this program uses ${url} and costs money.`),
        isEphemeral: false,
        receipt: ({ cost }) =>
          Effect.gen(function* () {
            const sent = yield* createCount
            const paid = cost === undefined ? "unknown cost" : `$${cost} paid`
            return `${pluralize(sent, "create request")}, 1 execution, ${paid}.`
          })
      }
    })
  )
)

const { Fault } = Simulator

/** Options of the simulator, and a description of its faults. */
export interface Simulation {
  readonly server: SimulatorServer.Options
  readonly faultText: string
}

/** Timing of an execution that is long enough for the status line to be readable. */
const timing = { duration: "11 seconds", queued: "8 seconds" } as const

/** Simulation for a single execution. The three faults occur in this order. */
const one: Simulation = {
  server: {
    faults: [
      Fault.dropAfter,
      Fault.apiError("MODEL_OVERLOADED"),
      Fault.apiError("RATE_LIMITED", { resetIn: "3 seconds" })
    ].map((fault) => Fault.on("executions.create", fault)),
    models: Record.map(Simulator.models, (model) => ({ ...model, ...timing })),
    defaultModel: { ...timing, cost: "0.040", output: "image" }
  },
  faultText: "It loses a response, is overloaded once and limits the rate."
}

/** Simulation for many executions of four seconds each, with temporary faults and a rate limit. */
export const many: Simulation = {
  server: {
    faults: [
      Fault.on("executions.create", Fault.dropAfter),
      Fault.on("executions.create", Fault.apiError("MODEL_OVERLOADED")),
      Fault.on("storage.get", Fault.cutBody())
    ],
    rateLimit: { limit: 40, window: "10 seconds" },
    models: Record.map(Simulator.models, (model) => ({ ...model, duration: "4 seconds", queued: "1 second" }))
  },
  faultText: "It loses a response, is overloaded once, cuts a file and limits the rate."
}

const simulate = ({ server, faultText }: Simulation) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const { url } = yield* SimulatorServer.SimulatorServer
      const simulator = yield* Simulator.Simulator
      return Layer.merge(
        ModelRouteClient.layer({ apiKey: Redacted.make("sk_simulated"), baseUrl: url }),
        Layer.succeed(Backend, {
          greeting: wrap(
            `MODELROUTE_API_KEY is not set, so this program uses a simulator on ${url}. ${faultText} The simulator is free.`
          ),
          isEphemeral: true,
          receipt: () =>
            Effect.gen(function* () {
              const { charged, executions } = yield* simulator.ledger
              const sent = (yield* simulator.requests).filter(
                ({ operation }) => operation === "executions.create"
              ).length
              const requests = pluralize(sent, "create request")
              return `${requests}, ${pluralize(executions.length, "execution")}, $${charged} paid (ledger of the simulator).`
            })
        })
      )
    })
  ).pipe(Layer.provide(SimulatorServer.layer(server)))

type Chosen = Layer.Layer<
  Backend | ModelRouteClient.ModelRouteClient,
  ConfigError.ConfigError | ModelRouteError.InvalidRequest | HttpServerError.ServeError,
  HttpClient.HttpClient | IdempotencyKey.IdempotencyKey
>

/** Provides the client and the backend that the environment selects. */
export const layerFor = (simulation: Simulation) =>
  Config.nonEmptyString("MODELROUTE_API_KEY").pipe(
    Config.option,
    Effect.map((key): Chosen => (Option.isSome(key) ? real : simulate(simulation))),
    Layer.unwrapEffect,
    Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer])
  )

export const layer = layerFor(one)
