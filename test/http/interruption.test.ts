/** Calls that are interrupted at any of their operations: they end, and leave no timer, no permit and no fiber behind. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Stream } from "effect"
import { File, ModelRouteClient } from "effect-modelroute"
import { Fault } from "effect-modelroute/Simulator"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { raceListener, withDeadline } from "../../src/internal/http/attemptTimeout.js"
import { image, layer, silent, start } from "../utils/harness.js"
import { numRuns } from "../utils/suite.js"
import { type OperationCounter, runInVirtualTime } from "../utils/virtualTime.js"

/** Every how many operations. */
const stride = numRuns(61, 1)

/** Counts the operations of an effect. */
const counted = <A, E, R>(operations: OperationCounter, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      operations.isCounting = true
    }),
    () => effect,
    () =>
      Effect.sync(() => {
        operations.isCounting = false
      })
  )

type Subject = (operations: OperationCounter) => Effect.Effect<unknown, unknown>

/** Runs an effect to its end, and then again and again, interrupted at another one of its operations each time. */
const interruptedAtEach = (subject: Subject, stride: number) =>
  Effect.gen(function* () {
    const runWith = (operations: OperationCounter) => runInVirtualTime(silent(subject(operations)), start, operations)
    const whole: OperationCounter = { isCounting: false, count: 0 }
    const ended = yield* runWith(whole)
    assert.isTrue(Exit.isSuccess(ended), String(ended))
    let interrupted = 0
    const stuck: Array<string> = []
    for (let interruptAt = 1; interruptAt <= whole.count; interruptAt += stride) {
      // It is a defect if everything waits and for no point in time, or if a timer is left behind.
      const exit = yield* Effect.exit(runWith({ isCounting: false, count: 0, interruptAt }))
      if (Exit.isFailure(exit)) stuck.push(`${interruptAt}: ${Cause.pretty(exit.cause)}`)
      else if (Exit.isInterrupted(exit.value)) interrupted += 1
      else if (Exit.isFailure(exit.value)) stuck.push(`${interruptAt}: ${Cause.pretty(exit.value.cause)}`)
    }
    return { interrupted, stuck }
  })

/** What a client does, after which nothing is left in its gate; with `background`, ten minutes later. */
const calling =
  (
    use: (client: ModelRouteClient.Service) => Effect.Effect<unknown, unknown>,
    options: { readonly faults?: ReadonlyArray<Fault.Fault>; readonly background?: boolean } = {}
  ) =>
  (operations: OperationCounter) =>
    Effect.gen(function* () {
      const client = yield* ModelRouteClient.ModelRouteClient
      const isEmpty = Effect.flatMap(client.rateLimit, ({ inFlight, waiting }) =>
        inFlight + waiting === 0 ? Effect.void : Effect.dieMessage(`${inFlight} in flight, ${waiting} waiting`)
      )
      const settled = options.background === true ? Effect.sleep("10 minutes") : Effect.void
      yield* Effect.ensuring(counted(operations, use(client)), Effect.zipRight(settled, isEmpty))
    }).pipe(
      Effect.provide(
        layer({ simulator: { faults: options.faults ?? [], rateLimit: { limit: 2, window: "10 seconds" } } })
      )
    )

const limited = (duration: Duration.DurationInput) =>
  withDeadline(
    new SharedTimer(),
    Effect.sleep(duration),
    () => start + 5000,
    () => "late"
  )

const bytes = new Uint8Array(200_000)

const subjects: ReadonlyArray<readonly [string, Subject]> = [
  ["an effect within a time limit", (operations) => counted(operations, limited("1 second"))],
  ["an effect that a time limit ends", (operations) => counted(operations, Effect.flip(limited("9 seconds")))],
  [
    "an effect and a callback",
    (operations) =>
      counted(
        operations,
        raceListener(Effect.sleep("1 second"), () => () => {})
      )
  ],
  [
    "a get that waits for the rate limit and is retried",
    calling(
      ({ executions }) =>
        Effect.zipRight(
          executions.create(image),
          Effect.flatMap(executions.create(image), ({ id }) => executions.get(id))
        ),
      { faults: [Fault.badGateway] }
    )
  ],
  ["run", calling(({ executions }) => executions.run(image))],
  [
    "run with cancelOnInterrupt",
    calling(({ executions }) => executions.run(image, { cancelOnInterrupt: true }), { background: true })
  ],
  [
    "watch",
    calling(({ executions }) =>
      Effect.flatMap(executions.create(image), ({ id }) => Stream.runDrain(executions.watch(id)))
    )
  ],
  ["an upload", calling(({ files }) => files.upload(File.fromBytes(bytes)))],
  [
    "a download",
    calling(({ files }) =>
      Effect.flatMap(files.upload(File.fromBytes(bytes)), (id) => Stream.runDrain(files.download(id)))
    )
  ]
]

describe("an interruption", () => {
  for (const [name, subject] of subjects) {
    it(`ends ${name}, and leaves nothing behind`, () =>
      Effect.runPromise(
        Effect.map(interruptedAtEach(subject, stride), ({ interrupted, stuck }) => {
          assert.deepStrictEqual(stuck, [])
          assert.isAbove(interrupted, 0)
        })
      ))
  }
})
