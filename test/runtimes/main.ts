/** Runs the scenarios in Node, Bun or Deno and prints the results. Usage: `main.js SETTINGS`. */
import { runAll } from "./scenarios.js"

const results = await runAll(JSON.parse(process.argv[2] ?? "{}"))
process.stdout.write(`results ${JSON.stringify(results)}\n`)
