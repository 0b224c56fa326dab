/**
 * Serves the simulator on a port. Example:
 *
 *     npm run simulator -- --port 8787 --balance 5 --rate-limit 60
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RequestRecord } from "effect-modelroute/Simulator"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { parseArgs } from "node:util"

const help = `Options:
  --port 8787         0 selects a free port
  --host 127.0.0.1
  --balance 100.00    dollars
  --rate-limit 60     requests per minute, 0 for no limit
  --download json     the response to /download: json, bytes or redirect
  --faults 0.1        the probability of a fault per request, 0 to 1
  --seed 1            determines the ids and the faults`

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8787" },
    host: { type: "string", default: "127.0.0.1" },
    balance: { type: "string", default: "100.00" },
    "rate-limit": { type: "string", default: "60" },
    download: { type: "string", default: "json" },
    faults: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false }
  }
})

const line = ({ method, path, outcome, fault, executionId }: RequestRecord) =>
  [method, path.replace(/\?.*/, ""), outcome, fault, path.includes(executionId ?? "") ? undefined : executionId]
    .filter((word) => word !== undefined)
    .join(" ")

const limit = Number(values["rate-limit"])
const seed = Number(values.seed)

const server = SimulatorServer.layer({
  port: Number(values.port),
  host: values.host,
  balance: values.balance,
  rateLimit: limit === 0 ? false : { limit, window: "1 minute" },
  download: values.download === "bytes" || values.download === "redirect" ? values.download : "json",
  randomFaults: { seed, probability: Number(values.faults) },
  seed,
  onRequest: (record) => Console.log(line(record))
})

const usage = (
  url: string
) => `The simulator runs at ${url} and accepts any API key. Models: ${Object.keys(Simulator.models).join(", ")}.

curl -X POST ${url}/v1/executions \\
  -H "Authorization: Bearer sk_anything" \\
  -H "Content-Type: application/json" \\
  -H "Idempotency-Key: my-first-execution-001" \\
  -d '{"model": "flux-1.1-pro", "input": {"prompt": "A lighthouse at dusk"}}'

curl ${url}/v1/executions/EXECUTION_ID -H "Authorization: Bearer sk_anything"
curl ${url}/v1/executions/EXECUTION_ID/result -H "Authorization: Bearer sk_anything"
curl ${url}/v1/files/FILE_ID/download -H "Authorization: Bearer sk_anything"
curl "THE_URL_IN_THAT_RESPONSE" -o result.png
`

const main = Layer.launch(
  Layer.effectDiscard(Effect.flatMap(SimulatorServer.SimulatorServer, ({ url }) => Console.log(usage(url)))).pipe(
    Layer.provide(server)
  )
)

NodeRuntime.runMain(values.help ? Console.log(help) : main)
