/**
 * Serves the simulator on a port. Example:
 *
 *     npm run simulator -- --port 8787 --balance 5 --rate-limit 60
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Data, Effect, Layer } from "effect"
import type { RequestRecord } from "effect-modelroute/Simulator"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import * as Command from "./support/Command.js"
import { wrap } from "./support/Text.js"

const line = ({ method, path, outcome, fault, executionId }: RequestRecord) =>
  [method, path.replace(/\?.*/, ""), outcome, fault, path.includes(executionId ?? "") ? undefined : executionId]
    .filter((word) => word !== undefined)
    .join(" ")

const models = wrap(`Models: ${Object.keys(Simulator.models).join(", ")}.`)

const example = (url: string) => `The simulator runs at ${url} and accepts any API key.
${models}

curl -X POST ${url}/v1/executions \\
  -H "Authorization: Bearer sk_anything" \\
  -H "Content-Type: application/json" \\
  -H "Idempotency-Key: my-first-execution-001" \\
  -d '{"model": "flux-1.1-pro", "input": {"prompt": "A lighthouse at dusk"}}'

curl ${url}/v1/executions/EXECUTION_ID \\
  -H "Authorization: Bearer sk_anything"
curl ${url}/v1/executions/EXECUTION_ID/result \\
  -H "Authorization: Bearer sk_anything"
curl ${url}/v1/files/FILE_ID/download \\
  -H "Authorization: Bearer sk_anything"
curl "THE_URL_IN_THAT_RESPONSE" -o result.png
`

/** The port is in use, or the host is invalid. */
class CannotListen extends Data.TaggedError("CannotListen")<{ readonly message: string }> {}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const main = Effect.gen(function* () {
  const { download, faults, rateLimit, seed, ...options } = yield* Command.simulator(process.argv.slice(2))
  const server = SimulatorServer.layer({
    ...options,
    rateLimit: rateLimit === 0 ? false : { limit: rateLimit, window: "1 minute" },
    download,
    randomFaults: { seed, probability: faults },
    seed,
    onRequest: (record) => Console.log(line(record))
  })
  const printExample = Effect.flatMap(SimulatorServer.SimulatorServer, ({ url }) => Console.log(example(url)))
  return yield* Layer.launch(Layer.provide(Layer.effectDiscard(printExample), server)).pipe(
    Effect.catchTag(
      "ServeError",
      ({ cause }) => new CannotListen({ message: `The server cannot start: ${messageOf(cause)}` })
    )
  )
})

main.pipe(
  Command.printHelp(undefined),
  Command.printFailure,
  NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
)
