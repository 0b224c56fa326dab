/**
 * Finds the files that are available: output files of executions, and uploaded files.
 *
 * @internal
 */
import type { Executions } from "../executions/executions.js"
import * as Output from "../executions/output.js"
import * as Content from "./content.js"
import type { Uploads } from "./uploads.js"

/** @internal */
export interface StoredFile {
  readonly content: Content.Content
  /** Id of the execution that created the file. `undefined` for an upload. */
  readonly executionId?: string
}

/** @internal */
export interface Files {
  /** Returns a file. Returns `undefined` if the file does not exist, is not ready or has expired. */
  readonly find: (fileId: string, now: number) => StoredFile | undefined
}

/** @internal */
export const make = (executions: Executions, uploads: Uploads): Files => ({
  find: (fileId, now) => {
    const execution = executions.findByFile(fileId)
    if (execution !== undefined) {
      return { content: Content.fromPicture(Output.picture(execution, fileId)), executionId: execution.id }
    }
    const content = uploads.findUsable(fileId, now)
    return content && { content }
  }
})
