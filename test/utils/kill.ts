/**
 * Runs a batch in a process that is killed again and again, each time at another moment and started anew, against a simulator in this
 * process that fails one request in five. In the end it tells what was seen, and what is wrong with it.
 */
import { spawn } from "node:child_process"
import { closeSync, existsSync, fstatSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Clock, Deferred, Effect, FiberId, Layer, Option, Schema, type Scope } from "effect"
import * as Simulator from "../../src/Simulator.js"
import * as SimulatorServer from "../../src/SimulatorServer.js"
import { loseFiles, loseTransactions } from "./damage.js"
import { concurrency, heldLine, type Order, orderLine } from "./killOrders.js"
import { handedOutAgain, type Line, LineText, type Summary, SummaryText, verdict, Witness } from "./killWitness.js"
import { seededRandom } from "./seededRandom.js"

export interface Options {
  readonly journal: "sqlite" | "files"
  readonly items: number
  readonly kills: number
  readonly seed: number
  /** Told of each run. Default: nothing. */
  readonly tell?: (line: string) => Effect.Effect<void>
}

export interface Report {
  /** Nothing where all is as it should be. */
  readonly wrong: ReadonlyArray<string>
  readonly runs: number
  /** How the process has died, and how often. */
  readonly kills: ReadonlyMap<string, number>
  /** How many writes that were done the journal has lost afterwards, as in a power cut. */
  readonly lost: number
  readonly requests: number
  readonly creates: number
  readonly faults: number
  readonly struck: ReadonlyMap<string, number>
  readonly executions: number
  readonly idempotencyKeys: number
  /** Of the last run. */
  readonly outcomes: Summary
  /** Outcomes that came out more than once and were not delivered. */
  readonly again: number
  /** Outcomes that were not final: a later run has gone on with them. */
  readonly unfinished: number
  readonly millis: number
}

const { Fault } = Simulator

const endsOf = (...endings: ReadonlyArray<Simulator.Fault.TerminalOutcome>): ReadonlyArray<Simulator.Fault.Fault> =>
  endings.map((ending) =>
    Fault.on(
      ({ body, operation }) =>
        operation === "executions.create" && new TextDecoder().decode(body).includes('"model":"fragile"'),
      Fault.ends(ending)
    )
  )

