/**
 * Decodes executions from the JSON of the API. Accepts several field names and shapes. Returns `undefined` for an
 * execution without an id.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import type { Json } from "../data/json.js"
import { Attributes, idOf, isRecord, nonEmptyString } from "../data/lenient.js"
import { isAmount } from "../data/money.js"
import * as wireNames from "../data/wireNames.js"

const wire = wireNames.make({
  names: {
    id: "id",
    status: "status",
    model: "model",
    cost: "cost",
    latency: "latency_ms",
    createdAt: "created_at",
    completedAt: "completed_at",
    metadata: "metadata",
    holdAmount: "hold_amount",
    estimatedCost: "estimated_cost",
    expiresAt: "expires_at",
    result: "result",
    output: "output",
    error: "error"
  },
  alsoRead: ["execution_id"]
})

const failureWire = wireNames.make({
  names: {
    code: "code",
    message: "message",
    retryable: "retryable",
    requestId: "request_id",
    details: "details"
  }
})

/** Returns the amount fields that cannot be decoded, with their original values. */
const undecodableAmounts = (json: Json): Json =>
  Object.fromEntries(
    ["cost", "hold_amount", "estimated_cost"].flatMap((name) => {
      const amount = json[name]
      return amount === undefined || amount === null || isAmount(amount) ? [] : [[name, amount]]
    })
  )

const errorMessage = (error: unknown): string | undefined =>
  nonEmptyString(error) ??
  (isRecord(error)
    ? (nonEmptyString(error["message"]) ?? nonEmptyString(error["detail"]) ?? nonEmptyString(error["error"]))
    : undefined)

/** Converts the error of an execution to an object. The API can also send a string or an array. */
const normalizeError = (error: unknown): Json => {
  if (!Array.isArray(error)) {
    return isRecord(error)
      ? { ...failureWire.toModel(error), message: errorMessage(error) }
      : { message: nonEmptyString(error) }
  }
  const messages = error.map(errorMessage).filter((message) => message !== undefined)
  const first = failureWire.toModel(error.find(isRecord) ?? {})
  return { details: error.filter(isRecord), ...first, message: messages.join("; ") }
}

const decodeExecution = Schema.decodeUnknownOption(Execution.Execution)

/**
 * Returns the status in upper case. Accepts unrecognized statuses of at most 64 characters. Returns `UNKNOWN` for other
 * values.
 */
const decodeStatus = (status: unknown): string => {
  const text = nonEmptyString(status)?.toUpperCase() ?? ""
  return /^[A-Z][A-Z0-9_ -]{0,63}$/.test(text) ? text : "UNKNOWN"
}

const knownStatuses: ReadonlySet<string> = new Set<Execution.Status>([
  "PENDING",
  "PROCESSING",
  "AWAITING_WEBHOOK",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
  "EXPIRED"
])

/**
 * Returns the status for a message. Omits an unrecognized status, because it can contain text from the request.
 *
 * @internal
 */
export const describeStatus = (status: string): string =>
  knownStatuses.has(status) ? status : "in an unrecognized status"

/** @internal Decodes an execution. A missing status decodes to `UNKNOWN`, which does not end a wait. */
export const execution = (json: unknown): Execution.Execution | undefined => {
  if (!isRecord(json)) return undefined
  const id = idOf(json["id"]) ?? idOf(json["execution_id"])
  const status = decodeStatus(json["status"])
  return id === undefined
    ? undefined
    : Option.getOrUndefined(
        decodeExecution({
          ...wire.toModel(json),
          id,
          status,
          ...(json["error"] === undefined || json["error"] === null ? {} : { error: normalizeError(json["error"]) }),
          extra: { ...wire.unknownFields(json), ...undecodableAmounts(json) }
        })
      )
}

/** @internal Returns the output of an execution from the field `output` or `result`. */
export const outputOf = (execution: Execution.Execution): unknown => execution.output ?? execution.result

/** @internal Converts a COMPLETED execution to its result. */
export const toCompleted = (execution: Execution.Execution): Execution.Completed => {
  const { error: _e, estimatedCost: _c, expiresAt: _x, holdAmount: _h, output: _o, result: _r, ...rest } = execution
  const found = outputOf(execution)
  return new Execution.Completed(
    { ...rest, status: "COMPLETED", ...(found === undefined ? {} : { output: found }) },
    { disableValidation: true }
  )
}

const decodeCompleted = ParseResult.decodeUnknown(Execution.Completed)
const encodeCompleted = ParseResult.encode(Execution.Completed)

/**
 * The schema of a result in a journal. The stored JSON has the field names of the API.
 *
 * @internal
 */
export const StoredCompleted: Schema.Schema<Execution.Completed, Json> = Schema.transformOrFail(
  Attributes,
  Schema.typeSchema(Execution.Completed),
  {
    strict: true,
    decode: (json) => decodeCompleted({ ...wire.toModel(json), extra: json["extra"] }),
    encode: (completed) =>
      ParseResult.map(encodeCompleted(completed), (fields) => ({ ...wire.toWire({ ...fields }), extra: fields.extra }))
  }
)
