/**
 * All files that can be had: what executions have made, and what clients have brought.
 *
 * @internal
 */
import type { Content } from "./content.js"
import * as ContentOf from "./content.js"
import type { Executions } from "../executions/executions.js"
import * as Output from "../executions/output.js"
import type { Uploads } from "./uploads.js"

/** @internal */
export interface Found {
  readonly content: Content
  /** The execution that has made it. */
  readonly executionId?: string
}

/** @internal Undefined when there is no such file, not yet or not any more. */
export type Files = (fileId: string, now: number) => Found | undefined

/** @internal */
export const make =
  (executions: Executions, uploads: Uploads): Files =>
  (fileId, now) => {
    const execution = executions.byFile(fileId)
    if (execution !== undefined) {
      return { content: ContentOf.ofPicture(Output.picture(execution, fileId)), executionId: execution.id }
    }
    const content = uploads.usable(fileId, now)
    return content && { content }
  }
