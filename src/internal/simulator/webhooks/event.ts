/**
 * An event, and the bytes that tell of it, in either of the two forms of the API's documentation.
 *
 * @internal
 */
import type { Execution, Final } from "../executions/executions.js"
import { iso } from "../time.js"
import type { Occurrence } from "../executions/scheduledEvents.js"
import * as View from "../executions/view.js"

/**
 * The two forms in which the documentation shows an event: `full` with `event_type`, `version`, `organization_id` and
 * `execution_id`; `short` with `type` and none of the others.
 *
 * @since 0.1.0
 * @category models
 */
export type PayloadShape = "full" | "short"

/** @internal */
export interface Event {
  readonly id: string
  readonly type: string
  readonly executionId: string | undefined
  readonly at: number
  /** What is signed and sent, the same at each attempt. */
  readonly body: Uint8Array
}

/** @internal `skew` is the server's clock less the Clock, in milliseconds. */
export interface Style {
  readonly shape: PayloadShape
  readonly skew: number
  readonly organization: string
}

const encoder = new TextEncoder()

const make = (event: Omit<Event, "body">, data: unknown, { organization, shape, skew }: Style): Event => {
  const { at, executionId, id, type } = event
  const timestamp = iso(at + skew)
  const payload =
    shape === "short"
      ? { id, type, timestamp, data }
      : {
          id,
          event_type: type,
          timestamp,
          version: "1.0",
          organization_id: organization,
          ...(executionId === undefined ? {} : { execution_id: executionId }),
          data
        }
  return { ...event, body: encoder.encode(JSON.stringify(payload)) }
}

/** @internal `final` is how the execution has ended. */
export const ofExecution = (
  id: string,
  { at, execution, type }: Occurrence<Execution>,
  final: Final | undefined,
  style: Style
): Event => {
  // a start that is told late is still a start
  const ended = type === "execution.started" ? undefined : final
  const data = View.event({ execution, status: ended?.status ?? "PROCESSING", final: ended, skew: style.skew })
  return make({ id, type, executionId: execution.id, at }, data, style)
}

/** @internal */
export const ofTest = (id: string, at: number, style: Style): Event =>
  make({ id, type: "webhook.test", executionId: undefined, at }, { message: "This is a test event" }, style)
