/**
 * Kills and restarts a batch process repeatedly, at random moments. A simulator in this process fails 20 % of the
 * requests. Reports the runs and the violated guarantees.
 */
import { spawn } from "node:child_process"
import { closeSync, existsSync, fstatSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Clock, Deferred, Effect, FiberId, Layer, Option, Schema, type Scope } from "effect"
import * as Simulator from "../../src/Simulator.js"
import * as SimulatorServer from "../../src/SimulatorServer.js"
import { makeFileLoss, makeTransactionLoss } from "./damage.js"
import { concurrency, blockedLine, type Command, formatCommand } from "./killCommands.js"
import {
  countRepeatedOutcomes,
  type OutcomeLine,
  OutcomeLineText,
  type Summary,
  SummaryText,
  findViolations,
  RequestWitness
} from "./killWitness.js"
import { seededRandom } from "./seededRandom.js"

export interface Options {
  readonly journal: "sqlite" | "files"
  readonly items: number
  readonly kills: number
  readonly seed: number
  /** Receives a line about each run. Default: ignores the line. */
  readonly onRun?: (line: string) => Effect.Effect<void>
}

export interface Report {
  /** Violated guarantees. Empty if every guarantee holds. */
  readonly violations: ReadonlyArray<string>
  readonly runs: number
  /** Number of kills by manner. */
  readonly kills: ReadonlyMap<string, number>
  /** Number of completed writes that the journal has lost, as in a power failure. */
  readonly lostWrites: number
  readonly requests: number
  readonly creates: number
  readonly faults: number
  readonly faultCounts: ReadonlyMap<string, number>
  readonly executions: number
  readonly idempotencyKeys: number
  /** Summary of the last run. */
  readonly lastSummary: Summary
  /** Number of final outcomes that were emitted again as not delivered. */
  readonly repeatedOutcomes: number
  /** Number of non-final outcomes. A later run resumes their items. */
  readonly resumedOutcomes: number
  readonly millis: number
}

const { Fault } = Simulator

const endingFaults = (...endings: ReadonlyArray<Simulator.Fault.Outcome>): ReadonlyArray<Simulator.Fault.Fault> =>
  endings.map((ending) =>
    Fault.on(
      ({ body, operation }) =>
        operation === "executions.create" && new TextDecoder().decode(body).includes('"model":"fragile"'),
      Fault.executionOutcome(ending)
    )
  )

/**
 * Faults before and after the creation of an execution. They delay, reject, drop or cut the response, or end the
 * execution.
 */
const faults: ReadonlyArray<Simulator.Fault.Fault> = [
  Fault.dropBefore,
  Fault.dropAfter,
  Fault.cutBody(),
  Fault.truncateCleanly(),
  Fault.emptyOk,
  Fault.delay("40 millis", "before"),
  Fault.delay("40 millis", "after"),
  Fault.apiError("MODEL_OVERLOADED"),
  Fault.apiError("GENERATION_FAILED"),
  Fault.apiError("SERVICE_UNAVAILABLE", { phase: "after" }),
  Fault.badGateway,
  Fault.raw({ status: 504, body: "upstream request timeout", phase: "after" }),
  ...endingFaults(
    { status: "FAILED" },
    { status: "FAILED", code: "CONTENT_MODERATION_REJECTED", retryable: false },
    { status: "CANCELLED" },
    { status: "EXPIRED" }
  )
]

const model: Simulator.Model = { duration: "60 millis", cost: "0.010", output: "image" }

const simulator = (seed: number, onRequest: (record: Simulator.RequestRecord) => void) =>
  SimulatorServer.layer({
    seed,
    rateLimit: false,
    balance: "1000000.00",
    models: { embedded: model, separate: { ...model, result: "separate" }, fragile: { ...model, output: "text" } },
    expiresAfter: "1 second",
    recordRequests: 1,
    randomFaults: { seed, probability: 0.2, faults },
    onRequest: (record) => Effect.sync(() => onRequest(record))
  })

type Manner = "immediate" | "delayed" | "torn write" | "stored delivery" | "blocked write" | "lost writes"

/** Planned end of one run. */
interface Death {
  /**
   * Number of submitted items before `requests` is counted. The run ends after `requests` further requests.
   */
  readonly items: number
  readonly requests: number
  readonly manner: Manner
  /** Delay of a kill, in milliseconds. */
  readonly millis: number
  /** Base number of writes until the kill, or base number of lost writes. */
  readonly writes: number
  /** Share that remains of a torn value, or of the last page of the log. */
  readonly share: number
}

/** Manners of eight consecutive kills. SQLite never tears a write, but can lose writes that are not on the disk. */
const mannersOf: { readonly [J in Options["journal"]]: ReadonlyArray<Manner> } = {
  sqlite: [
    "immediate",
    "delayed",
    "stored delivery",
    "stored delivery",
    "blocked write",
    "lost writes",
    "lost writes",
    "lost writes"
  ],
  files: [...Array<Manner>(4).fill("torn write"), "stored delivery", "blocked write", "lost writes", "lost writes"]
}

