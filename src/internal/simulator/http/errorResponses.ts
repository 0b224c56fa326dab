/**
 * Builds the API's error responses. Each response has a new request id.
 *
 * @internal
 */
import type { Ids } from "../ids.js"
import { type ErrorFields, errorResponse, type ResponseData } from "./response.js"
import type { Detail } from "./validation.js"

/** @internal */
export interface ErrorResponses {
  readonly error: (error: Omit<ErrorFields, "requestId">) => ResponseData
  readonly invalidInput: (details: ReadonlyArray<Detail>) => ResponseData
  readonly fileNotFound: (fileId: string) => ResponseData
  /** Returns a 404. `name` is the subject of the message, for example `Execution exec_1`. */
  readonly resourceNotFound: (name: string) => ResponseData
  readonly pathNotFound: () => ResponseData
}

/** @internal */
export const make = (ids: Ids): ErrorResponses => {
  const error: ErrorResponses["error"] = (fields) => errorResponse({ ...fields, requestId: ids.request() })
  return {
    error,
    invalidInput: (details) => error({ code: "INPUT_VALIDATION_ERROR", message: "Invalid input parameters", details }),
    fileNotFound: (fileId) =>
      error({ code: "FILE_NOT_FOUND", message: `File ${fileId} does not exist or has expired` }),
    resourceNotFound: (name) => error({ code: "NOT_FOUND", status: 404, message: `${name} does not exist` }),
    pathNotFound: () => error({ code: "NOT_FOUND", status: 404, message: "The path does not exist" })
  }
}
