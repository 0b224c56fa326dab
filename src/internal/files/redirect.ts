/**
 * Resolves redirects, and decides which URLs may be requested.
 *
 * @internal
 */
import { secretsOfUrl } from "../errors/urlSecrets.js"
import type * as attempt from "../http/attempt.js"
import type { RequestSender } from "../http/requestSender.js"

/** @internal A URL that may be requested. */
export interface Target {
  readonly url: string
  /** Parts of the link that no error may show. */
  readonly secrets: ReadonlyArray<string>
}

/** @internal The reason why a URL is not requested. */
export interface InvalidTarget {
  readonly problem: string
}

/** @internal Returns `undefined` if the response is not a redirect. */
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
 * Returns the URL that is requested for a link of the API or a redirect. It allows `https` and the scheme of the base
 * URL. Other schemes could reach the internal network of the backend. It rejects a user name and removes the fragment,
 * because each transport treats them differently.
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
