/**
 * The cost, duration and output of the simulator's models.
 */
import type * as Duration from "effect/Duration"

/**
 * The behaviour of one model's executions.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model {
  /** The time from the create to the result. */
  readonly duration: Duration.DurationInput
  /** The part of `duration` in `PENDING`. Default: a tenth of `duration`. */
  readonly queued?: Duration.DurationInput | undefined
  /** Spends the last half of `duration` in `AWAITING_WEBHOOK`. Default: `false` */
  readonly awaitingWebhook?: boolean | undefined
  /** The estimate and the charge, in dollars, as a decimal string. */
  readonly cost: string
  /** The kind of output. `images` returns `input.n` or `input.num_images` images: 1 to 10, default 1. */
  readonly output: "image" | "images" | "text" | "none"
  /**
   * The output fields in `GET /v1/executions/{id}` of a completed execution. `embedded` has `result`, `separate` has
   * none, and `both` has `result` and `output`. `GET /v1/executions/{id}/result` always works. Default: `embedded`
   */
  readonly result?: "embedded" | "separate" | "both" | undefined
  /** Fields of `input` that must be non-empty strings. Default: none. */
  readonly requires?: ReadonlyArray<string> | undefined
}

/**
 * The built-in models. `seedance-video` takes 4 minutes, one minute less than the default `expiresAfter`. Its file is a
 * PNG image.
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

/** @internal The behaviour of a model slug that has no entry. */
export const defaultModel: Model = { duration: "10 seconds", cost: "0.040", output: "image" }
