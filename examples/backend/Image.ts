/**
 * An image as this backend remembers it: how far it is, and what is needed to go on with it after a restart.
 */
import { Schema } from "effect"
import { Execution, File } from "effect-modelroute"
import { GenerationFailed, PromptRefused } from "./Errors.js"

/** Also the idempotency key of its execution: the same image is never paid for twice. */
export const ImageId = Schema.String.pipe(Schema.pattern(/^img_[0-9a-f]{32}$/), Schema.brand("backend/ImageId"))
export type ImageId = typeof ImageId.Type

const common = { id: ImageId, prompt: Schema.String }
const submitted = { ...common, executionId: Execution.ExecutionId }

/** ModelRoute is about to hear of it, or has heard of it already: nobody knows before the answer is here. */
export class Submitting extends Schema.TaggedClass<Submitting>("backend/Submitting")("Submitting", common) {}

export class Running extends Schema.TaggedClass<Running>("backend/Running")("Running", submitted) {}

export class Completed extends Schema.TaggedClass<Completed>("backend/Completed")("Completed", {
  ...submitted,
  fileId: File.FileId
}) {}

export class Failed extends Schema.TaggedClass<Failed>("backend/Failed")("Failed", {
  ...submitted,
  failure: Schema.Union(PromptRefused, GenerationFailed)
}) {}

export const Image = Schema.Union(Submitting, Running, Completed, Failed)
export type Image = typeof Image.Type

/** An image that can still be had, or can be had already. */
export type Hopeful = Exclude<Image, Failed>

export const isFinished = (image: Image): image is Completed | Failed =>
  image._tag === "Completed" || image._tag === "Failed"
