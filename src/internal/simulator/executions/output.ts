/**
 * Builds the output of a completed execution. The API has one format for the field `output`, and another format for the
 * field `result`.
 *
 * @internal
 */
import type { Picture } from "../files/picture.js"
import type { Execution } from "./executions.js"
import type { Model } from "./model.js"
import type { Submission } from "./submission.js"

const integerOr = (value: unknown, fallback: number): number => (Number.isInteger(value) ? Number(value) : fallback)

/** @internal Returns the number of files that an execution of the model creates. */
export const fileCount = (model: Model, input: Submission["input"]): number => {
  switch (model.output) {
    case "image":
      return 1
    case "images":
      return integerOr(input["n"], integerOr(input["num_images"], 1))
    case "text":
    case "none":
      return 0
  }
}

const promptOf = (execution: Execution): string => {
  const { input } = execution.submission
  return typeof input["prompt"] === "string" ? input["prompt"] : JSON.stringify(input)
}

/** @internal Returns the picture of an output file. The default size is 1024 × 768. */
export const picture = (execution: Execution, fileId: string): Picture => ({
  text: promptOf(execution),
  index: execution.fileIds.indexOf(fileId),
  width: integerOr(execution.submission.input["width"], 1024),
  height: integerOr(execution.submission.input["height"], 768)
})

const imagesOf = (execution: Execution) =>
  execution.fileIds.map((fileId) => {
    const { width, height } = picture(execution, fileId)
    return { fileId, width, height }
  })

const textOf = (execution: Execution): string => `Response of ${execution.submission.model} to: ${promptOf(execution)}`

/** @internal Returns the field `output` of `GET /v1/executions/{id}/result`. */
export const output = (execution: Execution): unknown => {
  if (execution.output !== undefined) return execution.output
  switch (execution.model.output) {
    case "image":
    case "images":
      return {
        images: imagesOf(execution).map(({ fileId, width, height }) => ({
          file_id: fileId,
          format: "png",
          width,
          height
        }))
      }
    case "text":
      return { text: textOf(execution) }
    case "none":
      return {}
  }
}

/** @internal Returns the field `result` of `GET /v1/executions/{id}`, or `undefined` if the model has no output. */
export const result = (execution: Execution): unknown => {
  if (execution.output !== undefined) return execution.output
  const images = imagesOf(execution).map(({ fileId, width, height }) => ({
    file_id: fileId,
    content_type: "image/png",
    width,
    height
  }))
  switch (execution.model.output) {
    case "image":
      return images[0]
    case "images":
      return { images }
    case "text":
      return { text: textOf(execution) }
    case "none":
      return undefined
  }
}
