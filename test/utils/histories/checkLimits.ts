/** Checks the time limits, the webhook events and the resources of a history. */
import { type Call, type CallRun, latestRun } from "./calls.js"
import { checkBatch, checkCalls, checkCharges, checkIdempotency, entryOf, type Violations } from "./checks.js"
import type { Played } from "./play.js"

const minuteMillis = 60_000

/** Maximum time of a create request. It has 4 attempts of 30 s and 5 rate limit waits of 2 minutes, and waits for the gate. */
const maxCreateMillis = 20 * minuteMillis
/** Maximum time of a wait. Executions expire after 5 minutes. The last poll has the same limits as a create request. */
const maxWaitMillis = 6.5 * minuteMillis + maxCreateMillis
/** Maximum time of a wait after its `timeout`. */
const pollGraceMillis = 30_000
/** Maximum time that an interruption waits for a cancel request. */
const maxInterruptionMillis = 10_000

const checkRunTimes = ({ prompt, settings }: Call, run: CallRun, { frozenMillis }: Played): Violations => {
  const { acceptedAt, endedAt, interruptedAt, resumedId, startedAt, timeoutMillis } = run
  if (endedAt === undefined) return []
  if (interruptedAt !== undefined && run.end?._tag === "Interrupted") {
    const limit = (settings.cancelOnInterrupt ? maxInterruptionMillis : 0) + frozenMillis
    const millis = endedAt - interruptedAt
    return millis <= limit ? [] : [`the interruption of "${prompt}" took ${millis} ms`]
  }
  if (settings.kind === "durable") return []
  const waitingSince = acceptedAt ?? (resumedId === undefined ? undefined : startedAt)
  const createdAt = waitingSince ?? endedAt
  const waited = endedAt - createdAt
  // A watched execution needs another request for its result, with the limits of a create request.
  const resultMillis = settings.kind === "watch" ? maxCreateMillis : 0
  const maxWait = (timeoutMillis === undefined ? maxWaitMillis : timeoutMillis + pollGraceMillis) + resultMillis
  return [
    ...(createdAt - startedAt > maxCreateMillis + frozenMillis
      ? [`the create request of "${prompt}" took ${createdAt - startedAt} ms`]
      : []),
    ...(waited > maxWait + frozenMillis ? [`the wait of "${prompt}" took ${waited} ms`] : [])
  ]
}

export const checkTimes = (played: Played): Violations =>
  played.calls.flatMap((call) => call.runs.flatMap((run) => checkRunTimes(call, run, played)))

/** A process handles an event once. After an acknowledged delivery, no later process handles the event of a disk store. */
export const checkEvents = (played: Played): Violations => {
  const { deliveries, forgedStatuses, history, world } = played
  const violations: Array<string> = []
  // The stored time of a handled event is wrong after a change of the wall clock by more than its lifetime.
  const hasExpired = history.commands.some(
    (command) => command._tag === "SetWallClock" && command.byMillis > 24 * 3_600_000
  )
  for (const [n, { at, eventId, process }] of world.handled.entries()) {
    if (eventId.startsWith("evt_forged")) violations.push(`the forged event ${eventId} was handled`)
    const earlier = world.handled.slice(0, n).filter((event) => event.eventId === eventId)
    if (earlier.some((event) => event.process === process)) {
      violations.push(`process ${process} handled the event ${eventId} twice`)
    }
    const isAcknowledged = deliveries.some(
      (delivery) => delivery.eventId === eventId && delivery.outcome === 200 && delivery.at < at
    )
    if (world.setup.dedup === "disk" && isAcknowledged && earlier.length > 0 && !hasExpired) {
      violations.push(`the event ${eventId} was handled again after a restart`)
    }
  }
  for (const status of forgedStatuses) {
    if (status !== 401) violations.push(`a forged delivery received the status ${status}`)
  }
  return violations
}

/** No permit, fiber or timer is left. Each timer belongs to a fiber. */
export const checkResources = ({ fibersLeft, gate, zombies }: Played): Violations => [
  ...(gate.inFlight + gate.waiting === 0
    ? []
    : [`the gate has ${gate.inFlight} permits and ${gate.waiting} waits left`]),
  ...(fibersLeft === 0 ? [] : [`${fibersLeft} fibers are left`]),
  ...(zombies === 0 ? [] : [`${zombies} fibers of killed processes cannot be interrupted`])
]

/** Returns whether anything could prevent the output of a call, except its own execution. */
const isDisturbed = (call: Call, played: Played): boolean => {
  const { calls, history, requests, world } = played
  const entry = entryOf(played, call.prompt)
  const key = entry?.idempotencyKey
  const isFaulty = requests.some(
    ({ executionId, fault, idempotencyKey }) =>
      fault !== undefined &&
      fault !== "ExecutionOutcome" &&
      (executionId === undefined || executionId === entry?.executionId || idempotencyKey === key)
  )
  const isSlow = world.setup.limit !== undefined && world.setup.limit * 2 < calls.length + world.setup.items
  const isStopped = history.commands.some(({ _tag }) => _tag === "Freeze" || _tag === "Crash" || _tag === "Restart")
  return isFaulty || isSlow || isStopped || call.settings.timeoutSeconds !== undefined || call.isAbandoned
}

/** A call without a disturbance has the output of its execution after its first run. */
export const checkUndisturbed = (played: Played): Violations =>
  played.calls.flatMap((call) => {
    if (isDisturbed(call, played)) return []
    const entry = entryOf(played, call.prompt)
    const tag = call.runs[0]?.end?._tag
    const expected = entry?.status === "COMPLETED" ? "Output" : "Ended"
    const isExpected = tag === expected || (call.isCancelled && call.settings.kind === "durable")
    return isExpected ? [] : [`"${call.prompt}" has the end ${tag} instead of ${expected}`]
  })

/** Returns all violations of a history. */
export const checkHistory = (played: Played): Violations => [
  ...checkIdempotency(played),
  ...checkCalls(played),
  ...checkBatch(played),
  ...checkCharges(played),
  ...checkTimes(played),
  ...checkEvents(played),
  ...checkResources(played),
  ...checkUndisturbed(played)
]

/** Names the events of a history, so that a test can assert that the histories are not trivial. */
export const coverageOf = ({ batch, calls, requests, world }: Played): ReadonlyArray<string> => [
  ...calls.map((call) => latestRun(call)?.end?._tag ?? "unknown end"),
  ...calls.flatMap(({ runs }) => runs.slice(1).map(() => "resumed call")),
  ...requests.flatMap(({ fault }) => (fault === undefined ? [] : ["fault", fault])),
  ...world.processes.slice(1).map(() => "restarted process"),
  ...world.handled.map(() => "handled event"),
  ...batch.runs.flatMap(({ outcomes }) => outcomes.map(({ _tag }) => _tag))
]
