/**
 * One call to the API, and who answers it.
 *
 * @internal
 */
import type { Answer, Request } from "./response.js"
import type { TerminalOutcome } from "../faults/fault.js"
import type { ApiOperation } from "./routes.js"

/** @internal One call, at a moment on the Clock. */
export interface Call {
  readonly request: Request
  /** The segment of the path that names a resource. */
  readonly id: string
  readonly now: number
  /** Says how the execution ends that this call creates. */
  readonly ending: () => TerminalOutcome | undefined
}

/** @internal */
export type Handler = (call: Call) => Answer

/** @internal */
export type Api = Readonly<Record<ApiOperation, Handler>>

/** @internal The operations on one kind of resource. */
export type Section<Name extends string> = Pick<Api, Extract<ApiOperation, `${Name}.${string}`>>

const decoder = new TextDecoder()

/** @internal */
export const bodyText = ({ request }: Call): string => decoder.decode(request.body)
