/**
 * What webhooks have told of executions that nobody waits for yet: an event can be faster than the answer to the create.
 *
 * @internal
 */
import { Execution, type ExecutionId, isTerminal } from "../../Execution.js"
import { isLargerThan } from "../data/jsonText.js"
import type { Observation } from "./observation.js"

const most = 1000
/** Characters. A larger output is left out here, and fetched by whoever wants it. */
const largestOutput = 16 * 1024

const isLarge = ({ execution: { extra, metadata, output, result } }: Observation): boolean =>
  isLargerThan([output, result, metadata, extra], largestOutput)

const slim = (sighting: Observation): Observation => {
  if (!isLarge(sighting)) return sighting
  const { extra: _e, metadata: _m, output: _o, result: _r, ...rest } = sighting.execution
  return { ...sighting, execution: new Execution(rest, { disableValidation: true }) }
}

/** @internal The newest 1000. */
export class EarlyNotifications {
  private readonly sightings = new Map<ExecutionId, Observation>()

  add(sighting: Observation): void {
    const { id } = sighting.execution
    const known = this.sightings.get(id)
    if (known !== undefined && isTerminal(known.execution)) return
    this.sightings.delete(id)
    this.sightings.set(id, slim(sighting))
    if (this.sightings.size <= most) return
    for (const oldest of this.sightings.keys()) {
      this.sightings.delete(oldest)
      return
    }
  }

  take(id: ExecutionId): Observation | undefined {
    const sighting = this.sightings.get(id)
    this.sightings.delete(id)
    return sighting
  }
}
