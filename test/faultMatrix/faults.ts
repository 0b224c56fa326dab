/** Lists the faults of the matrix. */
import { breakWith, reusedConnections, tlsFaults } from "./connectionFaults.js"
import type { Fault } from "./fault.js"
import { earlyResponses, redirects, unusualHeads, wrongChunks, wrongEncodings, wrongLengths } from "./responseFaults.js"
import { slowResponses } from "./slowFaults.js"

export const faults: ReadonlyArray<Fault> = [
  { name: "no fault", isOnce: true },
  { name: "no fault over TLS", isOnce: true, isTls: true },
  ...breakWith("FIN", "finish"),
  ...breakWith("RST", "reset"),
  ...reusedConnections,
  ...slowResponses,
  ...wrongLengths,
  ...wrongChunks,
  ...wrongEncodings,
  ...unusualHeads,
  ...redirects,
  ...earlyResponses,
  ...tlsFaults
]
