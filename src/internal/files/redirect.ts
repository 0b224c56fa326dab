/**
 * Resolves redirects, and decides which URLs may be requested.
 *
 * @internal
 */
import type * as attempt from "../http/attempt.js"
import type { RequestSender } from "../http/requestSender.js"

/** @internal The target of a redirect, or the reason why it is not followed. */
export type Redirect = { readonly url: string } | { readonly problem: string }

/** @internal Returns `undefined` if the response is not a redirect. */
export const resolveRedirect = (
  { baseUrl }: RequestSender,
  { response }: attempt.ReceivedResponse,
  requestUrl: string
): Redirect | undefined => {
  if (response.status < 300 || response.status >= 400) return undefined
  const location = response.headers["location"]
  if (location === undefined || !URL.canParse(location, requestUrl)) {
    return { problem: "the redirect has no valid Location" }
  }
  const { href } = new URL(location, requestUrl)
  return isAllowedUrl(baseUrl, href) ? { url: href } : { problem: "the redirect does not lead to an https URL" }
}

/** @internal Allows `https` and the scheme of the base URL. Other schemes could reach the internal network of the backend. */
export const isAllowedUrl = (baseUrl: string, url: string): boolean => {
  const { protocol } = new URL(url)
  return protocol === "https:" || protocol === new URL(baseUrl).protocol
}

/** @internal */
export const isApiUrl = (baseUrl: string, url: string): boolean => url.startsWith(`${baseUrl}/v1/`)
