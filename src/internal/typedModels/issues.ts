/**
 * Describes the differences between a value and a schema. A description contains the path and the expected type, but no
 * part of the value.
 *
 * @internal
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import type { OutputIssue } from "../../ModelRouteError.js"
import { isRecord } from "../data/lenient.js"
import { privateTextsOf } from "../errors/confidential.js"
import { makeRedactor } from "../errors/redact.js"

const placeholder = "[redacted]"

/** Start and end of a default message of `effect/Schema`. The end contains the placeholder instead of the value. */
const defaultPrefix = "Expected "
const actualSuffix = `, actual "${placeholder}"`

/** Maximum length of a message in characters. Without a maximum, a message could contain the text of a large schema. */
const maxMessageChars = 300

const maxIssues = 20

/** Maximum number of parts of a value that are searched for in a message. */
const maxSearchedValues = 1000

/** Returns the strings and the numbers in a value as strings. */
const textsIn = (value: unknown): ReadonlySet<string> => {
  const found = new Set<string>()
  const unread: Array<unknown> = [value]
  for (let i = 0; i < unread.length && i < maxSearchedValues; i++) {
    const next = unread[i]
    if (Array.isArray(next)) unread.push(...next.slice(0, maxSearchedValues))
    else if (isRecord(next)) unread.push(...Object.values(next).slice(0, maxSearchedValues))
    else if (typeof next === "number" || typeof next === "bigint") found.add(String(next))
    else if (typeof next === "string" && next !== "") found.add(next)
  }
  return found
}

const escapePattern = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&")

/**
 * Redacts each part of a message that is equal to a string or a number in `actual`. A custom message of a schema can
 * quote the checked value.
 */
const withoutValues = (message: string, actual: unknown): string => {
  let result = message
  for (const text of textsIn(actual)) {
    if (!result.includes(text)) continue
    const pattern = new RegExp(`(?<![\\p{L}\\p{N}_])${escapePattern(text)}(?![\\p{L}\\p{N}_])`, "gu")
    result = result.replaceAll(pattern, placeholder)
  }
  return result
}

/** Replaces every value in an issue with a placeholder, so that no message can contain the value. */
const redactIssue = (issue: ParseResult.ParseIssue): ParseResult.ParseIssue => {
  const messageOf = ({ actual, message }: ParseResult.Forbidden | ParseResult.Type | ParseResult.Unexpected) =>
    message === undefined ? undefined : withoutValues(message, actual)
  switch (issue._tag) {
    case "Type":
      return new ParseResult.Type(issue.ast, placeholder, messageOf(issue))
    case "Forbidden":
      return new ParseResult.Forbidden(issue.ast, placeholder, messageOf(issue))
    case "Unexpected":
      return new ParseResult.Unexpected(placeholder, "is not a field of the schema")
    case "Missing":
      return issue
    case "Pointer":
      return new ParseResult.Pointer(issue.path, placeholder, redactIssue(issue.issue))
    case "Refinement":
      return new ParseResult.Refinement(issue.ast, placeholder, issue.kind, redactIssue(issue.issue))
    case "Transformation":
      return new ParseResult.Transformation(issue.ast, placeholder, issue.kind, redactIssue(issue.issue))
    case "Composite": {
      const issues = Arr.map(Arr.ensure(issue.issues), redactIssue)
      return Arr.isNonEmptyArray(issues) ? new ParseResult.Composite(issue.ast, placeholder, issues) : issue
    }
  }
}

/**
 * Pattern of the keys that a path shows. Other keys are redacted, because a key of a record can contain text of the
 * caller.
 */
const keyPattern = /^[\w$-]{1,64}$/

const formatPath = (root: string, path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`
    return typeof key === "string" && keyPattern.test(key) ? `${text}.${key}` : `${text}.${placeholder}`
  }, root)

const cut = (message: string): string =>
  message.length > maxMessageChars ? `${message.slice(0, maxMessageChars)}…` : message

/**
 * Returns the path and the message of at most 20 issues. Each path starts with `root`, such as `input`. Redacts the
 * texts of `value` in the messages.
 *
 * @internal
 */
export const describeIssues = (
  root: string,
  issue: ParseResult.ParseIssue,
  value: unknown
): Effect.Effect<ReadonlyArray<OutputIssue>> =>
  Effect.suspend(() => ParseResult.ArrayFormatter.formatIssue(redactIssue(issue))).pipe(
    Effect.map((found) => {
      const redactor = makeRedactor({ privateTexts: privateTextsOf(value) })
      return found.slice(0, maxIssues).map(({ message, path }) => ({
        path: formatPath(root, path),
        message: message.endsWith(actualSuffix)
          ? cut(`expected ${message.slice(defaultPrefix.length, -actualSuffix.length)}`)
          : cut(redactor.redactText([message]).join("").replace(/\.$/, ""))
      }))
    }),
    // If a message function of the schema throws an exception, the result contains a general message.
    Effect.catchAllDefect(() => Effect.succeed([{ path: root, message: "does not match the schema" }]))
  )
