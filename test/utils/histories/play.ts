/** Plays a history and returns what the checks need. */
import { Duration, Effect, type Scope } from "effect"
import type { RateLimitGate } from "effect-modelroute"
import type * as Simulator from "effect-modelroute/Simulator"
import { valueOf } from "../exit.js"
import { start } from "../harness.js"
import { runInVirtualTime } from "../virtualTime.js"
import { type App, makeReceiver, startApp } from "./app.js"
import * as batches from "./batch.js"
import * as calls from "./calls.js"
import type { Command, History } from "./commands.js"
import { deliveryFaults, forgeDelivery } from "./deliveries.js"
import { injectFault, injectOutcome, makeWorld, type World } from "./world.js"

/** The state of a history. */
export interface Session {
  readonly history: History
  readonly world: World
  readonly calls: Array<calls.Call>
  readonly batch: batches.BatchState
  app: App | undefined
  /** Total time that processes were frozen, in milliseconds. */
  frozenMillis: number
  /** Responses to forged webhook deliveries. */
  readonly forgedStatuses: Array<number>
}

/** The state after the end of a history. */
export interface Played extends Session {
  readonly ledger: Simulator.Ledger
  readonly requests: ReadonlyArray<Simulator.RequestRecord>
  readonly deliveries: ReadonlyArray<Simulator.DeliveryRecord>
  readonly gate: RateLimitGate.Snapshot
  /** Number of fibers of the last process, 10 minutes after its end. */
  readonly fibersLeft: number
  /** Number of fibers of killed processes that an interruption does not end. */
  readonly zombies: number
}

const maxCalls = 8

const canContinue = ({ isCancelled, settings, storedId, storedKey }: calls.Call): boolean =>
  settings.kind === "durable" ? !isCancelled : storedKey !== undefined || storedId !== undefined

/** Continues the work of an earlier process. */
const resumeWork = (session: Session, app: App): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const call of session.calls) {
      const end = calls.latestRun(call)?.end
      const isOpen = end === undefined || end._tag === "Interrupted"
      if (call.isAbandoned || !isOpen) continue
      if (canContinue(call)) yield* calls.startCall(app, call)
      else call.isAbandoned = true
    }
    if (batches.isBatchUnfinished(session.batch)) yield* batches.startBatch(session.batch, app, 2)
  })

/** Returns the running application. Starts the application after a crash. */
const ensureApp = (session: Session): Effect.Effect<App> =>
  Effect.gen(function* () {
    if (session.app?.process.isAlive === true) return session.app
    const app = yield* startApp(session.world)
    session.app = app
    yield* resumeWork(session, app)
    return app
  })

/** Ends the application like SIGTERM: interrupts the calls, runs the finalizers and ends the process. */
const shutDown = (session: Session): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { app, batch } = session
    if (app === undefined || !app.process.isAlive) return
    const running = session.calls.filter(calls.isRunning)
    for (const call of running) {
      const wasAbandoned = call.isAbandoned
      yield* calls.interruptCall(call)
      const isCancelling = call.settings.cancelOnInterrupt && ["run", "await"].includes(call.settings.kind)
      call.isAbandoned = wasAbandoned || isCancelling || !canContinue(call)
    }
    yield* batches.interruptBatch(batch)
    yield* awaitIdle(session, 60, 1)
    yield* app.close
  })

const isBusy = ({ app, batch, calls: all }: Session): boolean =>
  app?.process.isAlive === true && (all.some(calls.isRunning) || batches.isBatchRunning(batch))

/** Waits until the application has no running call and no running batch. */
const awaitIdle = (session: Session, maxSeconds: number, stepSeconds: number): Effect.Effect<void> =>
  Effect.suspend(() =>
    isBusy(session) && maxSeconds > 0
      ? Effect.delay(awaitIdle(session, maxSeconds - stepSeconds, stepSeconds), Duration.seconds(stepSeconds))
      : Effect.void
  )

/** Waits until all work has ended. A correct client needs less than an hour without faults. */
const awaitEnd = (session: Session): Effect.Effect<void> => awaitIdle(session, 4 * 3600, 15)

const findCall = ({ calls: all }: Session, index: number): calls.Call | undefined =>
  all.length === 0 ? undefined : all[index % all.length]

