/**
 * Starts the processes, submits the orders, and kills a process halfway.
 */
import { Array, Clock, Data, Effect, Fiber, Order, Redacted, Ref } from "effect"
import * as Processes from "../support/Processes.js"
import * as Apps from "./Apps.js"
import type { Database } from "./Database.js"
import * as Orders from "./Orders.js"
import * as Simulation from "../support/Simulation.js"
import * as Table from "./Table.js"

/** The demo has not ended in time. */
export class TooSlow extends Data.TaggedError("TooSlow")<{ readonly message: string }> {}

type Simulator = Effect.Effect.Success<typeof Simulation.start>

/** Starts a web server and three workers. SQLite permits only one process, which does everything. */
const startApps = ({ engine, url: databaseUrl }: Database, { service, url: apiUrl }: Simulator) =>
  Effect.gen(function* () {
    const nextPort = yield* Processes.makePorts
    const port = yield* nextPort
    const webUrl = `http://127.0.0.1:${port}`
    const apps = yield* Apps.make({
      DATABASE_URL: databaseUrl,
      LOG_LEVEL: "Info",
      MODELROUTE_API_KEY: "sk_simulated",
      MODELROUTE_BASE_URL: apiUrl,
      MODELROUTE_WEBHOOK_SECRET: Redacted.value(service.webhookSecret),
      PORT: String(port),
      PUBLIC_URL: webUrl,
      RUNNER_HOST: "127.0.0.1"
    })
    const startWorker = Effect.flatMap(nextPort, (runnerPort) =>
      apps.start(engine === "sqlite" ? "single" : "worker", { RUNNER_PORT: String(runnerPort) })
    )
    if (engine === "sqlite") {
      yield* startWorker
    } else {
      // The first process creates the tables. Two processes that create the same table can fail.
      yield* Effect.flatMap(apps.start("web", {}), ({ started }) => started)
      yield* Effect.replicateEffect(startWorker, 3)
    }
    return { ...apps, startWorker, webUrl }
  })

/** Kills the worker with the most requests, and starts another worker. */
const replaceWorker = (
  { all, startWorker }: Effect.Effect.Success<ReturnType<typeof startApps>>,
  { requestsOf }: Simulator,
  print: (line: string) => Effect.Effect<void>
) =>
  Effect.gen(function* () {
    const workers = (yield* all).filter(({ role }) => role !== "web")
    const [busiest] = Array.sortWith(workers, ({ name }) => -requestsOf(name), Order.number)
    if (busiest === undefined) return
    yield* busiest.kill
    yield* print(`Killed ${busiest.name} (pid ${busiest.pid}) with SIGKILL.`)
    const { name, pid } = yield* startWorker
    yield* print(`Started ${name} (pid ${pid}).`)
  })

/** Runs the demo. Prints the ledger of the simulator at the end. */
export const run = (database: Database, total: number) =>
  Effect.gen(function* () {
    const simulator = yield* Simulation.start
    const apps = yield* startApps(database, simulator)
    const orders = yield* Orders.make(apps.webUrl)
    const counts = yield* Ref.make({ submitted: 0, done: 0 })
    const startedAt = yield* Clock.currentTimeMillis
    const progress = Effect.gen(function* () {
      const seconds = Math.floor(((yield* Clock.currentTimeMillis) - startedAt) / 1000)
      return { ...(yield* counts), apps: yield* apps.all, requestsOf: simulator.requestsOf, seconds, total }
    })

    const submitAll = (print: (line: string) => Effect.Effect<void>) =>
      Effect.forEach(Array.range(1, total), (n) =>
        Effect.gen(function* () {
          if (n === Math.ceil(total / 2)) yield* replaceWorker(apps, simulator, print)
          yield* orders.send(`order-${n}`, `a red fox, number ${n}`)
          yield* Ref.update(counts, ({ done, submitted }) => ({ done, submitted: submitted + 1 }))
          const countDone = Ref.update(counts, ({ done, submitted }) => ({ done: done + 1, submitted }))
          yield* Effect.sleep("100 millis")
          return yield* Effect.forkScoped(Effect.zipRight(orders.awaitResult(`order-${n}`), countDone))
        })
      )

    yield* Effect.scoped(
      Effect.gen(function* () {
        const print = yield* Table.show(progress)
        yield* Effect.forEach(yield* apps.all, ({ started }) => started)
        yield* Effect.flatMap(submitAll(print), Fiber.joinAll)
      })
    ).pipe(
      Effect.raceFirst(apps.crash),
      Effect.timeoutFail({
        duration: "10 minutes",
        onTimeout: () => new TooSlow({ message: "The executions have not ended within 10 minutes." })
      })
    )
    yield* Simulation.printLedger(simulator.service, total)
  })
