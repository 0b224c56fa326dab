/**
 * Declares the types of API calls and of their handlers.
 *
 * @internal
 */
import type { Outcome } from "../faults/settings.js"
import type { RequestData } from "./request.js"
import type { ResponseData } from "./response.js"
import type { ApiOperation } from "./routes.js"

/** @internal One API call. `now` is in milliseconds on Effect's `Clock`. */
export interface ApiCall {
  readonly request: RequestData
  /** The resource id in the path. Empty if the path has no id. */
  readonly id: string
  readonly now: number
  /**
   * Returns the outcome fault for the execution that the request creates. Each use of this function uses up one fault.
   */
  readonly nextOutcome: () => Outcome | undefined
}

/** @internal */
export type ApiHandler = (call: ApiCall) => ResponseData

/** @internal */
export type ApiHandlers = Readonly<Record<ApiOperation, ApiHandler>>

/** @internal The handlers of one kind of resource, such as `executions`. */
export type ResourceHandlers<Name extends string> = Pick<ApiHandlers, Extract<ApiOperation, `${Name}.${string}`>>

const decoder = new TextDecoder()

/** @internal */
export const bodyText = ({ request }: ApiCall): string => decoder.decode(request.body)
