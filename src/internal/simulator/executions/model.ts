/**
 * Declares the cost, duration and output of the models.
 */
import type * as Duration from "effect/Duration"

/**
 * The behaviour of a model in the simulator: duration, cost and output.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model {
  /** Time from the create request to the result. */
  readonly duration: Duration.DurationInput
  /**
   * Time that the execution has the status `PENDING`. This time is a part of `duration`. Default: a tenth of
   * `duration`.
   */
  readonly queued?: Duration.DurationInput | undefined
  /**
   * Indicates whether the execution has the status `AWAITING_WEBHOOK` during the second half of `duration`. Default:
   * `false`.
   */
  readonly awaitingWebhook?: boolean | undefined
  /** Estimated cost and charge, in dollars, as a decimal string. */
  readonly cost: string
  /**
   * Kind of output. `image` creates one PNG image. `images` creates `input.n` or `input.num_images` PNG images, from 1
   * to 10, by default 1. The size of each image is `input.width` by `input.height` pixels, by default 1024 by 768. Each
   * download draws its image, so small images make tests with many downloads faster.
   */
  readonly output: "image" | "images" | "text" | "none"
  /**
   * Fields with the output of a completed execution in the response of `GET /v1/executions/{id}`. With `embedded`, the
   * response contains `result`. With `separate`, the response contains no output. With `both`, the response contains
   * `result` and `output`. The response of `GET /v1/executions/{id}/result` always contains the output. Default:
   * `embedded`.
   */
  readonly result?: "embedded" | "separate" | "both" | undefined
  /** Fields of `input` that must be non-empty strings. Default: none. */
  readonly requires?: ReadonlyArray<string> | undefined
}

/**
 * The built-in models. `seedance-video` takes 4 minutes, one minute less than the default `expiresAfter`. The output
 * file of `seedance-video` is a PNG image.
 *
 * @since 0.1.0
 * @category models
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * // Executions of this model expire, because the default `expiresAfter` is 5 minutes.
 * export const simulator = Simulator.layer({
 *   models: { "seedance-video": { ...Simulator.models["seedance-video"], duration: "6 minutes" } }
 * })
 * ```
 */
export const models: {
  readonly "flux-1.1-pro": Model
  readonly "seedance-video": Model
  readonly "text-generation-standard": Model
} = {
  "flux-1.1-pro": {
    duration: "8420 millis",
    queued: "1 second",
    cost: "0.040",
    output: "image",
    requires: ["prompt"]
  },
  "seedance-video": {
    duration: "4 minutes",
    queued: "10 seconds",
    awaitingWebhook: true,
    cost: "0.500",
    output: "image",
    requires: ["prompt"]
  },
  "text-generation-standard": {
    duration: "2500 millis",
    queued: "500 millis",
    cost: "0.010",
    output: "text",
    requires: ["prompt"]
  }
}

/** @internal The model of every slug that `models` does not contain. */
export const defaultModel: Model = { duration: "10 seconds", cost: "0.040", output: "image" }
