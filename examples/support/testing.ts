/**
 * Runs the batch example as a child process against a simulator on a local port. The output is a pipe or a terminal.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert } from "@effect/vitest"
import { Chunk, Context, Effect, Layer, Redacted, Schema, type Scope, Stream, SubscriptionRef } from "effect"
import { Execution, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Child {
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Waits until the output contains a text. */
  readonly printed: (text: string) => Effect.Effect<void>
  /** Waits until the process exits. Returns the exit code or the signal, and the output. */
  readonly ended: Effect.Effect<{ readonly code: number | string; readonly output: string }>
}

/** Starts a process that is killed when the scope closes. */
export const spawnChild = (
  command: string,
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv
): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] })
        let output = ""
        const listeners = new Set<() => void>()
        const append = (chunk: unknown) => {
          output += String(chunk)
          for (const listener of listeners) listener()
        }
        child.stdout.on("data", append)
        child.stderr.on("data", append)
        const ended = new Promise<{ code: number | string; output: string }>((resolve) => {
          child.once("close", (code, signal) => resolve({ code: code ?? signal ?? "", output }))
        })
        return { child, ended: Effect.promise(() => ended), currentOutput: () => output, listeners }
      }),
      ({ child, ended }) =>
        Effect.zipRight(
          Effect.sync(() => child.kill("SIGKILL")),
          ended
        )
    ),
    ({ child, ended, currentOutput, listeners }) => ({
      ended,
      signal: (signal) => Effect.sync(() => void child.kill(signal)),
      printed: (text) =>
        Effect.async((resume) => {
          const listener = () => {
            if (currentOutput().includes(text)) resume(Effect.void)
          }
          listeners.add(listener)
          listener()
          return Effect.sync(() => listeners.delete(listener))
        })
    })
  )

const Report = Schema.parseJson(
  Schema.Struct({
    key: Schema.String,
    line: Schema.Number,
    status: Schema.String,
    executionId: Schema.optional(Schema.String),
    cost: Schema.optional(Schema.String),
    files: Schema.optional(Schema.Array(Schema.String)),
    error: Schema.optional(Schema.Struct({ tag: Schema.String, message: Schema.String }))
  })
)

const Body = Schema.parseJson(Schema.Struct({ input: Schema.Struct({ prompt: Schema.String }) }))

const batch = fileURLToPath(new URL("../batch.ts", import.meta.url))

/** Returns `count` prompts. */
export const prompts = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ prompt: `image ${n + 1}`, width: 256, height: 256 }))

/** Creates a simulator, a prompts file and a results folder. Returns functions that run and check the batch. */
export const setup = (lines: ReadonlyArray<unknown>, options: Simulator.Options = {}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    const input = `${folder}/prompts.jsonl`
    const out = `${folder}/out`
    const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n")
    yield* fs.writeFileString(input, text)

    const createCount = yield* SubscriptionRef.make(0)
    const server = yield* Layer.build(
      SimulatorServer.layer({
        rateLimit: false,
        models: { "flux-1.1-pro": { duration: "200 millis", cost: "0.040", output: "image", requires: ["prompt"] } },
        onRequest: ({ operation }) =>
          operation === "executions.create" ? SubscriptionRef.update(createCount, (n) => n + 1) : Effect.void,
        ...options
      })
    )
    const { url } = Context.get(server, SimulatorServer.SimulatorServer)
    const simulator = Context.get(server, Simulator.Simulator)
    const { executions, files } = yield* ModelRouteClient.make({ apiKey: Redacted.make("sk_test"), baseUrl: url }).pipe(
      Effect.provide([FetchHttpClient.layer, IdempotencyKey.layer])
    )
    const env = { PATH: "", MODELROUTE_API_KEY: "sk_test", MODELROUTE_BASE_URL: url }
    const args = ["--import", "tsx", batch, input, out]

    const report = (key: string) => Effect.flatMap(fs.readFileString(`${out}/${key}.json`), Schema.decode(Report))

    /**
     * Asserts that each line has succeeded exactly once. Compares the files in the folder with the files of the API.
     */
    const assertComplete = Effect.gen(function* () {
      const ledger = (yield* simulator.ledger).executions.filter(({ status }) => status !== "FAILED")
      const names = yield* Effect.forEach(
        ledger,
        ({ body, executionId, status }) =>
          Effect.gen(function* () {
            assert.strictEqual(status, "COMPLETED")
            const key = (yield* Schema.decode(Body)(body)).input.prompt.replace("image ", "")
            const { fileIds } = yield* executions.result(Execution.ExecutionId.make(executionId))
            const [id] = fileIds
            assert(id !== undefined && fileIds.length === 1)
            const content = Buffer.concat(Chunk.toReadonlyArray(yield* Stream.runCollect(files.download(id))))
            assert.isTrue(content.equals(yield* fs.readFile(`${out}/${key}.png`)), key)
            assert.deepStrictEqual(yield* report(key), {
              key,
              line: Number(key),
              status: "succeeded",
              executionId,
              cost: "0.040",
              files: [`${key}.png`]
            })
            return [`${key}.json`, `${key}.png`]
          }),
        { concurrency: 8 }
      )
      assert.lengthOf(ledger, lines.length)
      const found = (yield* fs.readDirectory(out)).filter((name) => !name.startsWith("batch.db"))
      assert.deepStrictEqual(found.toSorted(), names.flat().toSorted())
    })

    return {
      simulator,
      out,
      report,
      assertComplete,
      again: `npm run example:batch -- ${input} ${out}`,
      start: (...more: ReadonlyArray<string>) => spawnChild(process.execPath, [...args, ...more], env),
      startInTerminal: spawnChild("/usr/bin/script", ["-qec", [process.execPath, ...args].join(" "), "/dev/null"], env),
      /** Waits until the simulator has responded to `count` create requests. */
      waitForCreates: (count: number) =>
        createCount.changes.pipe(
          Stream.filter((n) => n >= count),
          Stream.runHead
        ),
      imageCount: Effect.map(fs.readDirectory(out), (names) => names.filter((name) => name.endsWith(".png")).length)
    }
  })
