/** Tests the parts of the demo of durable executions. `commands.test.ts` runs the demo as a process. */
import { assert, describe, it } from "@effect/vitest"
import * as SqlClient from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, type Redacted } from "effect"
import * as Postgres from "./support/Postgres.js"
import * as Processes from "./support/Processes.js"
import * as Table from "./durable/Table.js"
import { isSkipped, suiteName } from "../test/utils/postgres.js"

describe("formatTable", () => {
  it("returns a line for each process and a line with the progress", () => {
    const app = { started: Effect.void, kill: Effect.void }
    const lines = Table.formatTable({
      apps: [
        { ...app, name: "web 1", role: "web", pid: 41, state: "running" },
        { ...app, name: "worker 1", role: "worker", pid: 1234567, state: "killed" }
      ],
      requestsOf: (name) => (name === "worker 1" ? 1000 : 0),
      total: 1000,
      submitted: 900,
      done: 850,
      seconds: 120
    })
    assert.deepStrictEqual(lines, [
      "process         pid  state    requests",
      "web 1            41  running         0",
      "worker 1    1234567  killed       1000",
      "",
      "120 s: 900 of 1000 submitted, 50 waiting, 850 done"
    ])
  })
})

describe("makePorts", () => {
  it.effect("returns distinct ports below the port range of outgoing connections", () =>
    Effect.gen(function* () {
      const nextPort = yield* Processes.makePorts
      const ports = yield* Effect.replicateEffect(nextPort, 5)
      assert.strictEqual(new Set(ports).size, 5)
      for (const port of ports) assert.isTrue(port > 20_000 && port < 32_768, String(port))
    })
  )
})

const withClient = (url: Redacted.Redacted) => Effect.provide(PgClient.layer({ url, maxConnections: 1 }))

describe.skipIf(isSkipped)(`temporaryDatabase on ${suiteName}`, () => {
  it.scopedLive("creates a database, and drops the database when the scope closes", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Postgres.temporaryDatabase
          const query = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select 1 as one`)
          assert.deepStrictEqual(yield* withClient(url)(query), [{ one: 1 }])
          return url
        })
      )
      const { cause } = yield* Effect.flip(withClient(url)(Effect.void))
      assert.include(String(cause), "does not exist")
    })
  )
})
