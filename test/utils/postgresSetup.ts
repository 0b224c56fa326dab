/** Looks for a PostgreSQL server once per run. Prints a line if the tests on PostgreSQL are skipped. */
import * as Effect from "effect/Effect"
import type { TestProject } from "vitest/node"
import { check, configuredUrl } from "./postgresServer.js"

export default async ({ provide }: TestProject): Promise<void> => {
  const url = Effect.runSync(configuredUrl)
  const reason = await Effect.runPromise(check(url))
  provide("postgres", { url, reason })
  if (reason !== undefined) {
    process.stderr.write(`Skipping the tests on PostgreSQL: ${reason}. DATABASE_URL can name a server.\n`)
  }
}
