/**
 * A stateful stand-in for the ModelRoute API: executions that take their time and cost money, a rate limit, idempotency
 * keys, files, and faults on demand. It lives on the `Clock`, so that under `TestClock` minutes pass at once.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Balance } from "./internal/simulator/account.js"
import * as Account from "./internal/simulator/account.js"
import type { Answer, Request } from "./internal/simulator/answer.js"
import * as Api from "./internal/simulator/api.js"
import * as Executions from "./internal/simulator/executions.js"
import * as Fault from "./internal/simulator/fault.js"
import * as Faults from "./internal/simulator/faults.js"
import * as Ids from "./internal/simulator/ids.js"
import * as MemoryClient from "./internal/simulator/memoryClient.js"
import type { Model } from "./internal/simulator/model.js"
import { defaultModel, models } from "./internal/simulator/model.js"
import * as Money from "./internal/simulator/money.js"
import type { Operation } from "./internal/simulator/operation.js"
import * as RateLimiter from "./internal/simulator/rateLimiter.js"
import type { RequestRecord } from "./internal/simulator/requestLog.js"
import * as RequestLog from "./internal/simulator/requestLog.js"
import * as Server from "./internal/simulator/server.js"
import * as ServerApp from "./internal/simulator/serverApp.js"
import { signedMillis } from "./internal/simulator/time.js"

export {
  /**
   * What can go wrong with one request, as values.
   *
   * @since 0.1.0
   * @category models
   */
  Fault,
  models
}
export type { Balance, Model, Operation, RequestRecord }

/**
 * One execution that the server has really run.
 *
 * @since 0.1.0
 * @category models
 */
export interface LedgerEntry {
  readonly executionId: string
  readonly idempotencyKey?: string | undefined
  readonly model: string
  /** As of now. */
  readonly status: string
  /** What is on hold for it now, in dollars, as a decimal string. */
  readonly held: string
  /** What it has cost, in dollars, as a decimal string; nothing until it is completed. */
  readonly charged: string
  /** On the Clock, not on the server's own. */
  readonly createdAt: DateTime.Utc
  /** The body of the request that created it. */
  readonly body: string
}

/**
 * What has really been executed, in the order of creation, and what all of it has cost.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ledger {
  readonly executions: ReadonlyArray<LedgerEntry>
  /** In dollars, as a decimal string. */
  readonly charged: string
}

/**
 * How many requests the server takes. Refused ones do not count.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  readonly limit: number
  readonly window: Duration.DurationInput
  /**
   * `fixed` (default): windows that begin at whole multiples of their length on the server's clock; `sliding`: so many in
   * any stretch of that length; `bucket`: one more every `window / limit`, at most `limit` at once.
   */
  readonly kind?: "fixed" | "sliding" | "bucket" | undefined
  /** How much later than the whole multiples fixed windows begin. Default 0. */
  readonly offset?: Duration.DurationInput | undefined
  /** Whether `X-RateLimit-Reset` is rounded up or down to whole seconds. Default `up`. */
  readonly rounding?: "up" | "down" | undefined
}

/**
 * How the server behaves. Amounts that are not decimal strings are defects.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The keys that are let in. Default: any bearer token that is not empty. */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /** More models, or others in the place of the built-in ones. */
  readonly models?: Readonly<Record<string, Model>> | undefined
  /** What any other slug runs as. Default: 10 seconds, 0.040 dollars, one image. */
  readonly defaultModel?: Model | undefined
  /** Default 60 requests in 60 seconds. `false`: no limit and no such headers. */
  readonly rateLimit?: RateLimit | false | undefined
  /** Whether a 429 has a Retry-After, in seconds. Default `false`. */
  readonly retryAfter?: boolean | undefined
  /** In dollars, as a decimal string. Default `100.00`. */
  readonly balance?: string | undefined
  /** How long an execution may take; one that is not finished then becomes `EXPIRED`. Default 5 minutes. */
  readonly expiresAfter?: Duration.DurationInput | undefined
  /** How long an idempotency key is remembered. Default 24 hours. */
  readonly keyLife?: Duration.DurationInput | undefined
  /** Whether answers have a Date header, in whole seconds, rounded down. Default `true`. */
  readonly date?: boolean | undefined
  /** How far the server's clock is ahead of the Clock; a negative number of milliseconds: behind. Default 0. */
  readonly clockSkew?: Duration.DurationInput | undefined
  /** Decides all ids. Default 1. */
  readonly seed?: number | undefined
  /** What goes wrong, each once, with the first request that it is for. Default: nothing. */
  readonly faults?: ReadonlyArray<Fault.Fault> | undefined
  /** What goes wrong by chance, with requests that the script leaves alone. Default faults: `Fault.transient`. */
  readonly randomFaults?:
    | { readonly seed: number; readonly probability: number; readonly faults?: ReadonlyArray<Fault.Fault> | undefined }
    | undefined
  /** How `GET /v1/files/{id}/download` answers: with a presigned URL, the file, or a 302. Default `json`. */
  readonly download?: "json" | "bytes" | "redirect" | undefined
  /**
   * What presigned URLs begin with. Default: in memory `https://storage.modelroute.example`, on a port `/storage` under
   * the host of the request.
   */
  readonly storageOrigin?: string | undefined
  /** How many of the last requests `requests` holds. Default 10,000. */
  readonly recordRequests?: number | undefined
  /** Runs before each answer leaves. Default: nothing. */
  readonly onRequest?: ((record: RequestRecord) => Effect.Effect<void>) | undefined
}

