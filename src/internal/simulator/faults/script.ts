/**
 * Selects the fault of each request. The faults of the script apply in order. If no fault of the script matches a
 * request, a random fault can apply.
 *
 * @internal
 */
import { PCGRandom } from "effect/Utils"
import type { Target } from "./settings.js"
import type { Fault } from "./types.js"

/** @internal */
export interface RandomFaults<F extends Fault> {
  readonly seed: number
  readonly probability: number
  readonly faults: ReadonlyArray<F>
}

/** @internal */
export interface FaultScript<F extends Fault> {
  readonly append: (faults: ReadonlyArray<F>) => void
  /** Returns the number of later requests that the scripted faults will affect. */
  readonly pending: () => number
  /**
   * Returns the first scripted fault that matches a request, and uses up this fault. If no scripted fault matches,
   * returns a random fault or `undefined`.
   */
  readonly next: (target: Target) => F | undefined
}

const isMatch = (fault: Fault, target: Target): boolean => {
  if (fault.on === undefined) {
    return target.path.startsWith("/v1/")
  }
  return typeof fault.on === "function" ? fault.on(target) : fault.on === target.operation
}

const makeDraw = <F extends Fault>({ faults, probability, seed }: RandomFaults<F>): FaultScript<F>["next"] => {
  const random = new PCGRandom(seed)
  return (target) => {
    const candidates = faults.filter((fault) => isMatch(fault, target))
    return candidates.length > 0 && random.number() < probability
      ? candidates[random.integer(candidates.length)]
      : undefined
  }
}

/** @internal */
export const make = <F extends Fault>(random: RandomFaults<F> | undefined): FaultScript<F> => {
  const script: Array<{ readonly fault: F; left: number }> = []
  const draw = random === undefined ? () => undefined : makeDraw(random)
  return {
    append: (faults) => {
      for (const fault of faults) {
        const { times = 1 } = fault
        if (times >= 1) script.push({ fault, left: times })
      }
    },
    pending: () => script.reduce((sum, { left }) => sum + left, 0),
    next: (target) => {
      const entry = script.find(({ fault }) => isMatch(fault, target))
      if (entry === undefined) return draw(target)
      entry.left -= 1
      if (entry.left < 1) script.splice(script.indexOf(entry), 1)
      return entry.fault
    }
  }
}
