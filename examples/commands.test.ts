/** Tests the command lines of the examples as child processes. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { fileURLToPath } from "node:url"
import * as Command from "./support/Command.js"
import { spawnChild } from "./support/testing.js"
import { isFull } from "../test/utils/suite.js"

type Example = "quickstart" | "simulator" | "durable/main" | "batch-singleton/main"

/** Starts an example with environment variables. */
const startWith = (env: Readonly<Record<string, string>>, example: Example, ...args: ReadonlyArray<string>) => {
  const file = fileURLToPath(new URL(`./${example}.ts`, import.meta.url))
  return spawnChild(process.execPath, ["--import", "tsx", file, ...args], { PATH: "", ...env })
}

/** Starts an example without an API key. */
const start = (example: Example, ...args: ReadonlyArray<string>) => startWith({}, example, ...args)

/** Waits for the end of an example. */
const ended = (child: ReturnType<typeof start>) => Effect.scoped(Effect.flatMap(child, ({ ended }) => ended))

/** Runs an example to its end. */
const run = (...command: Parameters<typeof start>) => ended(start(...command))

const assertWidth = (output: string) => {
  for (const line of output.split("\n")) assert.isAtMost(line.length, 80, line)
}

const parsers: {
  readonly [name: string]: (
    args: ReadonlyArray<string>
  ) => Effect.Effect<unknown, Command.HelpRequested | Command.UsageError>
} = {
  request: Command.request,
  simulator: Command.simulator,
  batch: Command.batch,
  durable: Command.durable,
  singleton: Command.singleton
}

describe("parser of command line options", () => {
  for (const [name, parse] of Object.entries(parsers)) {
    it.effect(`Command.${name} fails with the usage for --help and for an unknown option`, () =>
      Effect.gen(function* () {
        const help = yield* Effect.flip(parse(["--help"]))
        assert.strictEqual(help._tag, "HelpRequested")
        assert.match(help.message, /^Usage: npm /)
        assertWidth(help.message)
        const unknown = yield* Effect.flip(parse(["--fast"]))
        assert.strictEqual(unknown._tag, "UsageError")
        assert.strictEqual(unknown.message, `Unknown option '--fast'.\n\n${help.message}`)
      })
    )
  }

  it.effect("Command.request joins several words into one prompt", () =>
    Effect.gen(function* () {
      const defaults = { prompt: "a red fox in snow", model: "flux-1.1-pro" }
      assert.deepStrictEqual(yield* Command.request([]), defaults)
      assert.deepStrictEqual(yield* Command.request(["a", "fox", "--model", "m"]), { prompt: "a fox", model: "m" })
    })
  )

  it.effect("Command.simulator converts the options to numbers and strings", () =>
    Effect.gen(function* () {
      const words = ["--port", "0", "--rate-limit", "0", "--faults", "0.25", "--download", "bytes", "--seed", "7"]
      const options = { port: 0, rateLimit: 0, faults: 0.25, download: "bytes", seed: 7 }
      assert.deepStrictEqual(yield* Command.simulator(words), { ...options, host: "127.0.0.1", balance: "100.00" })
    })
  )

  it.effect("Command.durable converts --executions to a number", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Command.durable([]), { engine: undefined, executions: 200 })
      const options = { engine: "sqlite", executions: 5 } as const
      assert.deepStrictEqual(yield* Command.durable(["--engine", "sqlite", "--executions", "5"]), options)
    })
  )

  for (const [option, value] of [
    ["engine", "mysql"],
    ["executions", "0"],
    ["executions", "1001"],
    ["executions", "many"]
  ] as const) {
    it.effect(`Command.durable rejects the invalid option --${option} ${value}`, () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(Command.durable([`--${option}`, value]))
        const [problem = "", usage = ""] = message.split("\n\n")
        assert.isTrue(problem.startsWith(`--${option} must be `), message)
        assert.isTrue(problem.endsWith(`not "${value}".`), message)
        assert.isTrue(usage.startsWith("Usage: npm run example:durable"), message)
      })
    )
  }

  for (const [option, value] of [
    ["port", "abc"],
    ["port", "65536"],
    ["balance", "1,5"],
    ["rate-limit", "many"],
    ["download", "xml"],
    ["faults", "1.5"],
    ["seed", "0x1"]
  ] as const) {
    it.effect(`Command.simulator rejects the invalid option --${option} ${value}`, () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(Command.simulator([`--${option}`, value]))
        const [problem = "", usage = ""] = message.split("\n\n")
        assert.isTrue(problem.startsWith(`--${option} must be `), message)
        assert.isTrue(problem.endsWith(`not "${value}".`), message)
        assert.isTrue(usage.startsWith("Usage: npm run simulator"), message)
      })
    )
  }
})

