/** Runs a load of ten minutes against the simulator in virtual time, and samples the metrics of the library. */
import * as HttpClient from "@effect/platform/HttpClient"
import { Clock, Effect, Fiber, Layer, Metric, Random, Redacted, Schedule } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { start } from "../../utils/harness.js"
import { seededRandom } from "../../utils/seededRandom.js"
import { inVirtualTime } from "../../utils/virtualTime.js"
import { type Sample, toSample } from "./samples.js"

const { Fault } = Simulator

const minuteMillis = 60_000

export const minutes = 10
export const requestsPerMinute = 300
export const sampleSeconds = 1

/** Part of the load with more executions. The executions also take longer. */
export const peak = { from: 2, to: 6, load: 4, slowdown: 1.8 }

/** The simulator responds to some requests with a 503. */
export const outage = { from: 8, requests: 40 }

interface LoadedModel {
  readonly name: string
  readonly seconds: number
  readonly cost: string
  readonly output: Simulator.Model["output"]
  /** Share of the executions, from 0 to 1. */
  readonly share: number
}

const models: ReadonlyArray<LoadedModel> = [
  { name: "seedance-video", seconds: 25, cost: "0.500", output: "image", share: 0.08 },
  { name: "flux-1.1-pro", seconds: 6, cost: "0.040", output: "image", share: 0.32 },
  { name: "text-generation-standard", seconds: 1.5, cost: "0.010", output: "text", share: 0.6 }
]

/** The moderation rejects prompts with this word. */
const rejectedWord = "weapon"

interface Arrival {
  /** Milliseconds after the start. */
  readonly at: number
  readonly model: string
  readonly prompt: string
}

const isPeak = (minute: number): boolean => minute >= peak.from && minute < peak.to

const chooseModel = (random: number): string => {
  let sum = 0
  const chosen = models.find(({ share }) => {
    sum += share
    return random < sum
  })
  return (chosen ?? models[0])?.name ?? ""
}

const makeArrivals = (random: () => number): ReadonlyArray<Arrival> => {
  const stepMillis = 100
  const probability = 0.06
  return Array.from({ length: (minutes * minuteMillis) / stepMillis }, (_, i) => i * stepMillis).flatMap((at) => {
    if (random() >= probability * (isPeak(at / minuteMillis) ? peak.load : 1)) return []
    const model = chooseModel(random())
    return [{ at, model, prompt: random() < 0.015 ? rejectedWord : "a red fox in snow" }]
  })
}

/** The simulator reads the duration once per execution. Most durations are close to the shortest duration. */
const makeModel = (model: LoadedModel, random: () => number, minute: () => number): Simulator.Model => ({
  get duration() {
    const factor = (1 + 1.5 * random() ** 4) * (isPeak(minute()) ? peak.slowdown : 1)
    return Math.round(model.seconds * factor * 1000)
  },
  cost: model.cost,
  output: model.output
})

const makeSimulator = (seed: number, random: () => number, minute: () => number): Simulator.Options => ({
  models: Object.fromEntries(models.map((model) => [model.name, makeModel(model, random, minute)])),
  rateLimit: { limit: requestsPerMinute, window: "1 minute" },
  // Loses 2 % of the responses. Responds to 1 % of the requests with a 503.
  randomFaults: {
    seed,
    probability: 0.03,
    faults: [Fault.dropAfter, Fault.dropAfter, Fault.apiError("SERVICE_UNAVAILABLE")]
  },
  faults: [
    Fault.on(
      ({ body, operation }) => operation === "executions.create" && Buffer.from(body).includes(rejectedWord),
      Fault.times(Infinity, Fault.apiError("CONTENT_MODERATION_REJECTED"))
    )
  ]
})

/** Delays each request and each response, because the simulator responds immediately. */
const addLatency = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(client, (response) =>
    Effect.gen(function* () {
      const oneWayMillis = yield* Random.nextIntBetween(100, 500)
      const exit = yield* Effect.exit(Effect.delay(response, oneWayMillis))
      yield* Effect.sleep(oneWayMillis)
      return yield* exit
    })
  )

const takeSample = Effect.zipWith(Metric.snapshot, Clock.currentTimeMillis, (snapshot, now) =>
  toSample((now - start) / minuteMillis, snapshot)
)

const takeSamples = Effect.gen(function* () {
  const samples: Array<Sample> = []
  const schedule = Schedule.intersect(
    Schedule.spaced(sampleSeconds * 1000),
    Schedule.recurs((minutes * 60) / sampleSeconds)
  )
  yield* Effect.repeat(
    Effect.map(takeSample, (sample) => samples.push(sample)),
    schedule
  )
  return samples
})

const startOutage = Effect.flatMap(Simulator.Simulator, ({ inject }) =>
  inject(Fault.times(outage.requests, Fault.apiError("SERVICE_UNAVAILABLE")))
)

const runExecutions = (arrivals: ReadonlyArray<Arrival>) =>
  Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) =>
    Effect.forEach(
      arrivals,
      ({ at, model, prompt }) => Effect.delay(Effect.exit(executions.run({ model, input: { prompt } })), at),
      { concurrency: "unbounded" }
    )
  )

export interface LoadResult {
  /** Samples of the load, in ascending order. */
  readonly samples: ReadonlyArray<Sample>
  /** Metrics after the end of the last execution. */
  readonly end: Sample
  /** Number of executions that the API has created. */
  readonly executions: number
  /** Cost in dollars according to the API. */
  readonly charged: string
}

/** Runs the load. Equal seeds return equal results on every machine. */
export const runLoad = (seed: number): Effect.Effect<LoadResult> =>
  Effect.gen(function* () {
    const random = seededRandom(seed)
    const arrivals = makeArrivals(random)
    const clock = yield* Effect.clock
    const minute = () => (clock.unsafeCurrentTimeMillis() - start) / minuteMillis
    const client = ModelRouteClient.layer({ apiKey: Redacted.make("sk_bench"), transformClient: addLatency }).pipe(
      Layer.provideMerge(Simulator.layer(makeSimulator(seed, random, minute))),
      Layer.provide(IdempotencyKey.layerSequence("key"))
    )
    const run = Effect.gen(function* () {
      const sampler = yield* Effect.fork(takeSamples)
      yield* Effect.fork(Effect.delay(startOutage, outage.from * minuteMillis))
      yield* runExecutions(arrivals)
      const samples = yield* Fiber.join(sampler)
      const { charged, executions } = yield* Effect.flatMap(Simulator.Simulator, ({ ledger }) => ledger)
      return { samples, end: yield* takeSample, executions: executions.length, charged }
    })
    return yield* Effect.provide(run, client)
  }).pipe(Effect.orDie, Effect.withRandom(Random.make(seed)), inVirtualTime)
