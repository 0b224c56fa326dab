/**
 * Determines the reason of a transport failure from its error codes. Runtimes have different error classes but similar
 * error codes. Deno and Cloudflare Workers have no error codes, so their messages determine the reason. The errors of
 * browsers contain no reason.
 *
 * @internal
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type { TransportReason } from "../../ModelRouteError.js"

interface CauseLink {
  readonly code: string
  readonly name: string
  readonly message: string
  /**
   * `true` if the error occurred on an established connection, so that the request may have been sent. `false` if the
   * connection was not established. `undefined` if this is unknown.
   */
  readonly isEstablished: boolean | undefined
}

const maxCauses = 8

const isObject = (u: unknown): u is { readonly [key: string]: unknown } => typeof u === "object" && u !== null

/** Message of Node.js if the server closes the connection during the TLS handshake. The error code is `ECONNRESET`. */
const unfinishedHandshake = "Client network socket disconnected before secure TLS connection was established"

/** Part of the message of Bun if a server without TLS receives an https request. The error code is `EPROTO`. */
const failedHandshake = "The TLS handshake failed"

/**
 * Returns the code of an OpenSSL error. Node.js reports the error as a failed `write` with the code `EPROTO` if the
 * request is written during the handshake. Only the message then contains the reason.
 */
const sslCode = (message: string): string => {
  const [, reason = "protocol error"] = /SSL routines:[^:]*:([^:]+)/.exec(message) ?? []
  return `ERR_SSL_${reason.trim().toUpperCase().replaceAll(" ", "_")}`
}

const toCauseLink = (code: string, message: string, syscall: unknown): Omit<CauseLink, "name"> => {
  if (code === "EPROTO" && !message.includes(failedHandshake))
    return { code: sslCode(message), message, isEstablished: undefined }
  if (
    syscall === "connect" ||
    syscall === "getaddrinfo" ||
    message === unfinishedHandshake ||
    message.includes(failedHandshake)
  ) {
    return { code, message, isEstablished: false }
  }
  return { code, message, isEstablished: syscall === "read" || syscall === "write" ? true : undefined }
}

/**
 * Returns an error and its causes, outermost first. An `AggregateError` contains one error for each address of the
 * host, and only the first of these errors is used.
 */
const causeChain = (cause: unknown): ReadonlyArray<CauseLink> => {
  const links: Array<CauseLink> = []
  for (let next = cause; isObject(next) && links.length < maxCauses;) {
    const name = String(next["name"] ?? "")
    links.push({ name, ...toCauseLink(String(next["code"] ?? ""), String(next["message"] ?? ""), next["syscall"]) })
    const inner: unknown = Array.isArray(next["errors"]) ? next["errors"][0] : undefined
    next = inner ?? next["cause"]
  }
  return links
}

/**
 * The error codes or names of each reason. The reason `connect` means that the request was certainly not sent. A TLS
 * error is therefore `connect` only if the handshake failed.
 */
const reasons: ReadonlyArray<readonly [RegExp, TransportReason]> = [
  [/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT)$/, "connect"],
  [/^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/, "connect"],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|UNSUPPORTED_PROTOCOL|.*ALERT_PROTOCOL_VERSION|.*ALERT_HANDSHAKE_FAILURE)$/,
    "connect"
  ],
  [/^(ECONNRESET|EPIPE|ECONNABORTED|EHOSTUNREACH|ENETUNREACH|UND_ERR_SOCKET|UND_ERR_ABORTED)$/, "reset"],
  [/^ERR_(SSL|TLS)_/, "reset"],
  // Codes of older versions of Bun.
  [/^(ConnectionRefused|FailedToOpenSocket)$/, "connect"],
  [/^ConnectionClosed$/, "reset"],
  [/^(ETIMEDOUT|ESOCKETTIMEDOUT|TimeoutError|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/, "timeout"]
]

/** The messages of each reason, for errors without a known code. */
const messageReasons: ReadonlyArray<readonly [RegExp, TransportReason]> = [
  // Deno. The errors of its HTTP client contain the name of the failed step.
  [/\bclient error \(Connect\)/, "connect"],
  [/\bconnection closed before message completed\b|^error reading a body from connection/, "reset"],
  [/\(os error (32|54|104|10053|10054)\)$/, "reset"],
  // Cloudflare Workers. The message is the same if the server refuses the connection.
  [/^Network connection lost\.$/, "reset"]
]

/** @internal Returns `true` if `fetch` rejected a redirect. Only Node and Bun are asked to reject redirects. */
export const isRejectedRedirect = (error: HttpClientError.HttpClientError): boolean =>
  causeChain(error.cause).some(
    ({ code, message }) => message === "unexpected redirect" || code === "UnexpectedRedirect"
  )

/**
 * Returns the reason of a transport error, and the message of its innermost cause. The causes themselves are not
 * returned, because they can contain the request.
 *
 * @internal
 */
export const describeTransportError = (
  error: Pick<HttpClientError.HttpClientError, "cause" | "reason">
): { readonly reason: TransportReason; readonly text: string } => {
  const links = causeChain(error.cause)
  const matches = ([pattern, reason]: (typeof reasons)[number]): boolean =>
    links.some(
      ({ code, isEstablished, name }) =>
        (pattern.test(code) || pattern.test(name)) && !(isEstablished === true && reason === "connect")
    )
  const matchesMessage = ([pattern]: (typeof messageReasons)[number]): boolean =>
    links.some(({ message }) => pattern.test(message))
  const reason = links.some(({ isEstablished }) => isEstablished === false)
    ? "connect"
    : (reasons.find(matches)?.[1] ?? messageReasons.find(matchesMessage)?.[1] ?? "unknown")
  const last = links.at(-1)
  return { reason, text: last?.message || last?.code || error.reason }
}
