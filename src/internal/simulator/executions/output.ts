/**
 * What a completed execution has made, as the API tells it.
 *
 * @internal
 */
import type { Execution } from "./executions.js"
import type { Model } from "./model.js"
import type { Picture } from "../files/picture.js"
import type { Submission } from "./submission.js"

const whole = (value: unknown, otherwise: number): number => (Number.isInteger(value) ? Number(value) : otherwise)

/** @internal */
export const fileCount = (model: Model, input: Submission["input"]): number => {
  switch (model.output) {
    case "image":
      return 1
    case "images":
      return whole(input["n"], whole(input["num_images"], 1))
    case "text":
    case "none":
      return 0
  }
}

const prompt = (execution: Execution): string => {
  const { input } = execution.submission
  return typeof input["prompt"] === "string" ? input["prompt"] : JSON.stringify(input)
}

/** @internal Pictures are 1024 × 768 unless the input says otherwise. */
export const picture = (execution: Execution, fileId: string): Picture => ({
  text: prompt(execution),
  index: execution.fileIds.indexOf(fileId),
  width: whole(execution.submission.input["width"], 1024),
  height: whole(execution.submission.input["height"], 768)
})

const sizes = (execution: Execution) =>
  execution.fileIds.map((fileId) => {
    const { width, height } = picture(execution, fileId)
    return { fileId, width, height }
  })

const text = (execution: Execution): string => `${execution.submission.model} was asked: ${prompt(execution)}`

/** @internal `output` of `GET /v1/executions/{id}/result`. */
export const output = (execution: Execution): unknown => {
  switch (execution.model.output) {
    case "image":
    case "images":
      return {
        images: sizes(execution).map(({ fileId, width, height }) => ({ file_id: fileId, format: "png", width, height }))
      }
    case "text":
      return { text: text(execution) }
    case "none":
      return {}
  }
}

/** @internal `result` of `GET /v1/executions/{id}`; undefined if nothing was made. */
export const result = (execution: Execution): unknown => {
  const images = sizes(execution).map(({ fileId, width, height }) => ({
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
      return { text: text(execution) }
    case "none":
      return undefined
  }
}
