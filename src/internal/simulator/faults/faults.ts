/**
 * All faults of a simulator. Outcome faults have a script of their own. They wait for a request that creates an
 * execution, and a second fault can apply to the same request.
 *
 * @internal
 */
import * as Arr from "effect/Array"
import * as FaultScript from "./script.js"
import { type Fault, isOutcomeFault, type OutcomeFault, type RequestFault, type Target } from "./types.js"

/** @internal */
export interface Faults {
  readonly append: (faults: ReadonlyArray<Fault>) => void
  /** Returns the number of scripted faults that have not been applied. */
  readonly pending: () => number
  /** Takes the fault of this request. */
  readonly nextFault: (target: Target) => RequestFault | undefined
  /** Takes the outcome of the execution that this request creates. */
  readonly nextOutcome: (target: Target) => OutcomeFault | undefined
}

/** @internal */
export const make = (random: FaultScript.RandomFaults<Fault> | undefined): Faults => {
  const [randomFaults, randomOutcomes] = Arr.partition(random?.faults ?? [], isOutcomeFault)
  const requestFaults = FaultScript.make<RequestFault>(random && { ...random, faults: randomFaults })
  const outcomeFaults = FaultScript.make<OutcomeFault>(random && { ...random, faults: randomOutcomes })
  return {
    append: (faults) => {
      const [others, outcomes] = Arr.partition(faults, isOutcomeFault)
      requestFaults.append(others)
      outcomeFaults.append(outcomes)
    },
    pending: () => requestFaults.pending() + outcomeFaults.pending(),
    nextFault: requestFaults.next,
    nextOutcome: outcomeFaults.next
  }
}
