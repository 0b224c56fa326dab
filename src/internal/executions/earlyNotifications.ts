/**
 * Keeps notifications of executions without a wait, because an event can arrive before the response to the create.
 *
 * @internal
 */
import { Execution, type ExecutionId, isTerminal } from "../../Execution.js"
import { isLargerThan } from "../data/jsonText.js"
import type { Observation } from "./observation.js"

const maxNotifications = 1000
/** A notification with larger fields is kept without them. The wait fetches them from the API. */
const maxCharacters = 16 * 1024

const isLarge = ({ execution: { extra, metadata, output, result } }: Observation): boolean =>
  isLargerThan([output, result, metadata, extra], maxCharacters)

const withoutLargeFields = (notification: Observation): Observation => {
  if (!isLarge(notification)) return notification
  const { extra: _e, metadata: _m, output: _o, result: _r, ...rest } = notification.execution
  return { ...notification, execution: new Execution(rest, { disableValidation: true }) }
}

/** @internal The latest notification of each execution, for the last 1000 executions. */
export class EarlyNotifications {
  private readonly notifications = new Map<ExecutionId, Observation>()

  /** Keeps a notification, unless an earlier one has shown that the execution has ended. */
  add(notification: Observation): void {
    const { id } = notification.execution
    const known = this.notifications.get(id)
    if (known !== undefined && isTerminal(known.execution)) return
    this.notifications.delete(id)
    this.notifications.set(id, withoutLargeFields(notification))
    if (this.notifications.size <= maxNotifications) return
    for (const oldest of this.notifications.keys()) {
      this.notifications.delete(oldest)
      return
    }
  }

  /** Removes the notification of an execution and returns it. */
  take(id: ExecutionId): Observation | undefined {
    const notification = this.notifications.get(id)
    this.notifications.delete(id)
    return notification
  }
}
