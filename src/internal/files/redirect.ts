/**
 * Resolves redirects and rejects unsafe URLs.
 *
 * @internal
 */
import { secretsOfUrl } from "../errors/urlSecrets.js"
import type * as attempt from "../http/attempt.js"
import type { RequestSender } from "../http/requestSender.js"

/** @internal Validated URL of a request. */
export interface Target {
  readonly url: string
  /** Parts of the URL to redact in errors. */
  readonly secrets: ReadonlyArray<string>
}

/** @internal Reason for the rejection of a URL. */
export interface InvalidTarget {
  readonly problem: string
}

/** @internal Returns the validated target of a redirect, or `undefined` if the response is not a redirect. */
export const resolveRedirect = (
  { baseUrl }: RequestSender,
  { response }: attempt.ReceivedResponse,
  requestUrl: string
): Target | InvalidTarget | undefined => {
  if (response.status < 300 || response.status >= 400) return undefined
  const location = response.headers["location"]
  if (location === undefined || !URL.canParse(location, requestUrl)) {
    return { problem: "the redirect has no valid Location" }
  }
  const target = resolveTarget(baseUrl, new URL(location, requestUrl).href)
  return "problem" in target ? { problem: `the redirect ${target.problem}` } : target
}

/**
 * Validates the URL of a download link, an upload link or a redirect. Allows `https` and the scheme of the base URL.
 * With another scheme, the URL could lead to a service in the internal network of the client. Rejects a URL with a user
 * name or a password, and removes the fragment. Transports treat these parts of a URL differently.
 *
 * @internal
 */
export const resolveTarget = (baseUrl: string, link: string): Target | InvalidTarget => {
  const url = new URL(link)
  if (url.protocol !== "https:" && url.protocol !== new URL(baseUrl).protocol) {
    return { problem: "does not lead to an https URL" }
  }
  if (url.username !== "" || url.password !== "") {
    return { problem: "leads to a URL with a user name or password" }
  }
  url.hash = ""
  return { url: url.href, secrets: secretsOfUrl(link) }
}

/** @internal */
export const isApiUrl = (baseUrl: string, url: string): boolean => url.startsWith(`${baseUrl}/v1/`)
