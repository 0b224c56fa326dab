/**
 * From the API's JSON to the models: liberal in names and shapes, `undefined` where the essence is missing.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Execution from "../Execution.js"
import * as File from "../File.js"
import { isRecord, text } from "./tolerant.js"

const known = new Set(
  "id execution_id status model cost latency_ms created_at completed_at metadata hold_amount estimated_cost expires_at result output error".split(
    " "
  )
)

const others = (json: { readonly [key: string]: unknown }): { readonly [key: string]: unknown } =>
  Object.fromEntries(Object.entries(json).filter(([key]) => !known.has(key)))

const decodeExecution = Schema.decodeUnknownOption(Execution.Execution)

/** @internal A status that is missing is unknown, which means: keep waiting. */
export const execution = (json: unknown): Execution.Execution | undefined => {
  if (!isRecord(json)) return undefined
  const id = text(json["id"]) ?? text(json["execution_id"])
  const status = text(json["status"])?.toUpperCase() ?? "UNKNOWN"
  return id === undefined
    ? undefined
    : Option.getOrUndefined(decodeExecution({ ...json, id, status, extra: others(json) }))
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

const isWebAddress = (u: unknown): boolean => typeof u === "string" && /^https?:/i.test(u) && URL.canParse(u)

const decodeLink = Schema.decodeUnknownOption(File.DownloadLink)

/** @internal An answer counts as a link only with an http(s) URL: a stored file can be JSON, too. */
export const downloadLink = (json: unknown): File.DownloadLink | undefined =>
  isRecord(json) && isWebAddress(json["url"]) ? Option.getOrUndefined(decodeLink(json)) : undefined
