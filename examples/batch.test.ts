/**
 * Tests the batch example as a process that is stopped, killed and restarted. Also tests its supporting modules.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Effect, Either, Option, Stream } from "effect"
import type { Batch } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { existsSync } from "node:fs"
import * as ProgressLine from "./support/ProgressLine.js"
import * as Prompts from "./support/Prompts.js"
import * as Summary from "./support/Summary.js"
import { prompts, setup } from "./support/testing.js"
import { isFull } from "../test/utils/suite.js"

const { Fault } = Simulator

describe.runIf(isFull)("Batch example", { concurrent: true, timeout: 120_000 }, () => {
  it.scopedLive("sends no request in the second run if the first run saved every image", () =>
    Effect.gen(function* () {
      const { assertComplete, out, simulator, start } = yield* setup(prompts(40))
      const first = yield* (yield* start("--concurrency", "40")).ended
      assert.strictEqual(first.code, 0, first.output)
      assert.notInclude(first.output, "\u001b")
      assert.deepStrictEqual(first.output.trimEnd().split("\n").slice(-2), [
        "40 prompts: 40 succeeded. $1.60 paid in all.",
        `${out}/<key>.json describes each outcome.`
      ])
      const sent = (yield* simulator.requests).length

      const second = yield* (yield* start("--concurrency", "40")).ended
      assert.deepStrictEqual(second.output.trimEnd().split("\n").slice(-3), [
        "40/40, $1.60",
        "40 prompts: 40 succeeded. $1.60 paid in all.",
        `${out}/<key>.json describes each outcome.`
      ])
      assert.strictEqual(second.code, 0)
      assert.lengthOf(yield* simulator.requests, sent)
      yield* assertComplete
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("completes only the executions in flight after the first Ctrl-C", () =>
    Effect.gen(function* () {
      const { again, assertComplete, imageCount, simulator, start, waitForCreates } = yield* setup(prompts(24))
      const child = yield* start("--concurrency", "12")
      yield* waitForCreates(12)
      yield* child.signal("SIGINT")
      const { code, output } = yield* child.ended
      assert.strictEqual(code, 130, output)
      assert.match(
        output,
        /^Stopping\. No more executions are submitted\. The results of \d+ running executions are still saved\.$/m
      )
      assert.include(output, "24 prompts: 12 succeeded, 12 not attempted. $0.48 paid in all.")
      assert.include(output, `To continue without paying twice, run the same command:\n  ${again} --concurrency 12\n`)
      const { executions } = yield* simulator.ledger
      assert.deepStrictEqual(
        executions.map(({ status }) => status),
        Array.from({ length: 12 }, () => "COMPLETED")
      )
      assert.strictEqual(yield* imageCount, 12)

      assert.strictEqual((yield* (yield* start("--concurrency", "12")).ended).code, 0)
      yield* assertComplete
    }).pipe(Effect.provide(NodeContext.layer))
  )

  for (const [signal, title] of [
    ["SIGINT", "continues in the next run after two SIGINT signals"],
    ["SIGTERM", "exits with code 143 after SIGTERM"],
    ["SIGKILL", "continues in the next run after SIGKILL"]
  ] as const) {
    it.scopedLive(title, () =>
      Effect.gen(function* () {
        const { again, assertComplete, start, waitForCreates } = yield* setup(prompts(24), {
          models: { "flux-1.1-pro": { duration: "3 seconds", cost: "0.040", output: "image" } }
        })
        const child = yield* start("--concurrency", "24")
        yield* waitForCreates(signal === "SIGKILL" ? 6 : 24)
        yield* child.signal(signal)
        if (signal === "SIGINT") {
          yield* child.printed("Press Ctrl-C again")
          yield* child.signal(signal)
        }
        const { code, output } = yield* child.ended
        if (signal !== "SIGKILL") {
          assert.match(
            output,
            /^Exited immediately. \d+ executions continue at ModelRoute. To resume, run the same command:$/m
          )
          assert.include(output, `\n  ${again} --concurrency 24\n`)
        }
        assert.strictEqual(code, { SIGINT: 130, SIGTERM: 143, SIGKILL: "SIGKILL" }[signal])

        if (signal === "SIGTERM") return
        const second = yield* (yield* start("--concurrency", "24")).ended
        assert.strictEqual(second.code, 0, second.output)
        yield* assertComplete
      }).pipe(Effect.provide(NodeContext.layer))
    )
  }

  it.scopedLive("retries temporary failures and failed downloads in the next run", () =>
    Effect.gen(function* () {
      const { assertComplete, report, simulator, start } = yield* setup(prompts(3), {
        faults: [
          Fault.executionOutcome({ status: "FAILED", code: "GENERATION_TIMEOUT" }),
          Fault.on("files.download", Fault.apiError("FILE_NOT_FOUND"))
        ]
      })
      const { code, output } = yield* (yield* start()).ended
      assert.strictEqual(code, 1, output)
      assert.include(output, "3 prompts: 1 succeeded, 1 not saved, 1 failed (1 GenerationTimeout). $0.08 paid")
      assert.match(output, /^The result of [123] is paid for but could not be downloaded: /m)
      const reports = yield* Effect.forEach(["1", "2", "3"], (key) => Effect.option(report(key)))
      assert.deepStrictEqual(
        reports
          .map(Option.match({ onNone: () => "none", onSome: ({ error, status }) => error?.tag ?? status }))
          .toSorted(),
        ["GenerationTimeout", "none", "succeeded"]
      )
      assert.strictEqual((yield* (yield* start()).ended).code, 0)
      yield* assertComplete
      assert.lengthOf((yield* simulator.ledger).executions, 4)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("lists the invalid lines of the prompt file and submits no execution", () =>
    Effect.gen(function* () {
      const { simulator, start } = yield* setup([
        { prompt: "fine" },
        "",
        '{"prompt": "cut o',
        { id: "../fox", prompt: "elsewhere" },
        { id: "fox" },
        { prompt: " " },
        { id: "1", prompt: "the first line's name" },
        { model: 7, prompt: "a number" },
        ...Array.from({ length: 6 }, () => [])
      ])
      const { code, output } = yield* (yield* start()).ended
      assert.strictEqual(code, 1)
      assert.deepStrictEqual(output.split("\n").slice(1), [
        '  line 3: is not a JSON object such as {"prompt": "a red fox in snow"}',
        '  line 4: "id" is not 1 to 100 letters, digits, "-" and "_"',
        '  line 5: "prompt" is missing',
        '  line 6: "prompt" is not a non-empty string',
        '  line 7: has the same name "1" as line 1. Set another "id"',
        '  line 8: "model" is not the name of a model',
        '  line 9: is not a JSON object such as {"prompt": "a red fox in snow"}',
        '  line 10: is not a JSON object such as {"prompt": "a red fox in snow"}',
        '  line 11: is not a JSON object such as {"prompt": "a red fox in snow"}',
        '  line 12: is not a JSON object such as {"prompt": "a red fox in snow"}',
        "  and 2 more",
        ""
      ])
      assert.match(output, /has invalid lines. Nothing was submitted. Correct the lines and run the command again.\n/)
      assert.deepStrictEqual(yield* simulator.requests, [])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("prints the usage if an option is unknown", () =>
    Effect.gen(function* () {
      const { simulator, start } = yield* setup(prompts(1))
      const { code, output } = yield* (yield* start("--fast")).ended
      assert.match(
        output,
        /^Unknown option '--fast'\.\n\nUsage: npm run example:batch -- \[FILE\] \[FOLDER\] \[OPTIONS\]\n/
      )
      assert.strictEqual(code, 1)
      assert.deepStrictEqual(yield* simulator.requests, [])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive.skipIf(process.platform !== "linux" || !existsSync("/usr/bin/script"))(
    "shows a status line in a terminal until the end of the run",
    () =>
      Effect.gen(function* () {
        const { assertComplete, out, startInTerminal } = yield* setup(prompts(3))
        const { code, output } = yield* (yield* startInTerminal).ended
        assert.strictEqual(code, 0, output)
        const [before, ...drawn] = output.split("\r\u001b[2K")
        assert.match(before ?? "", /Saving the images of 3 prompts from \S+ to \S+ Press Ctrl-C to stop.\s+$/)
        assert.strictEqual(
          drawn.at(-1),
          `3 prompts: 3 succeeded. $0.12 paid in all.\r\n${out}/<key>.json describes each outcome.\r\n`
        )
        const lines = drawn.slice(0, -1)
        assert.isAbove(lines.length, 5)
        assert.isTrue(lines.some((line) => line.startsWith("[..............................] 0/3")))
        for (const line of lines) assert.match(line, /^\[[#.]{30}\] [0-3]\/3, .*$/)
        yield* assertComplete
      }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("Prompts", () => {
  const read = (text: string) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = `${yield* fs.makeTempDirectoryScoped()}/prompts.jsonl`
      yield* fs.writeFileString(file, text)
      const prompts = yield* Effect.either(
        Effect.zipRight(Prompts.count(file), Stream.runCollect(Prompts.stream(file)))
      )
      return Either.mapBoth(prompts, {
        onLeft: ({ message }) => message.replace(file, "IT"),
        onRight: Chunk.toReadonlyArray
      })
    }).pipe(Effect.provide(NodeContext.layer))

  it.scoped("accepts empty lines, Windows line endings and a byte order mark", () =>
    Effect.gen(function* () {
      const text = '\ufeff{"prompt": "a fox", "width": 768}\r\n\r\n  {"id": "owl", "model": "m", "prompt": " é"}'
      assert.deepStrictEqual(
        yield* read(text),
        Either.right([
          { key: "1", line: 1, request: { model: "flux-1.1-pro", input: { prompt: "a fox", width: 768 } } },
          { key: "owl", line: 3, request: { model: "m", input: { prompt: " é" } } }
        ])
      )
    })
  )

  it.scoped("rejects a file without prompts or with duplicate ids", () =>
    Effect.gen(function* () {
      const none = Either.left("IT contains no prompts. Write one JSON object per line.")
      assert.deepStrictEqual(yield* read(""), none)
      assert.deepStrictEqual(yield* read("\n \n"), none)
      const twice = yield* read('{"id": "Fox", "prompt": "a"}\n{"id": "fox", "prompt": "a"}')
      assert.include(Either.merge(twice), '  line 2: has the same name "fox" as line 1. Set another "id"')
    })
  )

  it.scoped("rejects a file that cannot be read", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(Prompts.count("/nowhere/prompts.jsonl"))
      assert.strictEqual(message, "The file /nowhere/prompts.jsonl does not exist.")
      assert.match((yield* Effect.flip(Prompts.count("/"))).message, /^\/ cannot be read: EISDIR: /)
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("Summary of a batch", () => {
  const failed = { GenerationFailed: 2, RateLimited: 1 }
  const counts = { succeeded: 5, unsaved: 1, notAttempted: 3, failed, permanent: 0 }

  it("lists the counts of all outcomes and the cost", () => {
    assert.strictEqual(
      Summary.text(counts, "0.24"),
      "12 prompts: 5 succeeded, 1 not saved, 3 failed (2 GenerationFailed, 1 RateLimited), 3 not attempted. " +
        "$0.24 paid in all."
    )
  })

  it("contains the instructions to complete the batch for each stop reason", () => {
    const advice = (reason?: Batch.StopReason) => Summary.adviceFor(counts, "npm run it", reason)
    assert.deepStrictEqual(advice("Stopped"), [
      "To continue without paying twice, run the same command:",
      "  npm run it"
    ])
    assert.deepStrictEqual(advice("InsufficientBalance"), [
      "The balance is exhausted. Top up the balance and run the same command:",
      "  npm run it"
    ])
    assert.match(advice("Unauthorized").join(), /^The API key was rejected. /)
    assert.match(advice("MaxCost").join(), /^--max-cost is reached. /)
    assert.deepStrictEqual(Summary.adviceFor({ ...Summary.none, failed, permanent: 3 }, "npm run it"), [
      "3 failed permanently. Correct these lines and run the same command."
    ])
    assert.deepStrictEqual(Summary.adviceFor({ ...Summary.none, succeeded: 2 }, "npm run it"), [])
  })

  it("returns an exit code for each stop reason and each failed outcome", () => {
    const { exitCode, none } = Summary
    assert.strictEqual(exitCode({ ...none, succeeded: 2 }), 0)
    assert.strictEqual(exitCode({ ...none, succeeded: 2 }, "Stopped"), 0)
    assert.strictEqual(exitCode({ ...none, notAttempted: 1 }, "Stopped"), 130)
    assert.strictEqual(exitCode({ ...none, notAttempted: 1 }, "InsufficientBalance"), 1)
    assert.strictEqual(exitCode({ ...none, unsaved: 1 }), 1)
    assert.strictEqual(exitCode({ ...none, failed }), 1)
  })
})

describe("ProgressLine", () => {
  const now = Date.UTC(2026, 0, 1)
  const after = (seconds: number) => DateTime.unsafeMake(now + seconds * 1000)
  const half: Batch.Progress = {
    total: 1000,
    succeeded: 480,
    failed: 20,
    notAttempted: 0,
    waiting: 30,
    inFlight: 20,
    delivering: 0,
    fromJournal: 100,
    requests: 2000,
    retriesLeft: 50,
    cost: "19.2",
    held: "0.8",
    itemsPerMinute: 61.4,
    estimatedEnd: after(500)
  }

  it("omits the least important parts if the terminal is too narrow", () => {
    assert.deepStrictEqual(
      [200, 79, 60, 40, 20].map((width) => ProgressLine.formatBar(half, now, width)),
      [
        "[###############...............] 500/1000, 20 failed, 20 in flight, 8 min left, $19.20, 30 waiting, 61/min",
        "[#####......] 500/1000, 20 failed, 20 in flight, 8 min left, $19.20, 30 waiting",
        "[######......] 500/1000, 20 failed, 20 in flight, 8 min left",
        "[#########.........] 500/1000, 20 failed",
        "[####.....] 500/1000"
      ]
    )
  })

  it("shows whether the batch is paused or stopping", () => {
    assert.deepStrictEqual(
      [
        { ...half, pausedUntil: after(8.2) },
        { ...half, pausedUntil: after(119), stopped: "Stopped" as const },
        { ...half, succeeded: 979, inFlight: 1, waiting: 0, estimatedEnd: after(0) }
      ].map((progress) => ProgressLine.formatPlain(progress, now)),
      [
        "500/1000, 20 failed, paused for 9 s, 20 in flight, $19.20, 30 waiting, 61/min",
        "500/1000, 20 failed, stopping, paused for 2 min, 20 in flight, $19.20, 61/min",
        "999/1000, 20 failed, 1 in flight, 1 s left, $19.20, 61/min"
      ]
    )
  })

  it("never exceeds the width of the terminal", () => {
    const states = [half, { ...half, total: 1_000_000, succeeded: 999_000, pausedUntil: after(8), cost: "39960.125" }]
    for (const state of states) {
      for (let width = 1; width <= 200; width++) {
        const line = ProgressLine.formatBar(state, now, width)
        assert.isAtMost(line.length, width)
        assert.isTrue(line.length > 0)
      }
    }
  })
})
