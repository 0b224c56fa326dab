/**
 * What a model of the simulator costs, how long it takes and what it makes.
 */
import type * as Duration from "effect/Duration"

/**
 * How the executions of one model go.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model {
  /** From the submission to the result. */
  readonly duration: Duration.DurationInput
  /** The part of `duration` that is spent in `PENDING`. Default: a tenth of it. */
  readonly queued?: Duration.DurationInput | undefined
  /** Passes through `AWAITING_WEBHOOK` in the last half of `duration`. Default `false`. */
  readonly awaitingWebhook?: boolean | undefined
  /** In dollars, as a decimal string: both the estimate and what is charged in the end. */
  readonly cost: string
  /** `images` makes as many as `input.n` or `input.num_images` says, 1 to 10, by default one. */
  readonly output: "image" | "images" | "text" | "none"
  /**
   * What `GET /v1/executions/{id}` holds besides the status of a completed execution: `embedded` (default) the `result`
   * object, `separate` nothing, `both` `result` and `output`. `GET /v1/executions/{id}/result` always works.
   */
  readonly result?: "embedded" | "separate" | "both" | undefined
  /** Fields of `input` that must be there, as text that is not empty. Default: none. */
  readonly requires?: ReadonlyArray<string> | undefined
}

/**
 * The models a simulator knows from the start. `seedance-video` takes 4 minutes, a minute less than executions live by
 * default, and its file is a still picture.
 *
 * @since 0.1.0
 * @category models
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

/** @internal What a slug without an entry runs as. */
export const defaultModel: Model = { duration: "10 seconds", cost: "0.040", output: "image" }
