/**
 * Runs a batch on two runners of a cluster, and kills the runner that runs the batch. The other runner continues.
 *
 *     npm run example:singleton
 *
 * Requires PostgreSQL at `DATABASE_URL` or on this machine. Creates a database, and drops the database at the end.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Console, Data, Effect, Queue, Redacted } from "effect"
import * as Command from "../support/Command.js"
import * as Postgres from "../support/Postgres.js"
import * as Processes from "../support/Processes.js"
import * as Signals from "../support/Signals.js"
import * as Simulation from "../support/Simulation.js"
import { wrap } from "../support/Text.js"

/** A runner has ended although the example did not kill it, or the batch has not ended in time. */
class ExampleFailed extends Data.TaggedError("ExampleFailed")<{ readonly message: string }> {}

/** A line that a runner has printed. */
interface Printed {
  readonly name: string
  readonly line: string
}

/** Number of delivered results before the kill. */
const deliveriesBeforeKill = 20

/** Starts a runner, and waits until it is part of the cluster. Offers its later lines to `printed`. */
const startRunner = (
  file: string,
  name: string,
  env: Readonly<Record<string, string>>,
  printed: Queue.Queue<Printed>
) =>
  Effect.gen(function* () {
    const started = yield* Effect.makeLatch()
    const runner = yield* Processes.start(file, env, (line) =>
      line === "Started" ? started.open : Queue.offer(printed, { name, line })
    )
    let isKilled = false
    const crash = Effect.flatMap(runner.ended, (output) =>
      isKilled ? Effect.never : new ExampleFailed({ message: `${name} has ended unexpectedly.\n${output}` })
    )
    const kill = Effect.suspend(() => {
      isKilled = true
      return runner.kill
    })
    yield* Effect.raceFirst(started.await, crash)
    return { ...runner, name, crash, kill }
  })

type Runner = Effect.Effect.Success<ReturnType<typeof startRunner>>

/** Kills the runner of the batch after some results. Returns when the other runner has completed the batch. */
const follow = (runners: ReadonlyArray<Runner>, printed: Queue.Dequeue<Printed>) =>
  Effect.gen(function* () {
    let deliveries = 0
    while (true) {
      const { line, name } = yield* Queue.take(printed)
      if (line.startsWith("The batch")) yield* Console.log(`${name}: ${line}`)
      if (line.startsWith("The batch has ended")) return
      const runner = runners.find((each) => each.name === name)
      if (!line.startsWith("Delivered") || runner === undefined) continue
      deliveries += 1
      if (deliveries === deliveriesBeforeKill) {
        yield* runner.kill
        yield* Console.log(`Killed ${name} (pid ${runner.pid}) with SIGKILL after ${deliveries} results.`)
      }
    }
  })

const run = Effect.gen(function* () {
  const database = yield* Postgres.temporaryDatabase
  yield* Console.log(wrap("Two runners share a database in PostgreSQL. One of them runs a batch of 60 items.\n"))
  const simulator = yield* Simulation.start
  const printed = yield* Queue.unbounded<Printed>()
  const file = yield* Processes.bundle(new URL("./runner.ts", import.meta.url))
  const nextPort = yield* Processes.makePorts
  // The first runner creates the tables. Two runners that create the same table can fail.
  const runners = yield* Effect.forEach(["runner 1", "runner 2"], (name) =>
    Effect.flatMap(nextPort, (port) =>
      startRunner(
        file,
        name,
        {
          DATABASE_URL: Redacted.value(database),
          LOG_LEVEL: "Warn",
          MODELROUTE_API_KEY: "sk_simulated",
          MODELROUTE_BASE_URL: simulator.url,
          RUNNER_HOST: "127.0.0.1",
          RUNNER_PORT: String(port)
        },
        printed
      )
    )
  )
  yield* follow(runners, printed).pipe(
    Effect.raceFirst(Effect.raceAll(runners.map(({ crash }) => crash))),
    Effect.timeoutFail({
      duration: "10 minutes",
      onTimeout: () => new ExampleFailed({ message: "The batch has not ended within 10 minutes." })
    })
  )
  yield* Simulation.printLedger(simulator.service, 60)
})

const main = Command.singleton(process.argv.slice(2)).pipe(
  Effect.zipRight(run),
  Effect.catchTag("NotReachable", ({ message }) => Console.log(`${wrap(message)}\nThis example needs PostgreSQL.`)),
  Effect.as(0),
  Effect.scoped,
  Effect.provide(NodeContext.layer)
)

main.pipe(Command.printHelp(0), Signals.interruptOnSignal, Command.printFailure, Signals.runMain)
