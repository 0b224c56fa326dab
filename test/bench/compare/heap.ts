/** Measures the heap that each of many waiting fibers keeps. */
import { Array, Effect, Fiber } from "effect"

/** Fibers that start a wait and do not end before they are interrupted. */
export interface WaitingFibers {
  /** The effect of the fiber with this number. */
  readonly wait: (n: number) => Effect.Effect<unknown, unknown>
  /** Succeeds with `true` when all fibers wait. */
  readonly isWaiting: Effect.Effect<boolean>
}

const collectGarbage = Effect.sync(() => {
  globalThis.gc?.()
  globalThis.gc?.()
})

/** Returns the size of the heap in KB. Waits first, because timers and sockets release memory in later tasks. */
const heapSize = Effect.gen(function* () {
  yield* Effect.sleep("50 millis")
  yield* collectGarbage
  return process.memoryUsage().heapUsed / 1024
})

/** Repeats a check until it succeeds with `true`. */
export const repeatUntil = (check: Effect.Effect<boolean>): Effect.Effect<unknown> =>
  Effect.repeat(Effect.delay(check, "10 millis"), { until: (isDone) => isDone })

/** Returns the heap per fiber in KB while `count` fibers wait. Interrupts the fibers afterwards. */
export const measureHeap = ({ isWaiting, wait }: WaitingFibers, count: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    const before = yield* heapSize
    const fibers = yield* Effect.forEach(Array.makeBy(count, wait), Effect.forkDaemon)
    yield* repeatUntil(isWaiting)
    const after = yield* heapSize
    yield* Fiber.interruptAll(fibers)
    return (after - before) / count
  })
