/**
 * What a transport's failure means. Each runtime has its own errors; the codes inside them are much the same.
 *
 * @internal
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type { TransportReason } from "../../ModelRouteError.js"

interface CauseLink {
  readonly code: string
  readonly message: string
  /** Whether it happened on a connection that stood. */
  readonly isLate: boolean
}

const isObject = (u: unknown): u is { readonly [key: string]: unknown } => typeof u === "object" && u !== null

/** The causes of a cause, outermost first; an aggregate (one error per address tried) counts by its first. */
const causeChain = (cause: unknown): ReadonlyArray<CauseLink> => {
  const links: Array<CauseLink> = []
  for (let next = cause; isObject(next) && links.length < 8;) {
    const isLate = next["syscall"] === "read" || next["syscall"] === "write"
    links.push({ code: String(next["code"] ?? ""), message: String(next["message"] ?? ""), isLate })
    const inner: unknown = Array.isArray(next["errors"]) ? next["errors"][0] : undefined
    next = inner ?? next["cause"]
  }
  return links
}

/** Of the errors of TLS only those that end a handshake: others can come when the request was sent. */
const reasons: ReadonlyArray<readonly [RegExp, TransportReason]> = [
  [/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT)$/, "connect"],
  [/^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/, "connect"],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|UNSUPPORTED_PROTOCOL|.*ALERT_PROTOCOL_VERSION|.*ALERT_HANDSHAKE_FAILURE)$/,
    "connect"
  ],
  [/^(ECONNRESET|EPIPE|ECONNABORTED|EHOSTUNREACH|ENETUNREACH|UND_ERR_SOCKET|UND_ERR_ABORTED)$/, "reset"],
  [/^ERR_(SSL|TLS)_/, "reset"],
  [/^(ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/, "timeout"]
]

/** @internal Whether `fetch` has refused to follow a redirect. */
export const isRefusedRedirect = (error: HttpClientError.HttpClientError): boolean =>
  causeChain(error.cause).some(({ message }) => message === "unexpected redirect")

/** @internal Why no answer came, and the transport's own words for it: of the causes only text goes on, never an object. */
export const describeTransportError = (
  error: HttpClientError.HttpClientError
): { readonly reason: TransportReason; readonly words: string } => {
  const links = causeChain(error.cause)
  const reason =
    reasons.find(([pattern, reason]) =>
      links.some(({ code, isLate }) => pattern.test(code) && !(isLate && reason === "connect"))
    )?.[1] ?? "unknown"
  const last = links.at(-1)
  return { reason, words: last?.message || last?.code || error.reason }
}
