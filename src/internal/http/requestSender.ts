/**
 * The settings and services that all calls of one client share.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { ModelRouteError } from "../../ModelRouteError.js"
import type { Admission } from "../rateLimit/admission.js"
import type { RetryFilter } from "../retry/retryFilter.js"
import type { AttemptLimits } from "./attempt.js"
import type { SharedTimer } from "./sharedTimer.js"

/** @internal One per client. Calls to other hosts use a copy with another client or admission. */
export interface RequestSender {
  readonly client: HttpClient.HttpClient
  /** Has no trailing slash and no `/v1`. */
  readonly baseUrl: string
  /** Returns the admission of the nearest gate in the context, else of the client's own gate. */
  readonly admission: Effect.Effect<Admission>
  readonly policy: Schedule.Schedule<unknown, ModelRouteError>
  /** Whether an error may be retried, whatever the policy. */
  readonly retryWhile: RetryFilter
  /** Texts that no error may contain: the API key. */
  readonly secrets: ReadonlyArray<string>
  readonly attemptLimits: AttemptLimits
  readonly timer: SharedTimer
}
