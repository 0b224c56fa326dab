/** Runs the scenarios in workerd and prints the results. Usage: `workerd.mjs WORKER SETTINGS`. */
import { readFile } from "node:fs/promises"
import { Miniflare } from "miniflare"

const [, , worker, settings] = process.argv
const miniflare = new Miniflare({
  modules: true,
  script: await readFile(worker, "utf8"),
  compatibilityDate: "2024-10-14"
})
const post = async (path, body) => {
  const response = await miniflare.dispatchFetch(`http://worker.test${path}`, { method: "POST", body })
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`)
  return response.json()
}

const results = await post("/scenarios", settings)
const start = await fetch(`${JSON.parse(settings).server}/simulators`, { method: "POST", body: '{ "limit": 10 }' })
const body = JSON.stringify(await start.json())
const responses = await Promise.allSettled(Array.from({ length: 12 }, () => post("/shared", body)))
const failed = responses.find(({ status }) => status === "rejected")
const ids = new Set(responses.map(({ value }) => value?.id))
const problem = failed === undefined ? (ids.size === 12 ? undefined : `${ids.size} executions`) : String(failed.reason)
results.push({ scenario: "share a client between requests", problem })
process.stdout.write(`results ${JSON.stringify(results)}\n`)
await miniflare.dispose()
