/**
 * Reads the error envelope of a response.
 *
 * @internal
 */
import { isRecord, nonEmptyString } from "../data/lenient.js"

/** @internal Decodes a body with the charset of its content type. Uses UTF-8 if the charset is missing or unknown. */
export const decodeText = (body: Uint8Array, contentType: string | undefined): string => {
  const label = /charset\s*=\s*"?([\w-]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8"
  try {
    return new TextDecoder(label).decode(body)
  } catch {
    return new TextDecoder().decode(body)
  }
}

/** @internal Parses JSON. Returns `undefined` if the text is not valid JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Returns the `error` object of the documented error envelope. If the body has no such object, returns the whole body
 * if its top level contains `code` and `message`. Otherwise, returns `undefined`.
 *
 * @internal
 */
export const findEnvelope = (json: unknown): { readonly [key: string]: unknown } | undefined => {
  if (!isRecord(json)) return undefined
  if (isRecord(json["error"]) && nonEmptyString(json["error"]["code"]) !== undefined) return json["error"]
  return nonEmptyString(json["code"]) !== undefined && nonEmptyString(json["message"]) !== undefined ? json : undefined
}

/**
 * Tests whether the body of a 2xx response is an error envelope. A FAILED execution also has an `error`, but its body
 * is not an error envelope.
 *
 * @internal
 */
export const isErrorEnvelope = (json: unknown): boolean =>
  isRecord(json) &&
  findEnvelope(json) !== undefined &&
  isRecord(json["error"]) &&
  json["id"] === undefined &&
  json["execution_id"] === undefined &&
  json["status"] === undefined
