/** Calls that are interrupted at each of their operations. */
import { testInterruptions } from "./utils/interruptions.js"

testInterruptions(1)