/** Plans the kills. Counts items and requests instead of time, because the speed of the machine varies. */
const planDeaths = ({ items, journal, kills, seed }: Options): ReadonlyArray<Death> => {
  const next = seededRandom(seed)
  const upTo = (n: number) => 1 + Math.floor(next() * n)
  const points = new Set<number>()
  // The last items are excluded, because a run without work ends before it can be killed.
  const end = items - Math.min(4 * concurrency, Math.floor(items / 4))
  while (points.size < kills) points.add(upTo(end))
  const drawn = Array.from({ length: kills }, (_, n) => ({
    manner: mannersOf[journal][n % mannersOf[journal].length] ?? "immediate",
    at: Math.floor(n / mannersOf[journal].length) + next()
  })).sort((a, b) => a.at - b.at)
  return [...points]
    .sort((a, b) => a - b)
    .map((point, n) => ({
      items: point,
      requests: upTo(2 * concurrency),
      manner: drawn[n]?.manner ?? "immediate",
      millis: upTo(30),
      writes: upTo(8),
      // The range is wider than 0 to 1, because some values must remain empty and some must remain complete.
      share: Math.min(1, Math.max(0, next() * 1.4 - 0.2))
    }))
}

interface Child {
  readonly send: (command: Command) => Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  /** Waits until the journal of the process blocks. */
  readonly blocked: Effect.Effect<void>
  /** Waits until the process exits. Returns its exit code or signal, and its output. */
  readonly exited: Effect.Effect<{ readonly by: number | string; readonly stdout: string; readonly stderr: string }>
}

const script = fileURLToPath(new URL("batchRunner.ts", import.meta.url))

/** Starts a process that loads its modules and waits for `Begin`. */
const startChild = (args: ReadonlyArray<string>): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: ["pipe", "pipe", "pipe"] })
      let [stdout, stderr] = ["", ""]
      const blocked = Deferred.unsafeMake<void>(FiberId.none)
      child.stdout.on("data", (chunk) => {
        stdout += String(chunk)
        if (stdout.includes(blockedLine)) Deferred.unsafeDone(blocked, Effect.void)
      })
      child.stderr.on("data", (chunk) => (stderr += String(chunk)))
      // A write to a dead process is expected to fail.
      child.stdin.on("error", () => {})
      const end = new Promise<number | string>((resolve) => {
        child.once("close", (code, signal) => resolve(code ?? signal ?? ""))
      })
      return {
        send: (command: Command) => Effect.sync(() => void child.stdin.write(formatCommand(command))),
        kill: Effect.sync(() => void child.kill("SIGKILL")),
        blocked: Deferred.await(blocked),
        exited: Effect.map(
          Effect.promise(() => end),
          (by) => ({ by, stdout, stderr })
        )
      }
    }),
    ({ exited, kill }) => Effect.zipRight(kill, exited)
  )

/** Returns a function that reads the lines that were appended after its previous call. */
const makeTail = (path: string): (() => ReadonlyArray<OutcomeLine>) => {
  const decode = Schema.decodeUnknownSync(OutcomeLineText)
  let at = 0
  return () => {
    if (!existsSync(path)) return []
    const file = openSync(path, "r")
    const bytes = Buffer.alloc(fstatSync(file).size - at)
    readSync(file, bytes, 0, bytes.length, at)
    closeSync(file)
    at += bytes.length
    return bytes
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => decode(line))
  }
}

const makeDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "modelroute-kill-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** Maximum number of runs without a kill before every outcome must be final. */
const maxFinalRuns = 10

