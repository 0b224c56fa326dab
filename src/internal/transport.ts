/**
 * What a transport's failure means. Each runtime has its own errors; the codes inside them are much the same.
 *
 * @internal
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type { TransportReason } from "../ModelRouteError.js"

interface Link {
  readonly code: string
  readonly message: string
}

const isObject = (u: unknown): u is { readonly [key: string]: unknown } => typeof u === "object" && u !== null

/** The causes of a cause, outermost first; an aggregate (one error per address tried) counts by its first. */
const chain = (cause: unknown): ReadonlyArray<Link> => {
  const links: Array<Link> = []
  for (let next = cause; isObject(next) && links.length < 8;) {
    links.push({ code: String(next["code"] ?? ""), message: String(next["message"] ?? "") })
    const inner: unknown = Array.isArray(next["errors"]) ? next["errors"][0] : undefined
    next = inner ?? next["cause"]
  }
  return links
}

const reasons: ReadonlyArray<readonly [RegExp, TransportReason]> = [
  [/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT)$/, "connect"],
  [/^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/, "connect"],
  [/^(ECONNRESET|EPIPE|ECONNABORTED|UND_ERR_SOCKET|UND_ERR_ABORTED)$/, "reset"],
  [/^(ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/, "timeout"]
]

/** @internal Why no answer came, and the transport's own words for it: of the causes only text goes on, never an object. */
export const diagnose = (
  error: HttpClientError.HttpClientError
): { readonly reason: TransportReason; readonly words: string } => {
  const links = chain(error.cause)
  const codes = links.map(({ code }) => code).filter((code) => code !== "")
  const reason = reasons.find(([pattern]) => codes.some((code) => pattern.test(code)))?.[1] ?? "unknown"
  const last = links.at(-1)
  return { reason, words: last?.message || last?.code || error.reason }
}
