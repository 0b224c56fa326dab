/**
 * Combines the request faults and the outcome faults of a simulator. A request fault changes a request or its response.
 * An outcome fault sets the outcome of the execution that a request creates. Each kind has a separate script, so that
 * one create request can have a fault of each kind.
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
  /** Returns the number of later requests that the scripted faults will affect. */
  readonly pending: () => number
  /** Returns the request fault of a request, and uses up this fault in the script. */
  readonly nextFault: (target: Target) => RequestFault | undefined
  /** Returns the outcome fault of the execution that a request creates, and uses up this fault in the script. */
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
