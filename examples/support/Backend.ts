/**
 * Who answers: ModelRoute itself when `MODELROUTE_API_KEY` is set, otherwise a simulator on a free port of this machine.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import { Config, type ConfigError, Context, Effect, Layer, Metric, MetricState, Option, Record, Redacted } from "effect"
import { type Execution, IdempotencyKey, ModelRouteClient, type ModelRouteError } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"

export class Backend extends Context.Tag("examples/Backend")<
  Backend,
  {
    readonly greeting: string
    /** Whether it ends with this program, and all that it knows. */
    readonly isEphemeral: boolean
    /** What it took and what was paid. */
    readonly bill: (completed: Execution.Completed) => Effect.Effect<string>
  }
>() {}

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`

/** How often this process has sent a create, from the library's own metrics. */
const submissions = Effect.map(Metric.snapshot, (pairs) =>
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
        greeting: `MODELROUTE_API_KEY is set, so this runs on ${url} and is paid for.`,
        isEphemeral: false,
        bill: ({ cost }) =>
          Effect.gen(function* () {
            const sent = yield* submissions
            const paid = cost === undefined ? "the price is not known" : `$${cost} paid`
            return `${plural(sent, "request")} to submit it, 1 execution, ${paid}.`
          })
      }
    })
  )
)

const { Fault } = Simulator

/** What the simulator does, and what of it is worth saying. */
export interface Simulation {
  readonly server: SimulatorServer.Options
  readonly trouble: string
}

/** The first 8 of 11 seconds are spent in the queue: long enough to see it work. */
const brisk = { duration: "11 seconds", queued: "8 seconds" } as const

/** One execution: what goes wrong goes wrong while it is submitted, in this order. */
const one: Simulation = {
  server: {
    faults: [Fault.dropAfter, Fault.envelope("MODEL_OVERLOADED"), Fault.rateLimited({ resetIn: "3 seconds" })].map(
      (fault) => Fault.on("executions.create", fault)
    ),
    models: Record.map(Simulator.models, (model) => ({ ...model, ...brisk })),
    defaultModel: { ...brisk, cost: "0.040", output: "image" }
  },
  trouble: "It will lose an answer, be overloaded and limit the rate."
}

/** Many executions, which take 4 seconds: all that can pass goes wrong now and then, and the rate limit is met. */
export const many: Simulation = {
  server: {
    faults: [
      Fault.on("executions.create", Fault.dropAfter),
      Fault.on("executions.create", Fault.envelope("MODEL_OVERLOADED")),
      Fault.on("storage.get", Fault.cutBody())
    ],
    rateLimit: { limit: 40, window: "10 seconds" },
    models: Record.map(Simulator.models, (model) => ({ ...model, duration: "4 seconds", queued: "1 second" }))
  },
  trouble: "It will lose an answer, be overloaded, break off a file and limit the rate."
}

const simulated = ({ server, trouble }: Simulation) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const { url } = yield* SimulatorServer.SimulatorServer
      const simulator = yield* Simulator.Simulator
      return Layer.merge(
        ModelRouteClient.layer({ apiKey: Redacted.make("sk_simulated"), baseUrl: url }),
        Layer.succeed(Backend, {
          greeting: `MODELROUTE_API_KEY is not set, so a simulator plays ModelRoute on ${url}.
${trouble} It costs nothing.`,
          isEphemeral: true,
          bill: () =>
            Effect.gen(function* () {
              const { charged, executions } = yield* simulator.ledger
              const sent = (yield* simulator.requests).filter(
                ({ operation }) => operation === "executions.create"
              ).length
              return `${plural(sent, "request")} to submit it, ${plural(executions.length, "execution")}, $${charged} paid: so says the simulator's ledger.`
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

/** The client, and the one who answers it. */
export const layerFor = (simulation: Simulation) =>
  Config.nonEmptyString("MODELROUTE_API_KEY").pipe(
    Config.option,
    Effect.map((key): Chosen => (Option.isSome(key) ? real : simulated(simulation))),
    Layer.unwrapEffect,
    Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer])
  )

export const layer = layerFor(one)
