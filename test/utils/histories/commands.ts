/**
 * Generates random histories. A history is a setup and a list of commands. Every command is valid in every state, so
 * that each part of a history is a history too and shrinking works.
 */
import { FastCheck as fc } from "effect"

/** The models of the simulator in a history. */
export const models = {
  quick: { duration: "1 second", cost: "0.010", output: "text", result: "separate" },
  image: { duration: "8 seconds", cost: "0.040", output: "image", result: "embedded" },
  video: { duration: "100 seconds", cost: "0.500", output: "image", result: "both", awaitingWebhook: true },
  silent: { duration: "3 seconds", cost: "0.005", output: "none" }
} as const

export type ModelName = keyof typeof models

/** Returns an arbitrary of literal values. */
const oneOf = <const A>(...values: ReadonlyArray<A>): fc.Arbitrary<A> => fc.constantFrom(...values)

export const faultNames = [
  "dropBefore",
  "dropAfter",
  "cutBody",
  "truncated",
  "lateRequest",
  "lateResponse",
  "slowResponse",
  "hangBefore",
  "hangAfter",
  "badGateway",
  "unavailable",
  "unavailableAfter",
  "internalError",
  "rateLimited",
  "rateLimitedLong",
  "rateLimitedTooLong",
  "noBalance",
  "unauthorized",
  "notFound",
  "emptyOk",
  "dateAhead",
  "dateBehind",
  "withoutHeaders",
  "resetGarbage"
] as const

export type FaultName = (typeof faultNames)[number]

export const faultTargets = ["executions.create", "executions.get", "executions.result", "executions.cancel"] as const

export type FaultTarget = (typeof faultTargets)[number]

/** Moments of a crash. Each one except `now` is the n-th event of its kind after the command. */
export const crashPoints = ["now", "beforeSend", "afterResponse", "beforeWrite", "tornWrite", "afterWrite"] as const

export type CrashPoint = (typeof crashPoints)[number]

export interface CallSettings {
  /**
   * The methods of the call:
   *
   * - `run`: `executions.run`
   * - `await`: `executions.create` and `executions.await`
   * - `watch`: `executions.create`, `executions.watch` and `executions.result`
   * - `durable`: `DurableExecution.start` and `DurableExecution.await`
   */
  readonly kind: "run" | "await" | "watch" | "durable"
  readonly model: ModelName
  /** The application passes a key that it has stored, or the client creates a key. A durable execution has its own key. */
  readonly key: "stored" | "generated"
  readonly cancelOnInterrupt: boolean
  readonly timeoutSeconds: number | undefined
  readonly hasWebhook: boolean
}

export type Command =
  | ({ readonly _tag: "Start" } & CallSettings)
  | { readonly _tag: "Batch"; readonly concurrency: number }
  | { readonly _tag: "StopBatch" }
  | { readonly _tag: "InterruptBatch" }
  | { readonly _tag: "Poll"; readonly call: number }
  | { readonly _tag: "Cancel"; readonly call: number }
  | { readonly _tag: "Resume"; readonly call: number }
  | { readonly _tag: "Interrupt"; readonly call: number }
  | { readonly _tag: "Fault"; readonly on: FaultTarget; readonly fault: FaultName; readonly times: number }
  | { readonly _tag: "Outcome"; readonly status: "FAILED" | "CANCELLED" | "EXPIRED" }
  | { readonly _tag: "Delivery"; readonly fault: "late" | "veryLate" | "twice" | "lost" | "unacknowledged" }
  | { readonly _tag: "Forge"; readonly call: number; readonly flaw: "wrongSecret" | "noSignature" | "stale" }
  | { readonly _tag: "Advance"; readonly millis: number }
  | { readonly _tag: "SetWallClock"; readonly byMillis: number }
  | { readonly _tag: "Freeze"; readonly millis: number }
  | { readonly _tag: "Crash"; readonly at: CrashPoint; readonly skip: number }
  | { readonly _tag: "Restart" }

const call = fc.nat({ max: 7 })

const minuteMillis = 60_000
const hourMillis = 60 * minuteMillis

