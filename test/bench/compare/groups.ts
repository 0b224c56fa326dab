/** All groups of the comparison benchmark, in the order of their output. */
import { ablation } from "./ablation.js"
import { bundle } from "./bundle.js"
import { calls, callsCpu } from "./calls.js"
import { errors } from "./errors.js"
import type { Group } from "./figure.js"
import { startUp } from "./startUp.js"
import { transfer } from "./transfer.js"

export const groups: ReadonlyArray<Group> = [calls, callsCpu, errors, ablation, transfer, startUp, bundle]