/** The execution may be made or not, and the answer arrive, or not, or in part. */
const faults: ReadonlyArray<Simulator.Fault.Fault> = [
  Fault.dropBefore,
  Fault.dropAfter,
  Fault.cutBody(),
  Fault.truncateCleanly(),
  Fault.emptyOk,
  Fault.delay("40 millis", "before"),
  Fault.delay("40 millis", "after"),
  Fault.envelope("MODEL_OVERLOADED"),
  Fault.envelope("GENERATION_FAILED"),
  Fault.envelope("SERVICE_UNAVAILABLE", { phase: "after" }),
  Fault.badGateway,
  Fault.raw({ status: 504, body: "upstream request timeout", phase: "after" }),
  ...endsOf(
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

type Manner = "at once" | "later" | "torn write" | "kept write" | "stuck write" | "lost writes"

/** How one run is to end. */
interface Death {
  /** When so many items have been seen, and then so many requests more. */
  readonly items: number
  readonly requests: number
  readonly manner: Manner
  /** How much later it is killed, where it is not at once. */
  readonly millis: number
  /** Which of the writes to come is torn, kept or stuck, or how many get lost. */
  readonly writes: number
  /** What part is left of a value that is torn, or of the log's last page. */
  readonly share: number
}

/** Of eight kills. SQLite does not tear what a process was writing, but may lose all that the disk has not heard of. */
const manners: { readonly [J in Options["journal"]]: ReadonlyArray<Manner> } = {
  sqlite: ["at once", "later", "kept write", "kept write", "stuck write", "lost writes", "lost writes", "lost writes"],
  files: [...Array<Manner>(4).fill("torn write"), "kept write", "stuck write", "lost writes", "lost writes"]
}

/** The moments are counted in what the simulator has seen, so that they are the same on a machine that is slow. */
const deaths = ({ items, journal, kills, seed }: Options): ReadonlyArray<Death> => {
  const next = seededRandom(seed)
  const upTo = (n: number) => 1 + Math.floor(next() * n)
  const points = new Set<number>()
  // The last items are left: a run that finds nothing to do is over before it can be killed.
  const end = items - Math.min(4 * concurrency, Math.floor(items / 4))
  while (points.size < kills) points.add(upTo(end))
  const drawn = Array.from({ length: kills }, (_, n) => ({
    manner: manners[journal][n % manners[journal].length] ?? "at once",
    at: Math.floor(n / manners[journal].length) + next()
  })).sort((a, b) => a.at - b.at)
  return [...points]
    .sort((a, b) => a - b)
    .map((point, n) => ({
      items: point,
      requests: upTo(2 * concurrency),
      manner: drawn[n]?.manner ?? "at once",
      millis: upTo(30),
      writes: upTo(8),
      // Some values are left empty, and some whole.
      share: Math.min(1, Math.max(0, next() * 1.4 - 0.2))
    }))
}

interface Child {
  readonly tell: (order: Order) => Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  /** When its journal stands still. */
  readonly held: Effect.Effect<void>
  /** The exit code or the signal that has ended it, and what it has said. */
  readonly ended: Effect.Effect<{ readonly by: number | string; readonly said: string; readonly complained: string }>
}

const script = fileURLToPath(new URL("batchRunner.ts", import.meta.url))

/** A process that loads what it needs, and begins when it is told to. */
const started = (args: ReadonlyArray<string>): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: ["pipe", "pipe", "pipe"] })
      let [said, complained] = ["", ""]
      const held = Deferred.unsafeMake<void>(FiberId.none)
      child.stdout.on("data", (chunk) => {
        said += String(chunk)
        if (said.includes(heldLine)) Deferred.unsafeDone(held, Effect.void)
      })
      child.stderr.on("data", (chunk) => (complained += String(chunk)))
      // What it is told when it is dead.
      child.stdin.on("error", () => {})
      const end = new Promise<number | string>((resolve) => {
        child.once("close", (code, signal) => resolve(code ?? signal ?? ""))
      })
      return {
        tell: (order: Order) => Effect.sync(() => void child.stdin.write(orderLine(order))),
        kill: Effect.sync(() => void child.kill("SIGKILL")),
        held: Deferred.await(held),
        ended: Effect.map(
          Effect.promise(() => end),
          (by) => ({ by, said, complained })
        )
      }
    }),
    ({ ended, kill }) => Effect.zipRight(kill, ended)
  )

