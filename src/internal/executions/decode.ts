/**
 * From the API's JSON to the models: liberal in names and shapes, `undefined` where the essence is missing.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import type { Json } from "../data/json.js"
import { isRecord, text, beyond } from "../data/lenient.js"
import { isAmount } from "../data/money.js"

const others = beyond(
  "id execution_id status model cost latency_ms created_at completed_at metadata hold_amount estimated_cost expires_at result output error"
)

/** Amounts that cannot be read are kept as they came. */
const unreadableAmounts = (json: Json): Json =>
  Object.fromEntries(
    ["cost", "hold_amount", "estimated_cost"].flatMap((name) => {
      const amount = json[name]
      return amount === undefined || amount === null || isAmount(amount) ? [] : [[name, amount]]
    })
  )

/** The message of an error, by whichever name it came. */
const errorMessage = (error: unknown): string | undefined =>
  text(error) ??
  (isRecord(error) ? (text(error["message"]) ?? text(error["detail"]) ?? text(error["error"])) : undefined)

/** The error of an execution, also where it is a text or a list. */
const failure = (error: unknown): unknown => {
  if (!Array.isArray(error))
    return isRecord(error) ? { ...error, message: errorMessage(error) } : { message: text(error) }
  const messages = error.map(errorMessage).filter((message) => message !== undefined)
  return { details: error.filter(isRecord), ...error.find(isRecord), message: messages.join("; ") }
}

const decodeExecution = Schema.decodeUnknownOption(Execution.Execution)

/** @internal A status that is missing is unknown, which means: keep waiting. */
export const execution = (json: unknown): Execution.Execution | undefined => {
  if (!isRecord(json)) return undefined
  const id = text(json["id"]) ?? text(json["execution_id"])
  const status = text(json["status"])?.toUpperCase() ?? "UNKNOWN"
  return id === undefined
    ? undefined
    : Option.getOrUndefined(
        decodeExecution({
          ...json,
          id,
          status,
          ...(json["error"] === undefined || json["error"] === null ? {} : { error: failure(json["error"]) }),
          extra: { ...others(json), ...unreadableAmounts(json) }
        })
      )
}

/** @internal The output of an execution, by whichever name it came. */
export const output = (seen: Execution.Execution): unknown => seen.output ?? seen.result

/** @internal What was known of the finished execution before, with what its result adds. */
export const completed = (seen: Execution.Execution, result: Execution.Execution = seen): Execution.Completed => {
  const {
    error: _e,
    estimatedCost: _c,
    expiresAt: _x,
    holdAmount: _h,
    output: _o,
    result: _r,
    ...rest
  } = {
    ...seen,
    ...result,
    extra: { ...seen.extra, ...result.extra }
  }
  const found = output(result)
  return new Execution.Completed(
    { ...rest, status: "COMPLETED", ...(found === undefined ? {} : { output: found }) },
    { disableValidation: true }
  )
}
