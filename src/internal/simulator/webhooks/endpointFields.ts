/**
 * The body that registers or changes a webhook endpoint.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { Settings } from "./endpoints.js"
import type { Details, Fields } from "../http/validation.js"
import * as Validation from "../http/validation.js"

const isTexts = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every(Predicate.isString)

/** What HTTP allows as a header: else no delivery could be sent. */
const isHeaders = (value: unknown): value is Readonly<Record<string, string>> =>
  Validation.isObject(value) &&
  Object.entries(value).every(
    ([name, text]) =>
      /^[\w!#$%&'*+.^`|~-]+$/.test(name) && Predicate.isString(text) && /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
  )

const check = ({ description, events, headers, is_active: active }: Fields): Details => [
  ...Validation.optional(description, Predicate.isString, "description", "a string"),
  ...Validation.optional(events, isTexts, "events", "an array of strings"),
  ...Validation.optional(headers, isHeaders, "headers", "an object of HTTP headers"),
  ...Validation.optional(active, Predicate.isBoolean, "is_active", "a boolean")
]

const settings = ({ url, description, events, headers, is_active: active }: Fields): Partial<Settings> => ({
  ...(Predicate.isString(url) ? { url } : {}),
  ...(Predicate.isString(description) ? { description } : {}),
  ...(isTexts(events) ? { events } : {}),
  ...(isHeaders(headers) ? { headers } : {}),
  ...(Predicate.isBoolean(active) ? { active } : {})
})

const urlKind = "an http or https URL"

/** @internal */
export const forCreate = (text: string): Either.Either<Settings, Details> =>
  Either.flatMap(Validation.body(text), (fields) => {
    const details = [
      ...Validation.required(fields["url"], Validation.isWebUrl, "url", urlKind, "INVALID_URL"),
      ...check(fields)
    ]
    return details.length > 0
      ? Either.left(details)
      : Either.right({
          url: "",
          description: undefined,
          events: [],
          headers: {},
          active: true,
          ...settings(fields)
        })
  })

/** @internal What is not named stays as it is. */
export const forUpdate = (text: string): Either.Either<Partial<Settings>, Details> =>
  Either.flatMap(Validation.body(text), (fields) => {
    const details = [
      ...Validation.optional(fields["url"], Validation.isWebUrl, "url", urlKind, "INVALID_URL"),
      ...check(fields)
    ]
    return details.length > 0 ? Either.left(details) : Either.right(settings(fields))
  })
