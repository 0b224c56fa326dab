/**
 * From the API's JSON to the models: liberal in names and shapes, `undefined` where the essence is missing.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ApiKey from "../../ApiKey.js"
import * as Execution from "../../Execution.js"
import * as File from "../../File.js"
import * as WebhookEndpoint from "../../WebhookEndpoint.js"
import { isAmount } from "../data/money.js"
import { isRecord, isWebAddress, text, tolerant } from "../data/lenient.js"

type Json = { readonly [key: string]: unknown }

/** @internal The fields that a model has no name for; the names of those it has are separated by blanks. */
export const beyond = (names: string): ((json: Json) => Json) => {
  // Copied by assignment, as schemas do, `__proto__` would be no field.
  const known = new Set(["__proto__", ...names.split(" ")])
  return (json) => Object.fromEntries(Object.entries(json).filter(([key]) => !known.has(key)))
}

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

const decodeLink = Schema.decodeUnknownOption(File.DownloadLink)

/** @internal An answer counts as a link only with an http(s) URL: a stored file can be JSON, too. */
export const downloadLink = (json: unknown): File.DownloadLink | undefined =>
  isRecord(json) && isWebAddress(json["url"]) ? Option.getOrUndefined(decodeLink(json)) : undefined

const decodeUpload = Schema.decodeUnknownOption(
  Schema.Struct({ fileId: File.FileId, url: Schema.String, expiresAt: tolerant(Schema.DateTimeUtc, "expires_at") })
)

/** @internal Where to put the bytes of a new file. */
export const uploadLink = (json: unknown) => {
  if (!isRecord(json)) return undefined
  const url = json["upload_url"] ?? json["url"]
  return isWebAddress(url)
    ? Option.getOrUndefined(decodeUpload({ ...json, fileId: json["file_id"] ?? json["id"], url }))
    : undefined
}

const decodeRotated = Schema.decodeUnknownOption(ApiKey.Rotated)

/** @internal The id is the one that was asked for, where the answer leaves it out. */
export const rotated = (json: unknown, id: ApiKey.KeyId): ApiKey.Rotated | undefined =>
  isRecord(json)
    ? Option.getOrUndefined(
        decodeRotated({ ...json, id: text(json["id"]) ?? id, newKey: json["new_key"] ?? json["key"] })
      )
    : undefined

const otherOfEndpoints = beyond(
  "id url description events headers is_active status failure_count last_success created_at secret"
)

const isActive = ({ is_active: flag, status }: Json): boolean | undefined => {
  if (typeof flag === "boolean") return flag
  return typeof status === "string" ? status.toLowerCase() === "active" : undefined
}

/** Both documented shapes as one; an endpoint that is wrapped is one, too. */
const endpointFields = (json: unknown): Json | undefined => {
  if (!isRecord(json)) return undefined
  const wrapped = json["endpoint"] ?? json["data"]
  const found = json["id"] === undefined && isRecord(wrapped) ? wrapped : json
  return { ...found, is_active: isActive(found), extra: otherOfEndpoints(found) }
}

const decodeEndpoint = Schema.decodeUnknownOption(WebhookEndpoint.Endpoint)

/** @internal */
export const endpoint = (json: unknown): WebhookEndpoint.Endpoint | undefined =>
  Option.getOrUndefined(decodeEndpoint(endpointFields(json)))

const decodeRegistered = Schema.decodeUnknownOption(WebhookEndpoint.Registered)

/** @internal */
export const registered = (json: unknown): WebhookEndpoint.Registered | undefined =>
  Option.getOrUndefined(decodeRegistered(endpointFields(json)))

/** @internal A list in any of its wrappers; what in it is no endpoint is left out. */
export const endpoints = (json: unknown): ReadonlyArray<WebhookEndpoint.Endpoint> | undefined => {
  const list = isRecord(json) ? (json["endpoints"] ?? json["data"]) : json
  return Array.isArray(list) ? list.map(endpoint).filter((each) => each !== undefined) : undefined
}
