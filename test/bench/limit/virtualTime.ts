/**
 * Virtual time for whatever uses the global clock and timers, of Effect or not: it stands still while anything can go on
 * without it, and then goes to the next timer.
 */
import * as FakeTimers from "@sinonjs/fake-timers"
import { Clock, Effect } from "effect"

/** Turns of the event loop without any timer; what is still to come, such as the body of an answer, takes fewer. */
const patience = 10

type FakeClock = ReturnType<typeof FakeTimers.install>

let current: FakeClock | undefined

const installed = (): FakeClock => {
  if (current === undefined) throw new Error("there is no virtual time outside of a run")
  return current
}

/** Epoch milliseconds. */
export const now = (): number => installed().now

export const sleepUntil = (moment: number): Promise<void> =>
  new Promise((resolve) => {
    installed().setTimeout(() => resolve(), Math.max(0, moment - now()))
  })

const real = Clock.make()

/** Effect's clock in virtual time. Effect keeps the process's own monotonic timer, which fake timers cannot replace. */
export const clock: Clock.Clock = {
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: now,
  unsafeCurrentTimeNanos: () => BigInt(now()) * 1_000_000n,
  currentTimeMillis: Effect.sync(now),
  currentTimeNanos: Effect.sync(() => clock.unsafeCurrentTimeNanos()),
  sleep: (duration) => real.sleep(duration)
}

/**
 * What `body` comes to, in a time that begins at `start` (epoch milliseconds); `undefined` when it has not come to it by
 * `cap`. Nothing in it may need real time. One run at a time.
 */
export const runInVirtualTime = <A>(
  times: { readonly start: number; readonly cap: number },
  body: () => Promise<A>
): Promise<A | undefined> => {
  const clock = FakeTimers.install({ now: times.start, toFake: ["Date", "setTimeout", "clearTimeout"] })
  current = clock
  return new Promise<A | undefined>((resolve, reject) => {
    let over = false
    let idle = 0
    const turn = (): void => {
      if (over) return
      if (clock.now >= times.cap) return resolve(undefined)
      idle = clock.countTimers() === 0 ? idle + 1 : 0
      if (idle > patience) return reject(new Error("everything waits, and for no point in time"))
      clock.next()
      setImmediate(turn)
    }
    body()
      .finally(() => (over = true))
      .then(resolve, reject)
    setImmediate(turn)
  }).finally(() => {
    clock.uninstall()
    current = undefined
  })
}
