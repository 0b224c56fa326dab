/**
 * Decodes the request bodies that create or update a webhook endpoint.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Validation from "../http/validation.js"
import type { Settings } from "./endpoints.js"

const isStringArray = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every(Predicate.isString)

/** Returns `true` for valid HTTP headers. Invalid headers would cause every delivery to fail. */
const isHeaderRecord = (value: unknown): value is Readonly<Record<string, string>> =>
  Validation.isObject(value) &&
  Object.entries(value).every(
    ([name, text]) =>
      /^[\w!#$%&'*+.^`|~-]+$/.test(name) && Predicate.isString(text) && /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
  )

const checkFields = ({ description, events, headers, is_active: active }: Validation.Fields): Validation.Details => [
  ...Validation.checkOptional(description, Predicate.isString, "description", "a string"),
  ...Validation.checkOptional(events, isStringArray, "events", "an array of strings"),
  ...Validation.checkOptional(headers, isHeaderRecord, "headers", "an object of HTTP headers"),
  ...Validation.checkOptional(active, Predicate.isBoolean, "is_active", "a boolean")
]

const toSettings = ({
  url,
  description,
  events,
  headers,
  is_active: active
}: Validation.Fields): Partial<Settings> => ({
  ...(Predicate.isString(url) ? { url } : {}),
  ...(Predicate.isString(description) ? { description } : {}),
  ...(isStringArray(events) ? { events } : {}),
  ...(isHeaderRecord(headers) ? { headers } : {}),
  ...(Predicate.isBoolean(active) ? { active } : {})
})

const urlKind = "an http or https URL"

/** @internal Decodes the body of a create request. */
export const decodeCreate = (text: string): Either.Either<Settings, Validation.Details> =>
  Either.flatMap(Validation.parseObject(text), (fields) => {
    const details = [
      ...Validation.checkRequired(fields["url"], Validation.isHttpUrl, "url", urlKind, "INVALID_URL"),
      ...checkFields(fields)
    ]
    return details.length > 0
      ? Either.left(details)
      : Either.right({
          url: "",
          description: undefined,
          events: [],
          headers: {},
          active: true,
          ...toSettings(fields)
        })
  })

/** @internal Decodes the body of an update request. The result contains only the fields to change. */
export const decodeUpdate = (text: string): Either.Either<Partial<Settings>, Validation.Details> =>
  Either.flatMap(Validation.parseObject(text), (fields) => {
    const details = [
      ...Validation.checkOptional(fields["url"], Validation.isHttpUrl, "url", urlKind, "INVALID_URL"),
      ...checkFields(fields)
    ]
    return details.length > 0 ? Either.left(details) : Either.right(toSettings(fields))
  })
