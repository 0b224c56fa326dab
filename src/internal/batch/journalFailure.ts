/**
 * Builds the errors of the journals.
 *
 * @internal
 */
import { JournalError } from "../../ModelRouteError.js"

const maxKeyLength = 100

/** @internal Quotes a key for an error message. Shortens a key of more than 100 characters. */
export const quote = (key: string): string =>
  JSON.stringify(key.length > maxKeyLength ? `${key.slice(0, maxKeyLength)}…` : key)

/** @internal */
export const journalError = (operation: string, message: string, detail?: string): JournalError =>
  new JournalError({
    operation,
    attempts: 0,
    message: `${operation}: ${message}`,
    ...(detail === undefined ? {} : { detail })
  })

/** @internal Returns the error for an entry that JSON cannot represent. */
export const notEncodable = (key: string): JournalError =>
  journalError("Batch.run", `the entry of the item ${quote(key)} cannot be written as JSON. The entry was not saved.`)
