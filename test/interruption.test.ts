/** Calls that are interrupted at some of their operations; the long tests interrupt them at each. */
import { testInterruptions } from "./utils/interruptions.js"

testInterruptions(61)
