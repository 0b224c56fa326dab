/** Declares the result of every cell: a rule per fault, with exceptions per operation and per transport. */
import type { Cell } from "./cell.js"
import type { TransportName } from "./transports.js"

type Range = readonly [min: number, max: number]

export interface Expected {
  /** Possible outcomes. A cell has several outcomes if two events can occur in any order. */
  readonly outcomes: ReadonlyArray<string>
  /** Number of requests with the fault, and of repeated requests to the same endpoint. Includes broken connections. */
  readonly attempts: Range
  /** Number of objects that the API has created for the call. */
  readonly created: Range
}

/** Returns the expected result of a cell, or `undefined` if the rule does not declare the cell. */
export type Rule = (cell: Cell) => Expected | undefined

const maxAttempts = 4
const manyPolls = 100

/** Returns the number of objects that a call creates if the requests with the fault create `created` objects. */
const createdBy = ({ operation }: Cell, created: number): Range => {
  if (operation.created === undefined) return [0, 0]
  return operation.kind === "wait" ? [1, 1] : [created, created]
}

const expect = (cell: Cell, outcome: string, attempts: Range, created: number): Expected => ({
  outcomes: [outcome],
  attempts,
  created: createdBy(cell, created)
})

// General rules

/** The first attempt succeeds. */
const harmless: Rule = (cell) => expect(cell, "success", [1, 1], 1)

/** The first response is unusable, so the next attempt succeeds. */
const succeedsOnRetry: Rule = (cell) => expect(cell, "success", [2, 2], 1)

/**
 * The client does not know whether the API has executed the request. Only operations that are safe to repeat are
 * repeated. `reason` is the reason of the `TransportError`.
 */
const ambiguous =
  (reason: string, isExecuted: boolean): Rule =>
  (cell) => {
    const { fault, operation } = cell
    const created = isExecuted ? 1 : 0
    if (operation.kind === "once") return expect(cell, `TransportError ${reason}`, [1, 1], created)
    if (fault.isOnce) return succeedsOnRetry(cell)
    if (operation.kind === "wait") return expect(cell, "AwaitTimeout", [1, manyPolls], created)
    return expect(cell, `TransportError ${reason}`, [maxAttempts, maxAttempts], created)
  }

/** The client knows that the request was not sent. Every operation is repeated. */
const unsent: Rule = (cell) =>
  cell.operation.kind === "wait"
    ? expect(cell, "AwaitTimeout", [maxAttempts, manyPolls], 0)
    : expect(cell, "TransportError connect", [maxAttempts, maxAttempts], 0)

/** The response is complete and is not from the API. No request is repeated, but a wait continues. */
const foreign =
  (status: number, isExecuted: boolean): Rule =>
  (cell) => {
    const { fault, operation } = cell
    const created = isExecuted ? 1 : 0
    if (operation.kind !== "wait") return expect(cell, `UnexpectedResponse ${status}`, [1, 1], created)
    return fault.isOnce ? succeedsOnRetry(cell) : expect(cell, "AwaitTimeout", [2, manyPolls], created)
  }

/** The response is a rejection of the request. No request is repeated, and a wait ends. */
const rejected =
  (status: number, isExecuted: boolean): Rule =>
  (cell) =>
    expect(cell, `UnexpectedResponse ${status}`, [1, 1], isExecuted ? 1 : 0)

// Exceptions

/** Applies the first rule that declares the cell. */
const firstOf =
  (...rules: ReadonlyArray<Rule>): Rule =>
  (cell) => {
    for (const rule of rules) {
      const expected = rule(cell)
      if (expected !== undefined) return expected
    }
    return undefined
  }

const forOperations =
  (names: ReadonlyArray<string>, rule: Rule): Rule =>
  (cell) =>
    names.includes(cell.operation.name) ? rule(cell) : undefined

const forTransports =
  (names: ReadonlyArray<TransportName>, rule: Rule): Rule =>
  (cell) =>
    names.includes(cell.transport) ? rule(cell) : undefined

/** A rejected cancel request or result request is followed by a poll of the execution, which has ended. */
const readsAgain = forOperations(["executions.cancel", "executions.result"], harmless)

/** The link of the API declares another size than the response of storage. */
const isOtherFile = forOperations(["files.download, storage"], (cell) =>
  expect(cell, "UnexpectedResponse 200", [1, 1], 0)
)

/** The download follows the redirect without the API key. */
const followsRedirect = forOperations(["files.download, link", "files.download, storage"], harmless)

/** The content of the response to an upload has no meaning. */
const ignoresContent = forOperations(["files.upload, put"], harmless)

/** The body of these responses is optional. After an unreadable body, the client reads the execution or the endpoint. */
const ignoresBody = forOperations(["executions.cancel", "webhookEndpoints.update"], harmless)

/** undici rejects a response that begins with 100 if the request has no `Expect` header. `fetch` uses undici. */
const rejectsContinue = forTransports(["fetch", "undici"], ambiguous("reset", true))

