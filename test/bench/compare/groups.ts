/** All groups of the comparison benchmark, in the order of their output. */
import type { Group } from "./figure.js"

export const groups: ReadonlyArray<Group> = []
