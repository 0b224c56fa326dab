/**
 * Redirects and links to other hosts.
 *
 * @internal
 */
import type * as exchange from "../http/attempt.js"
import type { Sender } from "../http/retryLoop.js"

/** Where a redirect leads, or why it is not followed. */
export const redirectOf = (
  { baseUrl }: Sender,
  { response }: exchange.Arrival,
  from: string
): { readonly url: string } | { readonly problem: string } | undefined => {
  if (response.status < 300 || response.status >= 400) return undefined
  const location = response.headers["location"]
  if (location === undefined || !URL.canParse(location, from)) return { problem: "the redirect leads nowhere" }
  const { href } = new URL(location, from)
  return isAllowed(baseUrl, href) ? { url: href } : { problem: "the redirect does not lead to an https URL" }
}

/** `https`, or the scheme of the base URL: a link must not lead into the backend's own network by another protocol. */
export const isAllowed = (baseUrl: string, url: string): boolean => {
  const { protocol } = new URL(url)
  return protocol === "https:" || protocol === new URL(baseUrl).protocol
}

/** @internal Whether the API may point to this URL for an upload or a download. */
export const isAllowedLink = ({ baseUrl }: Sender, url: string): boolean => isAllowed(baseUrl, url)

/** @internal */
export const isApiUrl = (baseUrl: string, url: string): boolean => url.startsWith(`${baseUrl}/v1/`)
