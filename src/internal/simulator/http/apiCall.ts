/**
 * One call to the API, and the handlers of all operations.
 *
 * @internal
 */
import type { TerminalOutcome } from "../faults/types.js"
import type { RequestData } from "./request.js"
import type { ResponseData } from "./response.js"
import type { ApiOperation } from "./routes.js"

/** @internal One call at one moment on the Clock. */
export interface ApiCall {
  readonly request: RequestData
  /** The path segment that names a resource. Empty if there is none. */
  readonly id: string
  readonly now: number
  /** Takes the outcome of the execution that this call creates from the faults. */
  readonly nextOutcome: () => TerminalOutcome | undefined
}

/** @internal */
export type ApiHandler = (call: ApiCall) => ResponseData

/** @internal */
export type ApiHandlers = Readonly<Record<ApiOperation, ApiHandler>>

/** @internal The handlers of one kind of resource, such as `executions`. */
export type ResourceHandlers<Name extends string> = Pick<ApiHandlers, Extract<ApiOperation, `${Name}.${string}`>>

const decoder = new TextDecoder()

/** @internal Returns the body as text. */
export const bodyText = ({ request }: ApiCall): string => decoder.decode(request.body)
