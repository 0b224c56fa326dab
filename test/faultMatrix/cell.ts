/** Runs one cell of the matrix: an operation over a transport against a server with a fault. */
import { inspect } from "node:util"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { ModelRouteError } from "effect-modelroute"
import { apiKey, prompt } from "../utils/harness.js"
import { makeClientAt } from "../utils/transports.js"
import { countOf, secrets } from "./api.js"
import { ManualClock } from "./clock.js"
import type { Fault } from "./fault.js"
import type { Operation } from "./operations.js"
import { type FaultServer, serveFault } from "./server.js"
import { type TransportName, transportOf } from "./transports.js"

export interface Cell {
  readonly fault: Fault
  readonly operation: Operation
  readonly transport: TransportName
}

export const nameOf = ({ fault, operation, transport }: Cell): string =>
  `${fault.name} × ${operation.name} × ${transport}`

/** Facts about the call of a cell. */
export interface Observed {
  /** `success`, or the tag of the error with the reason or status. */
  readonly outcome: string
  /** Number of requests to the endpoint with the fault, or of connections with the fault. */
  readonly attempts: number
  /** Number of objects that the API created for the call. */
  readonly created: number
  /** Indicates that the client has not closed all connections. */
  readonly hasOpenSockets: boolean
  /** Violations of the promises that hold for every cell. */
  readonly problems: ReadonlyArray<string>
}

/** Time limit of an attempt on the clock of the client. */
export const attemptMillis = 30_000

/** A call that takes longer in real time has no limit of its own. */
const hangMillis = 60_000

const closeMillis = 20_000

/** Waits until a check succeeds. Returns `false` after the time limit. */
const eventually = (check: () => boolean, millis: number): Effect.Effect<boolean> =>
  Effect.flatMap(Clock.currentTimeMillis, (begin) => {
    const loop: Effect.Effect<boolean> = Effect.suspend(() =>
      check()
        ? Effect.succeed(true)
        : Effect.flatMap(Clock.currentTimeMillis, (now) =>
            now - begin > millis ? Effect.succeed(false) : Effect.zipRight(Effect.sleep("5 millis"), loop)
          )
    )
    return loop
  })

/** Interval of real time between the limits of the reads of one transfer. */
const idleInterval = "100 millis"

/**
 * Lets the limit of an attempt pass. A transfer of a file has a limit for each read or write instead, so its limit passes
 * again until the attempt has ended.
 */
const passLimit = (clock: ManualClock, isTransfer: boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { delays } = clock
    const pass = Effect.sync(() => {
      if (clock.delays === delays) clock.advance(attemptMillis)
    })
    return isTransfer ? Effect.zipRight(pass, Effect.forever(Effect.delay(pass, idleInterval))) : pass
  })

const describeFailure = (error: unknown): string => {
  if (!ModelRouteError.isModelRouteError(error)) return `undeclared ${String(error)}`
  if (error._tag === "TransportError") return `${error._tag} ${error.reason}`
  return error._tag === "UnexpectedResponse" ? `${error._tag} ${error.status}` : error._tag
}

const describeExit = Exit.match({
  onSuccess: (isCorrect: boolean) => (isCorrect ? "success" : "wrong result"),
  onFailure: (cause: Cause.Cause<unknown>) =>
    Option.match(Cause.failureOption(cause), {
      onSome: describeFailure,
      onNone: () => `defect ${Cause.pretty(cause)}`
    })
})

const canaries = [apiKey, prompt, ...Object.values(secrets)]

/** Returns the secrets in any rendering of a failure, and in the log lines. */
const findSecrets = (exit: Exit.Exit<boolean, unknown>, lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const renderings = Exit.isFailure(exit)
    ? [JSON.stringify(exit), inspect(exit, { depth: 10 }), String(Cause.squash(exit.cause))]
    : []
  const text = [...renderings, ...lines].join("\n")
  return canaries.filter((canary) => text.includes(canary)).map((canary) => `${canary} is visible`)
}

/** Returns the violations of the promises about requests. */
const checkRequests = ({ ledger, otherRequests }: FaultServer, { name }: Operation): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const others = otherRequests.join("\n")
  if (others !== "" && !name.startsWith("files.download")) problems.push("the other origin received a request")
  if (/authorization|idempotency-key/i.test(others)) problems.push("the other origin received API headers")
  const distinct = new Set(ledger.creates.map(({ body, key }) => `${key} ${body}`))
  if (distinct.size > 1) problems.push("creates have different keys or bodies")
  if (ledger.executions.size > 1) problems.push("duplicate execution")
  return problems
}

const log = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.structuredLogger, (line) => void lines.push(JSON.stringify(line)))
  )

/** Runs the call of a cell with a new transport. Returns `None` if the call does not end. */
const runCall = ({ fault, operation, transport }: Cell, url: string, clock: ManualClock, lines: Array<string>) =>
  Effect.gen(function* () {
    const isLarge = fault.hasLargeUpload === true && operation.target.endpoint === "put"
    const options = { waitTimeout: fault.isOnce ? undefined : 5, uploadSize: isLarge ? 32 * 1024 * 1024 : 65_536 }
    const call = Effect.gen(function* () {
      const client = yield* makeClientAt(url, { attemptTimeout: attemptMillis })
      if (fault.hasWarmUp === true) yield* Effect.exit(client.request("GET", "/warm-up"))
      return yield* operation.run(client, options)
    })
    const context = yield* Layer.build(transportOf(transport, fault.isTls === true))
    return yield* call.pipe(
      Effect.provide(context),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.provide(log(lines)),
      Effect.withClock(clock),
      Effect.exit,
      Effect.timeoutOption(hangMillis)
    )
  })

/** Runs a cell with its own server and transport. */
export const runCell = (cell: Cell): Effect.Effect<Observed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { fault, operation, transport } = cell
      const { endpoint } = operation.target
      const clock = new ManualClock()
      const isTransfer = endpoint === "put" || endpoint === "storage"
      const server = yield* serveFault(fault, operation.target, {
        passLimit: passLimit(clock, isTransfer),
        losesEarlyResponses: transport === "node:http" && endpoint === "put"
      })
      const lines: Array<string> = []
      const exit = yield* Effect.scoped(runCall(cell, server.url, clock, lines))
      yield* server.endCall
      // Node.js keeps idle connections of `fetch` open for the next call.
      const isKept = transport === "fetch" && fault.isTls !== true
      const isClosed = yield* eventually(() => {
        const { busy, idle } = server.sockets()
        return busy === 0 && (isKept || idle === 0)
      }, closeMillis)
      return {
        outcome: Option.match(exit, { onNone: () => "hang", onSome: describeExit }),
        attempts: server.faultyConnections() + countOf(server.received, endpoint),
        created: operation.created?.(server.ledger) ?? 0,
        hasOpenSockets: !isClosed,
        problems: [
          ...checkRequests(server, operation),
          ...Option.match(exit, { onNone: () => [], onSome: (ended) => findSecrets(ended, lines) }),
          ...(isClosed ? [] : [`open sockets: ${JSON.stringify(server.sockets())}`])
        ]
      }
    })
  )
