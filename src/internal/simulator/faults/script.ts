/**
 * Which fault strikes which request: first the script in its order, then chance.
 *
 * @internal
 */
import { PCGRandom } from "effect/Utils"
import type { Fault, Target } from "./fault.js"

/** @internal */
export interface Chance<F extends Fault> {
  readonly seed: number
  readonly probability: number
  readonly faults: ReadonlyArray<F>
}

/** @internal */
export interface FaultScript<F extends Fault> {
  readonly append: (faults: ReadonlyArray<F>) => void
  readonly pending: () => number
  /** Takes the first fault of the script that is for this request, or draws one. */
  readonly next: (target: Target) => F | undefined
}

const strikes = (fault: Fault, target: Target): boolean => {
  if (fault.on === undefined) {
    return target.path.startsWith("/v1/")
  }
  return typeof fault.on === "function" ? fault.on(target) : fault.on === target.operation
}

const draw = <F extends Fault>(chance: Chance<F>): ((target: Target) => F | undefined) => {
  const random = new PCGRandom(chance.seed)
  return (target) => {
    const candidates = chance.faults.filter((fault) => strikes(fault, target))
    return candidates.length > 0 && random.number() < chance.probability
      ? candidates[random.integer(candidates.length)]
      : undefined
  }
}

/** @internal */
export const make = <F extends Fault>(chance: Chance<F> | undefined): FaultScript<F> => {
  const script: Array<F> = []
  const drawn = chance === undefined ? () => undefined : draw(chance)
  return {
    append: (faults) => {
      script.push(...faults)
    },
    pending: () => script.length,
    next: (target) => {
      const at = script.findIndex((fault) => strikes(fault, target))
      return at < 0 ? drawn(target) : script.splice(at, 1)[0]
    }
  }
}
