/**
 * Decodes executions from the JSON of the API. Accepts alternative field names, such as `execution_id` for `id`, and
 * several shapes of `error`.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import type { Json } from "../data/json.js"
import {
  Attributes,
  idOf,
  isDurationMillis,
  isRecord,
  nonEmptyString,
  omitUndefined,
  readString
} from "../data/lenient.js"
import { readMoney } from "../data/money.js"
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

const readTime = (time: unknown): DateTime.Utc | undefined =>
  typeof time === "string" ? Option.getOrUndefined(DateTime.make(time)) : undefined

const readDuration = (millis: unknown): Duration.Duration | undefined =>
  isDurationMillis(millis) ? Duration.millis(millis) : undefined

/**
 * Returns the fields of an execution that have no decoded value. These are the unrecognized fields and the amounts of
 * money that cannot be decoded.
 */
const readExtra = (json: Json): Json => {
  const extra = wire.unknownFields(json)
  for (const name of ["cost", "hold_amount", "estimated_cost"]) {
    const amount = json[name] ?? undefined
    if (amount !== undefined && readMoney(amount) === undefined) extra[name] = amount
  }
  return extra
}

const errorMessage = (error: unknown): string | undefined =>
  nonEmptyString(error) ??
  (isRecord(error)
    ? (nonEmptyString(error["message"]) ?? nonEmptyString(error["detail"]) ?? nonEmptyString(error["error"]))
    : undefined)

const makeFailure = (json: Json, message: string | undefined, details: unknown): Execution.Failure =>
  new Execution.Failure(
    omitUndefined({
      code: readString(json["code"]),
      message,
      retryable: typeof json["retryable"] === "boolean" ? json["retryable"] : undefined,
      requestId: readString(json["request_id"]),
      details: Array.isArray(details) ? details : undefined
    }),
    { disableValidation: true }
  )

/** Decodes the error of an execution. The error can be an object, a string or an array. */
const readFailure = (error: unknown): Execution.Failure | undefined => {
  if (error === undefined || error === null) return undefined
  if (isRecord(error)) return makeFailure(error, errorMessage(error), error["details"])
  if (!Array.isArray(error)) return makeFailure({}, nonEmptyString(error), undefined)
  const messages = error.map(errorMessage).filter((message) => message !== undefined)
  const first = error.find(isRecord) ?? {}
  return makeFailure(first, messages.join("; "), first["details"] ?? error.filter(isRecord))
}

/**
 * Returns a status in upper case. Accepts statuses that this library does not know, if they have at most 64 characters.
 * Returns `UNKNOWN` if the value is not a valid status.
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
 * Describes a status in an error message. Omits an unrecognized status, because the status could quote the request.
 *
 * @internal
 */
export const describeStatus = (status: string): string =>
  knownStatuses.has(status) ? status : "in an unrecognized status"

/**
 * Decodes an execution. Returns `undefined` if the JSON has no id. A missing status decodes to `UNKNOWN`, so that a
 * wait continues. Does not use the schema `Execution`, because schema decoding would take ten times as long.
 *
 * @internal
 */
export const execution = (json: unknown): Execution.Execution | undefined => {
  if (!isRecord(json)) return undefined
  const id = idOf(json["id"]) ?? idOf(json["execution_id"])
  if (id === undefined) return undefined
  return new Execution.Execution(
    omitUndefined({
      id: Execution.ExecutionId.make(id, { disableValidation: true }),
      status: decodeStatus(json["status"]),
      model: readString(json["model"]),
      cost: readMoney(json["cost"]),
      latency: readDuration(json["latency_ms"]),
      createdAt: readTime(json["created_at"]),
      completedAt: readTime(json["completed_at"]),
      metadata: isRecord(json["metadata"]) ? json["metadata"] : undefined,
      holdAmount: readMoney(json["hold_amount"]),
      estimatedCost: readMoney(json["estimated_cost"]),
      expiresAt: readTime(json["expires_at"]),
      result: json["result"] ?? undefined,
      output: json["output"] ?? undefined,
      error: readFailure(json["error"]),
      extra: readExtra(json)
    }),
    { disableValidation: true }
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
