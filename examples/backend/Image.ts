/**
 * Declares the record of an image. A record contains all data that a restart needs to continue the image.
 */
import { Schema } from "effect"
import { Execution, File } from "effect-modelroute"
import { GenerationFailed, PromptRejected } from "./Errors.js"

/** Id of an image. It is also the idempotency key of the execution, to prevent a second charge. */
export const ImageId = Schema.String.pipe(Schema.pattern(/^img_[0-9a-f]{32}$/), Schema.brand("backend/ImageId"))
export type ImageId = typeof ImageId.Type

const imageFields = { id: ImageId, prompt: Schema.String }
const submittedFields = { ...imageFields, executionId: Execution.ExecutionId }

/** Image without a response to its create request. The request may have been sent. */
export class Submitting extends Schema.TaggedClass<Submitting>("backend/Submitting")("Submitting", imageFields) {}

export class Running extends Schema.TaggedClass<Running>("backend/Running")("Running", submittedFields) {}

export class Completed extends Schema.TaggedClass<Completed>("backend/Completed")("Completed", {
  ...submittedFields,
  fileId: File.FileId
}) {}

export class Failed extends Schema.TaggedClass<Failed>("backend/Failed")("Failed", {
  ...submittedFields,
  failure: Schema.Union(PromptRejected, GenerationFailed)
}) {}

export const Image = Schema.Union(Submitting, Running, Completed, Failed)
export type Image = typeof Image.Type

/** Image that is completed or in progress. */
export type UnfailedImage = Exclude<Image, Failed>

export const isFinished = (image: Image): image is Completed | Failed =>
  image._tag === "Completed" || image._tag === "Failed"
