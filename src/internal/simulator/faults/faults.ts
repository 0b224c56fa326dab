/**
 * All faults of a simulator. The ends of executions are kept apart: one that is scripted waits for the request that
 * creates an execution, whatever else strikes the requests before it, or that one.
 *
 * @internal
 */
import * as Arr from "effect/Array"
import type { Ends, Fault, Strike, Target } from "./fault.js"
import { isEnds } from "./fault.js"
import * as FaultScript from "./script.js"

/** @internal */
export interface Faults {
  readonly append: (faults: ReadonlyArray<Fault>) => void
  readonly pending: () => number
  /** What strikes this request. */
  readonly strike: (target: Target) => Strike | undefined
  /** How the execution ends that this request creates. */
  readonly ending: (target: Target) => Ends | undefined
}

/** @internal */
export const make = (chance: FaultScript.Chance<Fault> | undefined): Faults => {
  const [drawn, drawnEnds] = Arr.partition(chance?.faults ?? [], isEnds)
  const strikes = FaultScript.make<Strike>(chance && { ...chance, faults: drawn })
  const ends = FaultScript.make<Ends>(chance && { ...chance, faults: drawnEnds })
  return {
    append: (faults) => {
      const [others, endings] = Arr.partition(faults, isEnds)
      strikes.append(others)
      ends.append(endings)
    },
    pending: () => strikes.pending() + ends.pending(),
    strike: strikes.next,
    ending: ends.next
  }
}
