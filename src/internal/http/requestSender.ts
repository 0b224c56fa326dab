/**
 * Defines the settings and services that all calls of one client share.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Context from "effect/Context"
import type * as Schedule from "effect/Schedule"
import type { ModelRouteError } from "../../ModelRouteError.js"
import type { Admission } from "../rateLimit/admission.js"
import type { RetryFilter } from "../retry/currentRetryFilter.js"
import type { AttemptLimits } from "./attempt.js"
import type { SharedTimer } from "./sharedTimer.js"

/**
 * The settings and services of one client. Requests to other hosts use a copy with another HTTP client or another
 * admission.
 *
 * @internal
 */
export interface RequestSender {
  readonly client: HttpClient.HttpClient
  /** Base URL without a trailing slash and without `/v1`. */
  readonly baseUrl: string
  /**
   * Returns the admission of the gate in `context`. If `context` contains no gate, returns the admission of the
   * client's gate.
   */
  readonly admissionOf: (context: Context.Context<never>) => Admission
  readonly policy: Schedule.Schedule<unknown, ModelRouteError>
  /** Returns `false` for an error that must not be retried. Takes precedence over the retry policy. */
  readonly retryWhile: RetryFilter
  /** The secrets that no error may contain, for example the API key. */
  readonly secrets: ReadonlyArray<string>
  readonly attemptLimits: AttemptLimits
  readonly timer: SharedTimer
}
