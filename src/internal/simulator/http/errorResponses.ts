/**
 * How the API says no: every envelope with a request id of its own.
 *
 * @internal
 */
import type { Answer, Detail, Refusal } from "./response.js"
import * as AnswerOf from "./response.js"
import type { Ids } from "../ids.js"

/** @internal */
export interface Refusals {
  readonly refuse: (error: Omit<Refusal, "requestId">) => Answer
  readonly invalid: (details: ReadonlyArray<Detail>) => Answer
  readonly noFile: (fileId: string) => Answer
  /** `what` begins the sentence: `Execution exec_1`. */
  readonly notFound: (what: string) => Answer
  /** No operation has this path. */
  readonly nowhere: () => Answer
}

/** @internal */
export const make = (ids: Ids): Refusals => {
  const refuse = (error: Omit<Refusal, "requestId">): Answer => AnswerOf.refusal({ ...error, requestId: ids.request() })
  return {
    refuse,
    invalid: (details) => refuse({ code: "INPUT_VALIDATION_ERROR", message: "Invalid input parameters", details }),
    noFile: (fileId) => refuse({ code: "FILE_NOT_FOUND", message: `File ${fileId} does not exist or has expired` }),
    notFound: (what) => refuse({ code: "NOT_FOUND", status: 404, message: `${what} does not exist` }),
    nowhere: () => refuse({ code: "NOT_FOUND", status: 404, message: "There is nothing at this path" })
  }
}
