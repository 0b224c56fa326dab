/** A receiver that is killed in the middle of it loses no event, and handles none again that it has answered for. */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { random } from "../utils/limitedServer.js"
import { payload, post, signed } from "../utils/webhooks.js"
import { isFull } from "../utils/suite.js"

const script = fileURLToPath(new URL("utils/webhookReceiver.ts", import.meta.url))

interface Receiver {
  readonly url: string
  /** Ends it at once, as a power cut would. */
  readonly kill: () => void
  readonly ended: Effect.Effect<void>
}

/** A process that has loaded everything, and begins when it is told to. */
const loaded = (directory: string, log: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, ["--import", "tsx", script, directory, log], {
        stdio: ["pipe", "pipe", "inherit"]
      })
      const end = new Promise<void>((resolve) => {
        child.once("exit", () => resolve())
      })
      const kill = () => void child.kill("SIGKILL")
      const ended = Effect.promise(() => end)
      const begin = Effect.async<Receiver>((resume) => {
        child.stdout.once("data", (line) =>
          resume(Effect.succeed({ url: `http://127.0.0.1:${String(line).trim()}/`, kill, ended }))
        )
        child.once("exit", () => resume(Effect.dieMessage("the receiver did not start")))
        child.stdin.write("begin\n")
      })
      return { begin, ended, kill }
    }),
    ({ ended, kill }) => Effect.zipRight(Effect.sync(kill), ended)
  )

const shuffled = <A>(items: ReadonlyArray<A>, seed: number): ReadonlyArray<A> => {
  const next = random(seed)
  return items
    .map((item) => ({ item, at: next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** The status of the answer, if there was one. */
const deliver = (url: string, id: string) =>
  Effect.flatMap(signed(payload(id)), (delivery) =>
    Effect.option(Effect.catchAllDefect(post(url, delivery), () => Effect.fail("no answer")))
  ).pipe(Effect.map(Option.map(({ status }) => status)))

const entryOf = (directory: string, id: string): string =>
  join(directory, `modelroute-webhook-${createHash("sha256").update(id).digest("hex")}`)

it.scopedLive.runIf(isFull)(
  "killed at five points, with 200 deliveries of 140 events on their way each time",
  () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      const log = join(yield* files.makeTempDirectoryScoped(), "handled")
      const handled = () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [])
      const times = (id: string, ids: ReadonlyArray<string>) => ids.filter((each) => each === id).length

      const [first, ...others] = yield* Effect.replicateEffect(loaded(directory, log), 6)
      if (first === undefined) return assert.fail()
      let receiver = yield* first.begin
      // A receiver takes up where the one before it was killed, and is then killed itself.
      for (const [round, next] of others.entries()) {
        const killAfter = [1, 40, 90, 140, 190][round] ?? 0
        const events = Array.from({ length: 140 }, (_, n) => `evt_${round}_${n}`)
        const before = handled().length
        const answered = new Set<string>()
        let answers = 0
        yield* Effect.forEach(
          shuffled([...events, ...events.slice(0, 60)], round + 1),
          (id) =>
            Effect.map(deliver(receiver.url, id), (status) => {
              if (Option.isNone(status)) return
              assert.strictEqual(status.value, 200)
              answered.add(id)
              answers += 1
              if (answers === killAfter) receiver.kill()
            }),
          { concurrency: "unbounded", discard: true }
        )
        yield* receiver.ended
        assert.isAtLeast(answers, killAfter)
        const handledBefore = handled()
        const remembered = events.filter((id) => existsSync(entryOf(directory, id)))
        const inFlight = events.filter((id) => !answered.has(id))
        for (const id of answered) assert.include(remembered, id)

        receiver = yield* next.begin
        // What was not answered comes again, and some of what was.
        const again = [...inFlight, ...[...answered].slice(0, 30)]
        const statuses = yield* Effect.forEach(again, (id) => deliver(receiver.url, id), { concurrency: 50 })
        for (const status of statuses) assert.deepStrictEqual(Option.getOrUndefined(status), 200)

        const all = handled()
        for (const id of events) assert.include([1, 2], times(id, all), id)
        for (const id of remembered) assert.strictEqual(times(id, all), times(id, handledBefore), id)
        for (const id of remembered) assert.strictEqual(times(id, all), 1, id)
        const twice = events.filter((id) => times(id, all) === 2)
        for (const id of twice) assert.include(inFlight, id)
        assert.strictEqual(new Set(all).size, 140 * (round + 1))
        assert.isAtMost(all.length - before, 140 + inFlight.length)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  60_000
)