/** The platform's client for `node:http` loses the first response. The library then sends a request without bytes. */
const sendsProbe = (status: number): Rule =>
  forTransports(
    ["node:http"],
    forOperations(["files.upload, put"], (cell) => expect(cell, `UnexpectedResponse ${status}`, [2, 2], 0))
  )

/** The result is either that of a broken connection, or that of a connection that was never established. */
const eitherResetOrUnsent: Rule = (cell) =>
  cell.operation.kind === "once"
    ? { outcomes: ["TransportError reset", "success"], attempts: [1, 2], created: [0, 1] }
    : succeedsOnRetry(cell)

/** The client can detect the closed connection before or after it sends the request. The API does not receive it. */
const eitherDetectedOrReset: Rule = (cell) =>
  cell.operation.kind === "once"
    ? { outcomes: ["TransportError reset", "success"], attempts: [0, 1], created: [0, 1] }
    : { ...harmless(cell), outcomes: ["success"], attempts: [1, 1], created: createdBy(cell, 1) }

const timeout = ambiguous("timeout", true)

/** The endless content exceeds the size that the link of the API declares. */
const endlessFile = forOperations(["files.download, storage"], (cell) =>
  expect(cell, "UnexpectedResponse 200", [1, 1], 0)
)

const tooSmall = firstOf(isOtherFile, ignoresContent, ignoresBody, ambiguous("truncated", true))

const brokenConnections = (name: "FIN" | "RST"): { readonly [fault: string]: Rule } => ({
  [`${name} on accept`]: name === "FIN" ? ambiguous("reset", false) : eitherResetOrUnsent,
  [`${name} before the request is read`]: ambiguous("reset", false),
  [`${name} after the request is read`]: ambiguous("reset", false),
  [`${name} after the execution`]: ambiguous("reset", true),
  [`${name} after every execution`]: ambiguous("reset", true),
  [`${name} inside the response header`]: ambiguous("reset", true),
  [`${name} inside the response body`]: ambiguous("truncated", true)
})

/** Rule of each fault. A fault without a rule fails the suite. */
export const rules: { readonly [fault: string]: Rule } = {
  "no fault": harmless,
  "no fault over TLS": harmless,
  ...brokenConnections("FIN"),
  ...brokenConnections("RST"),
  "FIN as a reused connection receives the request": ambiguous("reset", false),
  "FIN directly behind the previous response": eitherDetectedOrReset,
  "no response": timeout,
  "slow header": timeout,
  "slow header once": timeout,
  "slow body": timeout,
  "slow body once": timeout,
  "endless header": ambiguous("unknown", true),
  "endless body": firstOf(endlessFile, timeout),
  "server stops reading": ambiguous("timeout", false),
  "Content-Length too large": firstOf(isOtherFile, ambiguous("truncated", true)),
  "Content-Length too small": tooSmall,
  "Content-Length one byte too small": tooSmall,
  "no Content-Length": harmless,
  "the same Content-Length twice": ambiguous("unknown", true),
  "two different Content-Lengths": ambiguous("unknown", true),
  "chunked body": harmless,
  "chunked body without its last chunk": ambiguous("truncated", true),
  "malformed chunk size": ambiguous("truncated", true),
  "gzip body": harmless,
  "damaged gzip body": ambiguous("truncated", true),
  "truncated gzip body": firstOf(
    // `fetch` reports no error if the encoded bytes are incomplete.
    forTransports(["fetch"], firstOf(ignoresContent, ignoresBody)),
    ambiguous("truncated", true)
  ),
  "gzip bomb": firstOf(isOtherFile, foreign(200, true)),
  "gzip bomb with status 400": firstOf(readsAgain, rejected(400, true)),
  "103 Early Hints": harmless,
  "unrequested 100 Continue": firstOf(rejectsContinue, harmless),
  "HTTP/1.0 response": harmless,
  "HTTP/1.0 response without Content-Length": harmless,
  "response header of 100 KB": ambiguous("unknown", true),
  "text that is not HTTP": ambiguous("unknown", true),
  "redirect 301 to another origin": firstOf(followsRedirect, foreign(301, true)),
  "redirect 307 to another origin": firstOf(followsRedirect, foreign(307, true)),
  "403 before the request is read": firstOf(readsAgain, sendsProbe(403), foreign(403, false)),
  "413 before the request is read": firstOf(readsAgain, sendsProbe(413), rejected(413, false)),
  "TLS certificate for another host": unsent,
  "self-signed TLS certificate": unsent,
  "plain text on a TLS port": unsent,
  "TLS handshake ends with FIN": unsent,
  "TLS handshake ends with RST": ambiguous("reset", false)
}

/** Returns the expected result of a cell, or `undefined` if no rule declares the cell. */
export const expectedOf = (cell: Cell): Expected | undefined => rules[cell.fault.name]?.(cell)