export const runWithKills = (options: Options): Effect.Effect<Report, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { items, journal, seed, onRun = () => Effect.void } = options
    const began = yield* Clock.currentTimeMillis
    const directory = yield* makeDirectory
    const journalDirectory = join(directory, "journal")
    mkdirSync(journalDirectory)
    const log = join(directory, "outcomes")

    const witness = new RequestWitness()
    /** Planned death of the current run. */
    let pendingDeath: { readonly death: Death; left: number; readonly now: Deferred.Deferred<void> } | undefined
    const services = yield* Layer.build(
      simulator(seed, (record) => {
        const isNew = witness.onRequest(record)
        // A run must submit a new item before it is killed.
        if (pendingDeath === undefined || witness.itemCount < pendingDeath.death.items || witness.newItems === 0) return
        pendingDeath.left -= 1
        // Lost writes are most harmful immediately after a create request.
        const isDue = pendingDeath.left <= 0 && (isNew || pendingDeath.death.manner !== "lost writes")
        if (isDue) Deferred.unsafeDone(pendingDeath.now, Effect.void)
      })
    ).pipe(Effect.orDie)
    const [server, sim] = yield* Effect.provide(
      Effect.all([SimulatorServer.SimulatorServer, Simulator.Simulator]),
      services
    )

    // The next processes load in advance, because loading the modules takes longer than many runs.
    let runs = 0
    const load = Effect.suspend(() =>
      startChild([journal, journalDirectory, server.url, String(items), log, String(++runs)])
    )
    const loaded: Array<Child> = []
    const child = (ahead: number) =>
      Effect.gen(function* () {
        while (loaded.length <= ahead) loaded.push(yield* load)
        return loaded.shift() ?? (yield* load)
      })

    const newLines = makeTail(log)
    const lines: Array<OutcomeLine> = []
    const kills = new Map<string, number>()
    const lost = new Map<number, number>()
    let run = 0
    const violations: Array<string> = []

    const execute = (target: Child, { manner, millis, share, writes }: Death): Effect.Effect<void> => {
      switch (manner) {
        case "immediate":
        case "lost writes":
          return target.kill
        case "delayed":
          return Effect.zipRight(Effect.sleep(millis), target.kill)
        case "torn write":
          return target.send({ _tag: "TearWrite", writes: 5 * writes, share })
        case "stored delivery":
          return target.send({ _tag: "DieAfterDelivery", writes })
        case "blocked write":
          // The delay is long enough to detect a batch that continues without the journal.
          return target
            .send({ _tag: "BlockWrite", writes })
            .pipe(
              Effect.zipRight(target.blocked),
              Effect.zipRight(Effect.sleep(100 + 10 * millis)),
              Effect.zipRight(target.kill)
            )
      }
    }

    /** Runs the batch once. Returns its summary if the process was not killed. */
    const runOnce = (target: Child, death?: Death) =>
      Effect.gen(function* () {
        run += 1
        const now = Deferred.unsafeMake<void>(FiberId.none)
        pendingDeath = death && { death, left: death.requests, now }
        const from = witness.requests
        const at = yield* Clock.currentTimeMillis
        const lose =
          death?.manner !== "lost writes"
            ? undefined
            : journal === "sqlite"
              ? makeTransactionLoss(join(journalDirectory, "journal.db"))
              : makeFileLoss(journalDirectory)
        yield* target.send({ _tag: "Begin" })
        if (death !== undefined) {
          const killing = Effect.zipRight(Deferred.await(now), execute(target, death))
          yield* Effect.raceFirst(Effect.zipRight(killing, target.exited), target.exited)
        }
        const { by, stderr, stdout } = yield* target.exited
        pendingDeath = undefined
        const lostCount = death === undefined || by !== "SIGKILL" ? 0 : (lose?.(2 * death.writes, death.share) ?? 0)
        if (lostCount > 0) lost.set(run, lostCount)
        if (death !== undefined && by === "SIGKILL") {
          kills.set(death.manner, (kills.get(death.manner) ?? 0) + 1)
        } else if (by !== 0) {
          violations.push(`run ${run} ended with ${by}: ${stdout.slice(-2000)} ${stderr.slice(-2000)}`)
        }
        const more = newLines()
        for (const line of more) lines.push(line)
        witness.onRunEnd(more, lostCount > 0)
        yield* onRun(
          `run ${run}: ${(yield* Clock.currentTimeMillis) - at} ms, ${witness.requests - from} requests, ${more.length} outcomes, ` +
            `${more.filter(({ delivered }) => !delivered).length} of them new, ${witness.itemCount} items known, ` +
            (by === "SIGKILL"
              ? `killed (${death?.manner}${lostCount > 0 ? `: ${lostCount}` : ""})`
              : `ended with ${by}`)
        )
        return by === 0 ? Schema.decodeUnknownOption(SummaryText)(stdout.trim().split("\n").at(-1)) : Option.none()
      })

    for (const death of planDeaths(options)) yield* runOnce(yield* child(1), death)
    let settling = yield* runOnce(yield* child(1))
    for (let n = 1; n < maxFinalRuns && Option.exists(settling, ({ final }) => final < items); n++) {
      settling = yield* runOnce(yield* child(1))
    }
    const before = witness.requests
    const resting = yield* runOnce(yield* child(0))
    const ledger = yield* sim.ledger
    const evidence = Option.map(Option.all({ settling, resting }), (summaries) => ({
      ...summaries,
      items,
      lost,
      ledger,
      witness,
      lines,
      restingRequests: witness.requests - before
    }))
    const none: Summary = {
      outcomes: 0,
      keys: 0,
      tags: {},
      final: 0,
      delivered: 0,
      entries: 0,
      entriesDelivered: 0,
      entryKeys: 0
    }
    return {
      violations: [
        ...violations,
        ...Option.match(evidence, { onNone: () => ["the last runs did not finish"], onSome: findViolations })
      ],
      runs: run,
      kills,
      lostWrites: [...lost.values()].reduce((a, b) => a + b, 0),
      requests: witness.requests,
      creates: witness.creates,
      faults: witness.faultCount,
      faultCounts: witness.faultCounts,
      executions: ledger.executions.length,
      idempotencyKeys: witness.idempotencyKeys,
      lastSummary: Option.getOrElse(resting, () => none),
      repeatedOutcomes: countRepeatedOutcomes(lines),
      resumedOutcomes: lines.filter(({ final }) => !final).length,
      millis: (yield* Clock.currentTimeMillis) - began
    }
  })
