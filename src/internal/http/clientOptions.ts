/**
 * Checks the options of a client. The checks run when the client is created, so that an invalid option fails before the
 * first request.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { checkAll, checksOf } from "../errors/optionChecks.js"

const clientOperation = "ModelRouteClient.make"
const checks = checksOf(clientOperation)

/** @internal */
export const defaultBaseUrl = "https://api.modelroute.ai"

/**
 * Checks that a header can contain the API key. Fails with `InvalidRequest` if the key is empty or contains white
 * space, quotes or non-ASCII characters. Accepts keys without the documented format, because the examples in the API
 * documentation do not have this format.
 *
 * @internal
 */
export const checkApiKey = (
  key: Redacted.Redacted,
  operation = clientOperation
): Either.Either<Redacted.Redacted, InvalidRequest> =>
  Either.flatMap(checksOf(operation).redacted("apiKey", key), () => checkKeyText(key, operation))

const checkKeyText = (key: Redacted.Redacted, operation: string): Either.Either<Redacted.Redacted, InvalidRequest> => {
  const text = Redacted.value(key)
  const problem =
    text.trim() === ""
      ? "is empty"
      : /\s/.test(text)
        ? "contains white space"
        : /^[\x21\x23-\x26\x28-\x7e]+$/.test(text)
          ? undefined
          : "contains quotes or characters that cannot be sent"
  return problem === undefined
    ? Either.right(key)
    : Either.left(
        invalidRequest(
          operation,
          "apiKey",
          problem,
          "Copy the key from the dashboard again, without quotes or line breaks."
        )
      )
}

/**
 * Checks the attempt timeout. Fails with `InvalidRequest` if the timeout is invalid or zero. With a timeout of zero,
 * every attempt would fail before its response.
 *
 * @internal
 */
export const checkAttemptTimeout = (input: Duration.DurationInput): Either.Either<Duration.Duration, InvalidRequest> =>
  Either.map(checks.duration("attemptTimeout", input, "above zero"), Duration.millis)

/** @internal Checks the types of the options that are used without conversion. */
export const checkOptions = (options: {
  readonly [name in "pollSchedule" | "propagateTraceContext" | "retry" | "retryWhile" | "transformClient"]?: unknown
}): Either.Either<void, InvalidRequest> =>
  checkAll([
    checks.schedule("retry", options.retry),
    checks.function("retryWhile", options.retryWhile),
    checks.schedule("pollSchedule", options.pollSchedule),
    checks.function("transformClient", options.transformClient),
    checks.boolean("propagateTraceContext", options.propagateTraceContext)
  ])

/** @internal Returns `true` if requests to the base URL would send the API key unencrypted over a network. */
export const isUnencrypted = (baseUrl: string): boolean => {
  const { hostname, protocol } = new URL(baseUrl)
  return protocol === "http:" && !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/**
 * Checks the base URL and returns the URL without trailing slashes. Also removes a trailing `/v1`, because every
 * request path begins with `/v1`. Fails with `InvalidRequest` if the URL is not an absolute http(s) URL. Also fails if
 * the URL contains credentials, a query or a fragment.
 *
 * @internal
 */
export const normalizeBaseUrl = (text: string, operation = clientOperation): Either.Either<string, InvalidRequest> => {
  const reject = (problem: string) =>
    Either.left(invalidRequest(operation, "baseUrl", problem, "Pass a URL such as https://api.modelroute.ai."))
  if (typeof text !== "string" || !URL.canParse(text)) return reject("is not an absolute URL")
  const url = new URL(text)
  if (url.protocol !== "https:" && url.protocol !== "http:") return reject("is neither http nor https")
  if (url.username !== "" || url.password !== "") return reject("contains a user name or password")
  if (url.search !== "" || url.hash !== "") return reject("contains a query or fragment")
  return Either.right(`${url.origin}${url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "")}`)
}
