/**
 * Runs durable executions in several processes, and kills one of them. No execution is lost or paid for twice.
 *
 *     npm run example:durable
 *     npm run example:durable -- --engine sqlite --executions 50
 *
 * The demo starts a simulator of the API, a web server and three workers, each in a process. They share a database in
 * PostgreSQL, which is dropped at the end. Without PostgreSQL, the demo uses SQLite, which serves only one process. The
 * demo then kills and restarts this process.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { Console, Effect } from "effect"
import * as Command from "../support/Command.js"
import * as Signals from "../support/Signals.js"
import * as Database from "./Database.js"
import * as Demo from "./Demo.js"

const main = Effect.gen(function* () {
  const { engine, executions } = yield* Command.durable(process.argv.slice(2))
  const database = yield* Database.make(engine)
  yield* Console.log(`${database.greeting}\n`)
  yield* Demo.run(database, executions)
  return 0
}).pipe(Effect.scoped, Effect.provide([NodeContext.layer, FetchHttpClient.layer]))

main.pipe(Command.printHelp(0), Signals.interruptOnSignal, Command.printFailure, Signals.runMain)
