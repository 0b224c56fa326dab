/** All groups of the comparison benchmark, in the order of their output. */
import { ablation } from "./ablation.js"
import { batchItems } from "./batchItem.js"
import { bundle } from "./bundle.js"
import { calls, callsCpu } from "./calls.js"
import { errors } from "./errors.js"
import type { Group } from "./figure.js"
import { inFlight } from "./inFlight.js"
import { startUp } from "./startUp.js"
import { transfer } from "./transfer.js"
import { waits } from "./waits.js"
import { wakeUps } from "./wakeUp.js"

export const groups: ReadonlyArray<Group> = [
  calls,
  callsCpu,
  errors,
  ablation,
  inFlight,
  waits,
  wakeUps,
  batchItems,
  transfer,
  startUp,
  bundle
]