/** Reads what has been appended to a file since the last time. */
const follow = (path: string): (() => ReadonlyArray<Line>) => {
  const decode = Schema.decodeUnknownSync(LineText)
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

const home = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "modelroute-kill-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** How often at most all items are run through in the end, until no outcome is left that may still change. */
const mostRuns = 10

export const killed = (options: Options): Effect.Effect<Report, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { items, journal, seed, tell = () => Effect.void } = options
    const began = yield* Clock.currentTimeMillis
    const directory = yield* home
    const kept = join(directory, "journal")
    mkdirSync(kept)
    const log = join(directory, "outcomes")

    const witness = new Witness()
    /** Ends the wait of the one who kills. */
    let awaited: { readonly death: Death; left: number; readonly now: Deferred.Deferred<void> } | undefined
    const services = yield* Layer.build(
      simulator(seed, (record) => {
        const isNew = witness.see(record)
        // Each run submits something of its own before it is killed.
        if (awaited === undefined || witness.seen < awaited.death.items || witness.newItems === 0) return
        awaited.left -= 1
        // Where writes get lost, those are worth most that say what is on its way.
        const isDue = awaited.left <= 0 && (isNew || awaited.death.manner !== "lost writes")
        if (isDue) Deferred.unsafeDone(awaited.now, Effect.void)
      })
    ).pipe(Effect.orDie)
    const [server, sim] = yield* Effect.provide(
      Effect.all([SimulatorServer.SimulatorServer, Simulator.Simulator]),
      services
    )

    // Loading takes longer than many a run: the next processes do it meanwhile.
    let runs = 0
    const load = Effect.suspend(() => started([journal, kept, server.url, String(items), log, String(++runs)]))
    const loaded: Array<Child> = []
    const child = (ahead: number) =>
      Effect.gen(function* () {
        while (loaded.length <= ahead) loaded.push(yield* load)
        return loaded.shift() ?? (yield* load)
      })

    const newLines = follow(log)
    const lines: Array<Line> = []
    const kills = new Map<string, number>()
    const lost = new Map<number, number>()
    let run = 0
    const wrong: Array<string> = []

    const strike = (target: Child, { manner, millis, share, writes }: Death): Effect.Effect<void> => {
      switch (manner) {
        case "at once":
        case "lost writes":
          return target.kill
        case "later":
          return Effect.zipRight(Effect.sleep(millis), target.kill)
        case "torn write":
          return target.tell({ _tag: "Tear", writes: 5 * writes, share })
        case "kept write":
          return target.tell({ _tag: "Keep", writes })
        case "stuck write":
          // Time enough to go on without the journal, for who would.
          return target
            .tell({ _tag: "Hold", writes })
            .pipe(
              Effect.zipRight(target.held),
              Effect.zipRight(Effect.sleep(100 + 10 * millis)),
              Effect.zipRight(target.kill)
            )
      }
    }

    /** One run, and what it has told if it has come to its end. */
    const once = (target: Child, death?: Death) =>
      Effect.gen(function* () {
        run += 1
        const now = Deferred.unsafeMake<void>(FiberId.none)
        awaited = death && { death, left: death.requests, now }
        const from = witness.requests
        const at = yield* Clock.currentTimeMillis
        const lose =
          death?.manner !== "lost writes"
            ? undefined
            : journal === "sqlite"
              ? loseTransactions(join(kept, "journal.db"))
              : loseFiles(kept)
        yield* target.tell({ _tag: "Begin" })
        if (death !== undefined) {
          const killing = Effect.zipRight(Deferred.await(now), strike(target, death))
          yield* Effect.raceFirst(Effect.zipRight(killing, target.ended), target.ended)
        }
        const { by, complained, said } = yield* target.ended
        awaited = undefined
        const losing = death === undefined || by !== "SIGKILL" ? 0 : (lose?.(2 * death.writes, death.share) ?? 0)
        if (losing > 0) lost.set(run, losing)
        if (death !== undefined && by === "SIGKILL") {
          kills.set(death.manner, (kills.get(death.manner) ?? 0) + 1)
        } else if (by !== 0) {
          wrong.push(`run ${run} ended with ${by}: ${said.slice(-2000)} ${complained.slice(-2000)}`)
        }
        const more = newLines()
        for (const line of more) lines.push(line)
        witness.ended(more, losing > 0)
        yield* tell(
          `run ${run}: ${(yield* Clock.currentTimeMillis) - at} ms, ${witness.requests - from} requests, ${more.length} outcomes, ` +
            `${more.filter(({ delivered }) => !delivered).length} of them new, ${witness.seen} items seen, ` +
            (by === "SIGKILL" ? `killed (${death?.manner}${losing > 0 ? `: ${losing}` : ""})` : `ended with ${by}`)
        )
        return by === 0 ? Schema.decodeUnknownOption(SummaryText)(said.trim().split("\n").at(-1)) : Option.none()
      })

    for (const death of deaths(options)) yield* once(yield* child(1), death)
    let settling = yield* once(yield* child(1))
    for (let n = 1; n < mostRuns && Option.exists(settling, ({ final }) => final < items); n++) {
      settling = yield* once(yield* child(1))
    }
    const before = witness.requests
    const resting = yield* once(yield* child(0))
    const ledger = yield* sim.ledger
    const seen = Option.map(Option.all({ settling, resting }), (summaries) => ({
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
      wrong: [...wrong, ...Option.match(seen, { onNone: () => ["the last runs have not ended"], onSome: verdict })],
      runs: run,
      kills,
      lost: [...lost.values()].reduce((a, b) => a + b, 0),
      requests: witness.requests,
      creates: witness.creates,
      faults: witness.faults,
      struck: witness.struck,
      executions: ledger.executions.length,
      idempotencyKeys: witness.idempotencyKeys,
      outcomes: Option.getOrElse(resting, () => none),
      again: handedOutAgain(lines),
      unfinished: lines.filter(({ final }) => !final).length,
      millis: (yield* Clock.currentTimeMillis) - began
    }
  })
