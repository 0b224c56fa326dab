/**
 * Combines the request faults and outcome faults of a simulator. Each kind has a separate script. One request can have
 * a request fault and an outcome fault.
 *
 * @internal
 */
import * as Arr from "effect/Array"
import * as FaultScript from "./script.js"
import type { Target } from "./settings.js"
import { type Fault, isOutcomeFault, type OutcomeFault, type RequestFault } from "./types.js"

/** @internal */
export interface Faults {
  readonly append: (faults: ReadonlyArray<Fault>) => void
  /** Returns the number of requests that the scripted faults still affect. */
  readonly pending: () => number
  /** Returns the fault of the request and removes the fault from the script. */
  readonly nextFault: (target: Target) => RequestFault | undefined
  /** Returns the outcome of the execution that the request creates, and removes the outcome from the script. */
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
