/**
 * Tests calls that are interrupted at each of their operations. Every call must end and leave no timer, permit or
 * fiber.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Stream } from "effect"
import { File, ModelRouteClient } from "effect-modelroute"
import { Fault } from "effect-modelroute/Simulator"
import { withDeadline } from "../../src/internal/http/attemptTimeout.js"
import { runInChild } from "../../src/internal/http/childFiber.js"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { image, layer, silent, start } from "../utils/harness.js"
import { numRuns } from "../utils/suite.js"
import { type OperationCounter, runInVirtualTime } from "../utils/virtualTime.js"

/** Number of operations between two tested interruptions. */
const stride = numRuns(61, 4)

/** Counts the operations of an effect. */
const countOperations = <A, E, R>(
  operations: OperationCounter,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
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

/**
 * Runs an effect without interruption. Then runs the effect again for every `stride` operations and interrupts each
 * run.
 */
const interruptAtEach = (subject: Subject, stride: number) =>
  Effect.gen(function* () {
    const runWith = (operations: OperationCounter) => runInVirtualTime(silent(subject(operations)), start, operations)
    const total: OperationCounter = { isCounting: false, count: 0 }
    const exit = yield* runWith(total)
    assert.isTrue(Exit.isSuccess(exit), String(exit))
    let interrupted = 0
    const stuck: Array<string> = []
    for (let interruptAt = 1; interruptAt <= total.count; interruptAt += stride) {
      // Virtual time fails with a defect if all fibers wait without a timer or if a timer remains.
      const exit = yield* Effect.exit(runWith({ isCounting: false, count: 0, interruptAt }))
      if (Exit.isFailure(exit)) stuck.push(`${interruptAt}: ${Cause.pretty(exit.cause)}`)
      else if (Exit.isInterrupted(exit.value)) interrupted += 1
      else if (Exit.isFailure(exit.value)) stuck.push(`${interruptAt}: ${Cause.pretty(exit.value.cause)}`)
    }
    return { interrupted, stuck }
  })

/**
 * Runs an effect with a client and asserts that the gate is empty afterwards. With `background`, checks the gate ten
 * minutes later.
 */
const withEmptyGate =
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
      yield* Effect.ensuring(countOperations(operations, use(client)), Effect.zipRight(settled, isEmpty))
    }).pipe(
      Effect.provide(
        layer({ simulator: { faults: options.faults ?? [], rateLimit: { limit: 2, window: "10 seconds" } } })
      )
    )

const withTimeLimit = (duration: Duration.DurationInput) =>
  withDeadline(
    new SharedTimer(),
    Effect.sleep(duration),
    () => start + 5000,
    () => "late"
  )

const bytes = new Uint8Array(200_000)

const subjects: ReadonlyArray<readonly [string, Subject]> = [
  ["an effect within a time limit", (operations) => countOperations(operations, withTimeLimit("1 second"))],
  [
    "an effect that exceeds its time limit",
    (operations) => countOperations(operations, Effect.flip(withTimeLimit("9 seconds")))
  ],
  [
    "a race between an effect and a callback",
    (operations) =>
      countOperations(
        operations,
        runInChild(Effect.sleep("1 second"), () => () => {})
      )
  ],
  [
    "executions.get with a retry and a wait for the rate limit",
    withEmptyGate(
      ({ executions }) =>
        Effect.zipRight(
          executions.create(image),
          Effect.flatMap(executions.create(image), ({ id }) => executions.get(id))
        ),
      { faults: [Fault.badGateway] }
    )
  ],
  ["executions.run", withEmptyGate(({ executions }) => executions.run(image))],
  [
    "executions.run with cancelOnInterrupt",
    withEmptyGate(({ executions }) => executions.run(image, { cancelOnInterrupt: true }), { background: true })
  ],
  [
    "executions.watch",
    withEmptyGate(({ executions }) =>
      Effect.flatMap(executions.create(image), ({ id }) => Stream.runDrain(executions.watch(id)))
    )
  ],
  ["an upload", withEmptyGate(({ files }) => files.upload(File.fromBytes(bytes)))],
  [
    "a download",
    withEmptyGate(({ files }) =>
      Effect.flatMap(files.upload(File.fromBytes(bytes)), (id) => Stream.runDrain(files.download(id)))
    )
  ]
]

describe("interruption", () => {
  for (const [name, subject] of subjects) {
    it(`of ${name} leaves no timer, permit or fiber`, () =>
      Effect.runPromise(
        Effect.map(interruptAtEach(subject, stride), ({ interrupted, stuck }) => {
          assert.deepStrictEqual(stuck, [])
          assert.isAbove(interrupted, 0)
        })
      ))
  }
})
