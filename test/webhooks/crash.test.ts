/** Tests that a killed webhook receiver loses no event and repeats no confirmed event. */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { seededRandom } from "../utils/seededRandom.js"
import { eventPayload, postDelivery, signDelivery } from "../utils/webhooks.js"
import { isFull } from "../utils/suite.js"

const script = fileURLToPath(new URL("../utils/webhookReceiver.ts", import.meta.url))

interface Receiver {
  readonly url: string
  /** Kills the process immediately to simulate a power failure. */
  readonly kill: () => void
  readonly ended: Effect.Effect<void>
}

/** Starts a receiver process. The process loads its modules and waits for `begin`. */
const startReceiver = (directory: string, log: string) =>
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

const shuffle = <A>(items: ReadonlyArray<A>, seed: number): ReadonlyArray<A> => {
  const next = seededRandom(seed)
  return items
    .map((item) => ({ item, at: next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** Delivers an event and returns the status of the response. Returns `None` without a response. */
const deliver = (url: string, id: string) =>
  Effect.flatMap(signDelivery(eventPayload(id)), (delivery) =>
    Effect.option(Effect.catchAllDefect(postDelivery(url, delivery), () => Effect.fail("no response")))
  ).pipe(Effect.map(Option.map(({ status }) => status)))

const entryOf = (directory: string, id: string): string =>
  join(directory, `modelroute-webhook-${createHash("sha256").update(id).digest("hex")}`)

it.scopedLive.runIf(isFull)(
  "Webhook.layerDedup loses no event and repeats no acknowledged event if the process is killed",
  () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      const log = join(yield* files.makeTempDirectoryScoped(), "handled")
      const handled = () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [])
      const times = (id: string, ids: ReadonlyArray<string>) => ids.filter((each) => each === id).length

      const [first, ...others] = yield* Effect.replicateEffect(startReceiver(directory, log), 6)
      if (first === undefined) return assert.fail()
      let receiver = yield* first.begin
      // Each receiver uses the store of the previous receiver and is then also killed.
      for (const [round, next] of others.entries()) {
        const killAfter = [1, 40, 90, 140, 190][round] ?? 0
        const events = Array.from({ length: 140 }, (_, n) => `evt_${round}_${n}`)
        const before = handled().length
        const confirmed = new Set<string>()
        let responses = 0
        yield* Effect.forEach(
          shuffle([...events, ...events.slice(0, 60)], round + 1),
          (id) =>
            Effect.map(deliver(receiver.url, id), (status) => {
              if (Option.isNone(status)) return
              assert.strictEqual(status.value, 200)
              confirmed.add(id)
              responses += 1
              if (responses === killAfter) receiver.kill()
            }),
          { concurrency: "unbounded", discard: true }
        )
        yield* receiver.ended
        assert.isAtLeast(responses, killAfter)
        const handledBefore = handled()
        const recorded = events.filter((id) => existsSync(entryOf(directory, id)))
        const inFlight = events.filter((id) => !confirmed.has(id))
        for (const id of confirmed) assert.include(recorded, id)

        receiver = yield* next.begin
        // The API repeats unconfirmed deliveries and some of the confirmed deliveries.
        const again = [...inFlight, ...[...confirmed].slice(0, 30)]
        const statuses = yield* Effect.forEach(again, (id) => deliver(receiver.url, id), { concurrency: 50 })
        for (const status of statuses) assert.deepStrictEqual(Option.getOrUndefined(status), 200)

        const all = handled()
        for (const id of events) assert.include([1, 2], times(id, all), id)
        for (const id of recorded) assert.strictEqual(times(id, all), times(id, handledBefore), id)
        for (const id of recorded) assert.strictEqual(times(id, all), 1, id)
        const twice = events.filter((id) => times(id, all) === 2)
        for (const id of twice) assert.include(inFlight, id)
        assert.strictEqual(new Set(all).size, 140 * (round + 1))
        assert.isAtMost(all.length - before, 140 + inFlight.length)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  60_000
)