const playCommand = (session: Session, command: Command): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { batch, world } = session
    switch (command._tag) {
      case "Start": {
        const app = yield* ensureApp(session)
        if (session.calls.length >= maxCalls) return
        const call = calls.makeCall(session.calls.length, command)
        session.calls.push(call)
        return yield* calls.startCall(app, call)
      }
      case "Batch": {
        const app = yield* ensureApp(session)
        batch.isWanted = true
        return batches.isBatchRunning(batch) ? undefined : yield* batches.startBatch(batch, app, command.concurrency)
      }
      case "StopBatch":
        return yield* batches.stopBatch(batch)
      case "InterruptBatch":
        return yield* batches.interruptBatch(batch)
      case "Poll": {
        const app = yield* ensureApp(session)
        const id = findCall(session, command.call)?.storedId
        if (id !== undefined) app.process.fork(Effect.ignore(app.client.executions.get(id)))
        return
      }
      case "Cancel": {
        const app = yield* ensureApp(session)
        const call = findCall(session, command.call)
        return call === undefined ? undefined : yield* calls.cancelCall(app, call)
      }
      case "Resume": {
        const app = yield* ensureApp(session)
        const call = findCall(session, command.call)
        return call === undefined ? undefined : calls.resumeCall(app, call)
      }
      case "Interrupt": {
        const call = findCall(session, command.call)
        return call === undefined ? undefined : yield* calls.interruptCall(call)
      }
      case "Fault":
        return yield* injectFault(world, command.on, command.fault, command.times)
      case "Outcome":
        return yield* injectOutcome(world, command.status)
      case "Delivery":
        return void world.deliveryFaults.push(deliveryFaults[command.fault])
      case "Forge": {
        const app = yield* ensureApp(session)
        const call = findCall(session, command.call)
        return call === undefined ? undefined : yield* forgeDelivery(session, app, call.storedId, command.flaw)
      }
      default:
        return yield* playProcessCommand(session, command)
    }
  })

type ProcessCommand = Extract<Command, { readonly _tag: "Advance" | "SetWallClock" | "Freeze" | "Crash" | "Restart" }>

const playProcessCommand = (session: Session, command: ProcessCommand): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { app, world } = session
    switch (command._tag) {
      case "Advance":
        return yield* Effect.sleep(command.millis)
      case "SetWallClock":
        world.machine.wallOffset += command.byMillis
        return
      case "Freeze":
        app?.process.freeze()
        yield* Effect.sleep(command.millis)
        session.frozenMillis += command.millis
        return app?.process.continue()
      case "Crash":
        if (command.at === "now") app?.process.kill()
        else world.crash = { at: command.at, left: command.skip }
        return
      case "Restart":
        yield* shutDown(session)
        return app?.process.kill()
    }
  })

const maxFinalRuns = 3

/** Runs the batch again until each item has a final outcome. */
const finishBatch = (session: Session, app: App): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { batch } = session
    for (let n = 0; n < maxFinalRuns; n++) {
      yield* batches.startBatch(batch, app, 2)
      yield* awaitEnd(session)
      const outcomes = batch.runs.at(-1)?.outcomes ?? []
      if (outcomes.every((outcome) => outcome._tag === "Succeeded" || (outcome._tag === "Failed" && outcome.final)))
        return
    }
  })

/** Removes all faults, continues all work and waits for its end. */
const settle = (session: Session): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { batch, world } = session
    world.isFaulty = false
    world.crash = undefined
    world.deliveryFaults.length = 0
    const app = yield* ensureApp(session)
    yield* awaitEnd(session)
    // The rate limit of a fault lasts 10 minutes.
    yield* Effect.sleep("11 minutes")
    for (const call of session.calls) {
      const end = calls.latestRun(call)?.end
      if (end?._tag === "Unresolved" && call.settings.kind !== "durable") {
        yield* calls.recoverCall(app, call, end.error)
      }
    }
    if (batch.isWanted) yield* finishBatch(session, app)
    yield* awaitEnd(session)
  })

/** Ends the last process without a kill, and ends the fibers of the killed processes. */
const finish = (session: Session) =>
  Effect.gen(function* () {
    const { world } = session
    const app = yield* ensureApp(session)
    yield* shutDown(session)
    yield* Effect.sleep("10 minutes")
    const gate = yield* app.client.rateLimit
    const fibersLeft = app.process.fiberCount
    app.process.kill()
    let zombies = 0
    for (const process of world.processes) zombies += yield* process.reap
    return { gate, fibersLeft, zombies }
  })

const playInWorld = (history: History, world: World): Effect.Effect<Played, never, Scope.Scope> =>
  Effect.gen(function* () {
    const session: Session = {
      history,
      world,
      calls: [],
      batch: batches.makeBatchState(history.setup.items),
      app: undefined,
      frozenMillis: 0,
      forgedStatuses: []
    }
    // The application changes its requests while the client sends them.
    world.onRequest = () => {
      for (const { request } of session.calls) request.input.revision += 1
    }
    yield* world.simulator.deliverTo(makeReceiver(() => session.app))
    for (const command of history.commands) yield* playCommand(session, command)
    yield* settle(session)
    const { ledger, requests, deliveries } = world.simulator
    const end = yield* finish(session)
    return {
      ...session,
      ledger: yield* ledger,
      requests: yield* requests,
      deliveries: yield* deliveries,
      ...end
    }
  })

/** Plays a history in virtual time. Dies if a timer is left at the end, or if the client waits without a timer. */
export const playHistory = (history: History): Effect.Effect<Played> =>
  Effect.suspend(() => {
    let world: World | undefined
    const play = Effect.flatMap(makeWorld(history.setup), (made) => {
      world = made
      return playInWorld(history, made)
    })
    const isVerifying = () => world !== undefined && world.verifying > 0 && world.processes.at(-1)?.state === "running"
    return Effect.map(runInVirtualTime(Effect.scoped(play), start, undefined, isVerifying), valueOf)
  })
