/**
 * Provides virtual time for code that uses the global clock and timers, with or without Effect. The time jumps to the
 * next timer if no code can run.
 */
import * as FakeTimers from "@sinonjs/fake-timers"
import { Clock, Effect } from "effect"

/** Maximum event loop turns without a timer before the run fails. Reading a response body takes fewer turns. */
const maxIdleTurns = 10

type FakeClock = ReturnType<typeof FakeTimers.install>

let current: FakeClock | undefined

const getClock = (): FakeClock => {
  if (current === undefined) throw new Error("virtual time is available only during a run")
  return current
}

/** Returns the virtual time in epoch milliseconds. */
export const now = (): number => getClock().now

export const sleepUntil = (moment: number): Promise<void> =>
  new Promise((resolve) => {
    getClock().setTimeout(() => resolve(), Math.max(0, moment - now()))
  })

const real = Clock.make()

/** Effect `Clock` for virtual time. The fake timers do not replace the monotonic timer of the default `Clock`. */
export const clock: Clock.Clock = {
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: now,
  unsafeCurrentTimeNanos: () => BigInt(now()) * 1_000_000n,
  currentTimeMillis: Effect.sync(now),
  currentTimeNanos: Effect.sync(() => clock.unsafeCurrentTimeNanos()),
  sleep: (duration) => real.sleep(duration)
}

/**
 * Runs a function in virtual time from `start` to `end` in epoch milliseconds. Returns the result of the function, or
 * `undefined` if the function is still running at `end`. The function must not wait for real I/O or timers. Concurrent
 * runs are not supported.
 */
export const runInVirtualTime = <A>(
  times: { readonly start: number; readonly end: number },
  body: () => Promise<A>
): Promise<A | undefined> => {
  const clock = FakeTimers.install({ now: times.start, toFake: ["Date", "setTimeout", "clearTimeout"] })
  current = clock
  return new Promise<A | undefined>((resolve, reject) => {
    let isOver = false
    let idleTurns = 0
    const turn = (): void => {
      if (isOver) return
      if (clock.now >= times.end) return resolve(undefined)
      idleTurns = clock.countTimers() === 0 ? idleTurns + 1 : 0
      if (idleTurns > maxIdleTurns) return reject(new Error("all code is waiting, but no timer is pending"))
      clock.next()
      setImmediate(turn)
    }
    body()
      .finally(() => (isOver = true))
      .then(resolve, reject)
    setImmediate(turn)
  }).finally(() => {
    clock.uninstall()
    current = undefined
  })
}
