/**
 * Reads the error envelope of a response.
 *
 * @internal
 */
import { isRecord, nonEmptyString } from "../data/lenient.js"

/** @internal Decodes a body with the charset of its content type, or as UTF-8 if the charset is unknown. */
export const decodeText = (body: Uint8Array, contentType: string | undefined): string => {
  const label = /charset\s*=\s*"?([\w-]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8"
  try {
    return new TextDecoder(label).decode(body)
  } catch {
    return new TextDecoder().decode(body)
  }
}

/** @internal Returns `undefined` if the text is not JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Finds the documented error envelope, or an error whose fields are at the top level of the body. */
export const findEnvelope = (json: unknown): { readonly [key: string]: unknown } | undefined => {
  if (!isRecord(json)) return undefined
  if (isRecord(json["error"]) && nonEmptyString(json["error"]["code"]) !== undefined) return json["error"]
  return nonEmptyString(json["code"]) !== undefined && nonEmptyString(json["message"]) !== undefined ? json : undefined
}

/** @internal Tests whether a 2xx response holds an error of the call. The `error` of an execution is none. */
export const isErrorEnvelope = (json: unknown): boolean =>
  isRecord(json) &&
  findEnvelope(json) !== undefined &&
  isRecord(json["error"]) &&
  json["id"] === undefined &&
  json["execution_id"] === undefined &&
  json["status"] === undefined