describe("exit code of an example", () => {
  it.live.runIf(isFull)("is 0 after --help and 1 after an invalid argument or an occupied port", () =>
    Effect.gen(function* () {
      const { port } = yield* SimulatorServer.SimulatorServer
      const [help, wrong, used] = yield* Effect.all(
        [run("quickstart", "--help"), run("simulator", "--port", "abc"), run("simulator", "--port", String(port))],
        { concurrency: "unbounded" }
      )
      assert.strictEqual(help.code, 0)
      assert.match(help.output, /^Usage: npm start -- /)
      assert.strictEqual(wrong.code, 1)
      assert.match(
        wrong.output,
        /^--port must be a whole number from 0 to 65535, not "abc"\.\n\nUsage: [^{]*prints this text\n$/
      )
      assert.strictEqual(used.code, 1)
      assert.match(used.output, /^The server cannot start: listen EADDRINUSE.*\n$/)
    }).pipe(Effect.provide(SimulatorServer.layer()))
  )
})

describe.runIf(isFull)("DATABASE_URL", () => {
  // Port 1 refuses connections.
  const unreachable = { DATABASE_URL: "postgres://user:secret@127.0.0.1:1/database" }

  it.live("ends the demo of durable executions with the exit code 1 if no database server is reachable", () =>
    Effect.gen(function* () {
      const { code, output } = yield* ended(startWith(unreachable, "durable/main"))
      assert.strictEqual(code, 1)
      assert.match(output, /^PostgreSQL cannot be used at 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/)
    })
  )

  it.live("ends the demo of durable executions without printing an invalid URL", () =>
    Effect.gen(function* () {
      const { code, output } = yield* ended(startWith({ DATABASE_URL: "secret" }, "durable/main"))
      assert.deepStrictEqual({ code, output }, { code: 1, output: "DATABASE_URL is not a URL.\n" })
    })
  )

  it.live("ends the singleton example with the exit code 0 if no database server is reachable", () =>
    Effect.gen(function* () {
      const { code, output } = yield* ended(startWith(unreachable, "batch-singleton/main"))
      assert.strictEqual(code, 0)
      assert.match(output, /^PostgreSQL cannot be used at [^]*\nThis example needs PostgreSQL\.\n$/)
      assertWidth(output)
    })
  )
})

describe("Ctrl-C", () => {
  it.scopedLive("stops the simulator with the exit code 0", () =>
    Effect.gen(function* () {
      const { ended, printed, signal } = yield* start("simulator", "--port", "0")
      yield* printed("result.png")
      yield* signal("SIGINT")
      const { code, output } = yield* ended
      assert.strictEqual(code, 0)
      assert.match(output, /\nStopped\.\n$/)
      assertWidth(output)
    })
  )

  it.scopedLive.runIf(isFull)("stops the quickstart with the exit code 130", () =>
    Effect.gen(function* () {
      const { ended, printed, signal } = yield* start("quickstart")
      yield* printed("Retrying in")
      yield* signal("SIGINT")
      const { code, output } = yield* ended
      assert.strictEqual(code, 130)
      assert.match(output, /\nStopped\.\n$/)
      assertWidth(output)
    })
  )

  it.scopedLive.runIf(isFull)("ends all processes of the demo of durable executions with the exit code 130", () =>
    Effect.gen(function* () {
      const { ended, printed, signal } = yield* start("durable/main", "--engine", "sqlite", "--executions", "4")
      yield* printed("Started single 2")
      yield* signal("SIGINT")
      const { code, output } = yield* ended
      assert.strictEqual(code, 130)
      assert.match(output, /\nStopped\.\n$/)
      assertWidth(output)
      const pids = Array.from(output.matchAll(/\(pid (\d+)\)/g), ([, pid]) => Number(pid))
      assert.lengthOf(pids, 2)
      for (const pid of pids) assert.throws(() => process.kill(pid, 0), "ESRCH")
    })
  )
})

describe.runIf(isFull)("closed standard output", () => {
  it.scopedLive("ends the demo of durable executions and deletes its database", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const demo = `"${process.execPath}" --import tsx examples/durable/main.ts --engine sqlite --executions 50`
      // The reader ends after the first line, but the shell waits for both programs.
      const { ended } = yield* spawnChild("/bin/sh", ["-c", `${demo} | { read -r line; echo "$line"; }`], {
        TMPDIR: folder
      })
      const { code, output } = yield* ended
      assert.deepStrictEqual([code, output.split("\n").length], [0, 2])
      const left = (yield* fs.readDirectory(folder)).filter((name) => !name.startsWith("tsx-"))
      assert.deepStrictEqual(left, [])
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
