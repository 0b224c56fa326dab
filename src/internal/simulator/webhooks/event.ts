/**
 * Builds webhook events and their bodies in both documented shapes.
 *
 * @internal
 */
import type { Execution, TerminalState } from "../executions/executions.js"
import type { ScheduledEvent } from "../executions/scheduledEvents.js"
import * as View from "../executions/view.js"
import { iso } from "../time.js"

/**
 * The JSON shape of an event. The API's documentation shows both shapes:
 *
 * - `full`: contains `event_type`, `version`, `organization_id` and `execution_id`.
 * - `short`: contains `type` instead of these fields.
 *
 * See the API page "Webhooks overview".
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
  /** The signed bytes. All attempts send the same bytes. */
  readonly body: Uint8Array
}

/**
 * Settings of the event body. `skew` is the time by which the server's clock is ahead of Effect's `Clock`, in
 * milliseconds.
 *
 * @internal
 */
export interface Style {
  readonly shape: PayloadShape
  readonly skew: number
  readonly organization: string
}

const encoder = new TextEncoder()

const makeEvent = (event: Omit<Event, "body">, data: unknown, { organization, shape, skew }: Style): Event => {
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

/** @internal */
export const fromExecution = (
  id: string,
  { at, execution, type }: ScheduledEvent<Execution>,
  terminalState: TerminalState | undefined,
  style: Style
): Event => {
  // An `execution.started` event contains the status PROCESSING, even if the execution has ended before the event is
  // built.
  const shownState = type === "execution.started" ? undefined : terminalState
  const data = View.toEventData({
    execution,
    status: shownState?.status ?? "PROCESSING",
    terminalState: shownState,
    skew: style.skew
  })
  return makeEvent({ id, type, executionId: execution.id, at }, data, style)
}

/** @internal */
export const makeTest = (id: string, at: number, style: Style): Event =>
  makeEvent({ id, type: "webhook.test", executionId: undefined, at }, { message: "This is a test event" }, style)
