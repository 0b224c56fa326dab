/**
 * Simulates an operating system process in memory. A test can freeze and kill the process. A frozen or killed process
 * runs no fiber, so no finalizer runs either.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import type * as Scheduler from "effect/Scheduler"
import * as Supervisor from "effect/Supervisor"

/** The wall clock of a machine, relative to the server's clock. All processes of the machine share the wall clock. */
export interface Machine {
  /** Milliseconds that the wall clock is ahead of the server's clock. */
  wallOffset: number
}

/** A clock with the wall time of a machine. Its monotonic time and its sleeps are the ones of the test. */
class MachineClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId

  constructor(
    private readonly steady: Clock.Clock,
    private readonly machine: Machine
  ) {}

  unsafeCurrentTimeMillis(): number {
    return this.steady.unsafeCurrentTimeMillis() + this.machine.wallOffset
  }

  unsafeCurrentTimeNanos(): bigint {
    return this.steady.unsafeCurrentTimeNanos()
  }

  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return this.steady.sleep(duration)
  }
}

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Tracks all fibers that have not ended. */
class FiberTracker extends Supervisor.AbstractSupervisor<number> {
  readonly fibers = new Set<AnyFiber>()
  readonly value = Effect.sync(() => this.fibers.size)

  override onStart<A, E>(_context: unknown, _effect: unknown, _parent: unknown, fiber: Fiber.RuntimeFiber<A, E>): void {
    this.fibers.add(fiber)
  }

  override onEnd<A, E>(_exit: Exit.Exit<A, E>, fiber: Fiber.RuntimeFiber<A, E>): void {
    this.fibers.delete(fiber)
  }
}

/**
 * The state of a process:
 *
 * - `running`: the process runs.
 * - `frozen`: the process runs no fiber until it continues, like after SIGSTOP.
 * - `killed`: the process runs no fiber.
 * - `reaped`: the fibers of the killed process run again without network and disk, so that a test can end them.
 */
export type ProcessState = "running" | "frozen" | "killed" | "reaped"

const maxReapMinutes = 60

/** Time after which each finalizer has ended, even if it retries a request without network. */
const maxFinalizerTime = Duration.minutes(10)

export class SimulatedProcess {
  state: ProcessState = "running"
  /** Time of the kill, in milliseconds of the test. `undefined` before the kill. */
  killedAt: number | undefined
  /** Warnings and errors in the log of the process. */
  readonly warnings: Array<string> = []
  private readonly tracker = new FiberTracker()
  private readonly killListeners = new Set<() => void>()
  private readonly runtime: Runtime.Runtime<never>
  private heldTasks: Array<() => void> = []

  private constructor(
    /** Number of the process, from 1. */
    readonly number: number,
    private readonly steady: Clock.Clock,
    private readonly base: Scheduler.Scheduler,
    machine: Machine,
    root: Runtime.Runtime<never>
  ) {
    const scheduler: Scheduler.Scheduler = {
      shouldYield: (fiber) => base.shouldYield(fiber),
      scheduleTask: (task, priority, fiber) => base.scheduleTask(() => this.runTask(task), priority, fiber)
    }
    const logger = Logger.make<unknown, void>(({ annotations, message }) => {
      if (this.state === "running") this.warnings.push(`${String(message)} ${JSON.stringify([...annotations])}`)
    })
    const settings = Effect.runtime<never>().pipe(
      Effect.locally(FiberRef.currentLoggers, HashSet.make(logger)),
      Logger.withMinimumLogLevel(LogLevel.Warning),
      Effect.withRandom(Random.make(number)),
      Effect.withClock(new MachineClock(steady, machine)),
      Effect.withScheduler(scheduler),
      Effect.supervised(this.tracker)
    )
    this.runtime = Runtime.runSync(root, settings)
  }

  static readonly make = (number: number, machine: Machine): Effect.Effect<SimulatedProcess> =>
    Effect.gen(function* () {
      const base = yield* FiberRef.get(FiberRef.currentScheduler)
      return new SimulatedProcess(number, yield* Effect.clock, base, machine, yield* Effect.runtime<never>())
    })

  get isAlive(): boolean {
    return this.state === "running" || this.state === "frozen"
  }

  /** Number of fibers that have not ended. */
  get fiberCount(): number {
    return this.tracker.fibers.size
  }

  private runTask(task: () => void): void {
    if (this.state === "frozen" || this.state === "killed") this.heldTasks.push(task)
    else task()
  }

  private releaseTasks(): void {
    const tasks = this.heldTasks
    this.heldTasks = []
    for (const task of tasks) this.base.scheduleTask(() => this.runTask(task), 0)
  }

  /** Starts an effect in a fiber of the process. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Runtime.runFork(this.runtime, effect, { immediate: false })
  }

  /** Runs an effect in the process and returns its exit. Returns `None` if the process is killed first. */
  run<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Option.Option<Exit.Exit<A, E>>> {
    return Effect.async((resume) => {
      if (!this.isAlive) return resume(Effect.succeedNone)
      const forget = this.onKill(() => resume(Effect.succeedNone))
      this.fork(effect).addObserver((exit) => {
        forget()
        resume(Effect.succeedSome(exit))
      })
    })
  }

  /** Calls a listener when the process is killed. Returns a function that removes the listener. */
  onKill(listener: () => void): () => void {
    this.killListeners.add(listener)
    return () => void this.killListeners.delete(listener)
  }

  freeze(): void {
    if (this.state === "running") this.state = "frozen"
  }

  /** Continues a frozen process. The timers that are due fire late. */
  continue(): void {
    if (this.state !== "frozen") return
    this.state = "running"
    this.releaseTasks()
  }

  /** Ends the process immediately, like SIGKILL. */
  kill(): void {
    if (!this.isAlive) return
    this.state = "killed"
    this.killedAt = this.steady.unsafeCurrentTimeMillis()
    for (const listener of this.killListeners) listener()
    this.killListeners.clear()
  }

  /**
   * Interrupts the fibers of a killed process and waits for their end. Returns the number of fibers that never end.
   * Without this step, Effect would keep the fibers in memory.
   */
  readonly reap: Effect.Effect<number> = Effect.suspend(() => {
    this.state = "reaped"
    this.releaseTasks()
    if (this.fiberCount === 0) return Effect.succeed(0)
    const interruptAll = Effect.sync(() => {
      for (const fiber of this.tracker.fibers) fiber.unsafeInterruptAsFork(fiber.id())
    })
    // The first interruption also ends the timers, so fibers with finalizers can need further interruptions. A finalizer
    // that is already running needs the timers for its retries, and ends first.
    return Effect.zipRight(interruptAll, Effect.sleep(Duration.minutes(1))).pipe(
      Effect.repeat({ until: () => this.fiberCount === 0, times: maxReapMinutes }),
      Effect.delay(maxFinalizerTime),
      Effect.map(() => this.fiberCount)
    )
  })
}
