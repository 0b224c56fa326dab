/** All groups of the comparison benchmark, in the order of their output. */
import { bundle } from "./bundle.js"
import type { Group } from "./figure.js"
import { startUp } from "./startUp.js"
import { transfer } from "./transfer.js"

export const groups: ReadonlyArray<Group> = [transfer, startUp, bundle]