/**
 * The server, seen from the other side than its clients.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly ledger: Effect.Effect<Ledger>
  /** In the order in which they came in. */
  readonly requests: Effect.Effect<ReadonlyArray<RequestRecord>>
  readonly balance: Effect.Effect<Balance>
  /** Appends to the script of faults. */
  readonly inject: (...faults: ReadonlyArray<Fault.Fault>) => Effect.Effect<void>
  /** How many faults of the script have not struck yet. */
  readonly pendingFaults: Effect.Effect<number>
  /** Adds dollars, as a decimal string; anything else is a defect. */
  readonly topUp: (amount: string) => Effect.Effect<void>
  /** @internal One exchange as plain data. */
  readonly handle: (request: Request) => Effect.Effect<Answer>
}

/**
 * The running simulator.
 *
 * @since 0.1.0
 * @category tags
 */
export class Simulator extends Context.Tag("effect-modelroute/Simulator")<Simulator, Service>() {}

const limiterOf = ({ kind = "fixed", limit, offset = 0, window }: RateLimit): RateLimiter.RateLimiter => {
  const length = Duration.toMillis(window)
  switch (kind) {
    case "fixed":
      return RateLimiter.fixedWindow(limit, length, Duration.toMillis(offset))
    case "sliding":
      return RateLimiter.slidingWindow(limit, length)
    case "bucket":
      return RateLimiter.tokenBucket(limit, length)
  }
}

const unsafeMake = (options: Options): Service => {
  const seed = options.seed ?? 1
  const skew = signedMillis(options.clockSkew ?? 0)
  const ids = Ids.make(seed)
  const account = Account.make(Money.parse(options.balance ?? "100.00"))
  const executions = Executions.make({
    account,
    ids,
    expiresAfter: Duration.toMillis(options.expiresAfter ?? "5 minutes"),
    keyLife: Duration.toMillis(options.keyLife ?? "24 hours")
  })
  const known = new Map(Object.entries({ ...models, ...options.models }))
  const otherwise = options.defaultModel ?? defaultModel
  for (const { cost } of [otherwise, ...known.values()]) {
    Money.parse(cost)
  }
  const storageBase = (request: Request) => options.storageOrigin ?? request.storage
  const { randomFaults } = options
  const chance = randomFaults && { ...randomFaults, faults: randomFaults.faults ?? Fault.transient }
  const faults = Faults.make(chance)
  faults.append(options.faults ?? [])
  const log = RequestLog.make(options.recordRequests ?? 10_000)
  const rateLimit = options.rateLimit ?? { limit: 60, window: "60 seconds" }
  const api = Api.make({
    executions,
    ids,
    model: (slug) => known.get(slug) ?? otherwise,
    seed,
    skew,
    download: options.download ?? "json",
    storageBase
  })
  const handle = Server.make({
    api,
    executions,
    faults,
    ids,
    log,
    limiter: rateLimit === false ? RateLimiter.unlimited : limiterOf(rateLimit),
    roundReset: rateLimit !== false && rateLimit.rounding === "down" ? Math.floor : Math.ceil,
    authorized: (key) => key !== "" && (options.apiKeys?.includes(key) ?? true),
    date: options.date ?? true,
    retryAfter: options.retryAfter ?? false,
    seed,
    skew,
    storageBase,
    onRequest: options.onRequest ?? (() => Effect.void)
  })

  const settled = <A>(f: (now: number) => A): Effect.Effect<A> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      executions.settle(now)
      return f(now)
    })

  const entry = (execution: Executions.Execution, now: number): LedgerEntry => {
    const final = executions.final(execution)
    return {
      executionId: execution.id,
      ...(execution.idempotencyKey === undefined ? {} : { idempotencyKey: execution.idempotencyKey }),
      model: execution.submission.model,
      status: executions.status(execution, now),
      held: Money.format(final === undefined ? execution.hold : 0),
      charged: Money.format(final?.status === "COMPLETED" ? execution.cost : 0),
      createdAt: DateTime.unsafeMake(execution.createdAt),
      body: execution.submission.body
    }
  }

  return {
    ledger: settled((now) => ({
      executions: Array.from(executions.all(), (execution) => entry(execution, now)),
      charged: account.balance().charged
    })),
    requests: Effect.sync(log.all),
    balance: settled(account.balance),
    inject: (...more) => Effect.sync(() => faults.append(more)),
    pendingFaults: Effect.sync(faults.pending),
    topUp: (amount) => Effect.sync(() => account.topUp(Money.parse(amount))),
    handle
  }
}

/**
 * A new server with a state of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options?: Options): Effect.Effect<Service> => Effect.sync(() => unsafeMake(options ?? {}))

/**
 * A new server, and no way in: for `httpApp`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerService = (options?: Options): Layer.Layer<Simulator> => Layer.effect(Simulator, make(options))

/**
 * A new server in memory, and the `HttpClient` that leads to it whatever the host: URLs under the storage's origin
 * go to the storage, all others to the API.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Simulator | HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(Simulator, ({ handle }) => MemoryClient.make(handle))
  ).pipe(Layer.provideMerge(layerService(options)))

/**
 * The server for a port, for example through `HttpServer.serve`. Bodies over 10 MiB are refused. To break connections as
 * well, serve it with `effect-modelroute/SimulatorServer`; elsewhere a connection that should break is an answer whose
 * body fails.
 *
 * @since 0.1.0
 * @category constructors
 */
export const httpApp: HttpApp.Default<never, Simulator> = Effect.flatMap(Simulator, ({ handle }) =>
  ServerApp.make(handle)
)