const start = fc.record({
  _tag: oneOf("Start"),
  kind: oneOf("run", "run", "await", "watch", "durable"),
  model: oneOf("quick", "image", "video", "silent"),
  key: oneOf("stored", "generated"),
  cancelOnInterrupt: fc.boolean(),
  timeoutSeconds: oneOf(undefined, undefined, 5, 60),
  hasWebhook: fc.boolean()
})

const advance = fc.record({
  _tag: oneOf("Advance"),
  millis: fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 1, max: 12_000 }),
    oneOf(30_000, 2 * minuteMillis, 10 * minuteMillis)
  )
})

const fault = fc.record({
  _tag: oneOf("Fault"),
  on: oneOf("executions.create", "executions.create", ...faultTargets),
  fault: oneOf(...faultNames),
  times: oneOf(1, 1, 2, 5)
})

const crash = fc.record({ _tag: oneOf("Crash"), at: oneOf(...crashPoints), skip: fc.nat({ max: 3 }) })

const callCommands = [
  { weight: 10, arbitrary: start },
  { weight: 4, arbitrary: fc.record({ _tag: oneOf("Interrupt"), call }) },
  { weight: 2, arbitrary: fc.record({ _tag: oneOf("Poll"), call }) },
  { weight: 2, arbitrary: fc.record({ _tag: oneOf("Cancel"), call }) },
  { weight: 2, arbitrary: fc.record({ _tag: oneOf("Resume"), call }) }
]

const batchCommands = [
  { weight: 4, arbitrary: fc.record({ _tag: oneOf("Batch"), concurrency: oneOf(1, 2, 4) }) },
  { weight: 1, arbitrary: oneOf({ _tag: "StopBatch" }, { _tag: "InterruptBatch" }) }
]

const serverCommands = [
  { weight: 9, arbitrary: fault },
  { weight: 2, arbitrary: fc.record({ _tag: oneOf("Outcome"), status: oneOf("FAILED", "CANCELLED", "EXPIRED") }) }
]

const deliveryFault = oneOf("late", "veryLate", "twice", "lost", "unacknowledged")

const webhookCommands = [
  { weight: 3, arbitrary: fc.record({ _tag: oneOf("Delivery"), fault: deliveryFault }) },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: oneOf("Forge"), call, flaw: oneOf("wrongSecret", "noSignature", "stale") })
  }
]

const wallClockSteps = oneOf(
  -10 * minuteMillis,
  10 * minuteMillis,
  -2 * hourMillis,
  2 * hourMillis,
  // Longer than the default lifetime of an idempotency key and of a handled event.
  25 * hourMillis
)

const machineCommands = [
  { weight: 9, arbitrary: advance },
  { weight: 4, arbitrary: crash },
  { weight: 1, arbitrary: fc.record({ _tag: oneOf("SetWallClock"), byMillis: wallClockSteps }) },
  { weight: 1, arbitrary: fc.record({ _tag: oneOf("Freeze"), millis: oneOf(2000, 45_000, 10 * minuteMillis) }) },
  { weight: 1, arbitrary: oneOf({ _tag: "Restart" }) }
]

const command: fc.Arbitrary<Command> = fc.oneof(
  ...callCommands,
  ...batchCommands,
  ...serverCommands,
  ...webhookCommands,
  ...machineCommands
)

const setup = fc.record({
  /** Time of a request on its way to the server, and of a response on its way back, in milliseconds. */
  latencyMillis: oneOf(0, 40, 2500),
  /** Number of requests per 10 seconds. `undefined` means no limit. */
  limit: oneOf(undefined, undefined, 10, 2),
  /** Store of the handled webhook events. */
  dedup: oneOf("memory", "disk"),
  /** Number of items of the batch. */
  items: fc.integer({ min: 1, max: 4 })
})

export type HistorySetup = typeof setup extends fc.Arbitrary<infer S> ? S : never

export interface History {
  readonly setup: HistorySetup
  readonly commands: ReadonlyArray<Command>
}

export const history: fc.Arbitrary<History> = fc.record({
  setup,
  commands: fc.array(command, { maxLength: 30, size: "max" })
})

/** Formats a history with one line per command. */
export const formatHistory = ({ commands, setup }: History): string =>
  [setup, ...commands].map((part) => `  ${fc.stringify(part)}`).join("\n")
