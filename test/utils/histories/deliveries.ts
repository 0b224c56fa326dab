/** Forges webhook deliveries and disturbs genuine deliveries. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Clock, Effect, Option, Redacted } from "effect"
import { createHmac } from "node:crypto"
import type { App } from "./app.js"
import type { Command } from "./commands.js"
import type { World } from "./world.js"

/** What is wrong with a forged delivery. */
type Flaw = Extract<Command, { readonly _tag: "Forge" }>["flaw"]

interface ForgeContext {
  readonly world: World
  /** Responses to forged deliveries. */
  readonly forgedStatuses: Array<number>
}

/** Delivers an event that the API did not send. The event reports an output that does not exist. */
export const forgeDelivery = (
  { forgedStatuses, world }: ForgeContext,
  app: App,
  executionId: string | undefined,
  flaw: Flaw
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const data = { id: executionId, status: "COMPLETED", cost: "0.001", result: { text: "forged" } }
    const body = JSON.stringify({
      id: `evt_forged_${forgedStatuses.length}`,
      event_type: "execution.completed",
      execution_id: executionId,
      data
    })
    const now = (yield* Clock.currentTimeMillis) + world.machine.wallOffset
    const timestamp = String(Math.floor(now / 1000) - (flaw === "stale" ? 3600 : 0))
    const secret = flaw === "wrongSecret" ? "whsec_other" : Redacted.value(world.simulator.webhookSecret)
    const signature = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")
    const headers: Record<string, string> =
      flaw === "noSignature" ? {} : { "x-signature": signature, "x-signature-timestamp": timestamp }
    const request = new Request("https://backend.test/hooks", { method: "POST", headers, body })
    const response = yield* app.receive(HttpServerRequest.fromWeb(request))
    if (Option.isSome(response)) forgedStatuses.push(response.value.status)
  })

/** The faults of the simulator by their names in a history. */
export const deliveryFaults = {
  late: { delay: "10 seconds" },
  veryLate: { delay: "10 minutes" },
  twice: "twice",
  lost: "dropBefore",
  unacknowledged: "dropAfter"
} as const
