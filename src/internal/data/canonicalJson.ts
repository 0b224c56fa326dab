/**
 * Serializes JSON values canonically (RFC 8785). Two objects with the same members have the same text, regardless of
 * the order of their keys.
 *
 * @internal
 */

/** @internal Returns the canonical JSON of a value. Throws if `JSON.stringify` throws. */
export const canonicalJson = (value: unknown): string => write(JSON.parse(JSON.stringify(value) ?? "null"))

const write = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`).join(",")}}`
}
