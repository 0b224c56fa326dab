/**
 * Serializes JSON values of any depth. `JSON.stringify` is recursive and overflows the stack after a few thousand
 * levels. A response can have more levels, because `JSON.parse` has no depth limit.
 *
 * @internal
 */
import { isRecord } from "./lenient.js"

/** @internal Serializes a value that contains only JSON types, such as a result of `JSON.parse`. */
export const stringify = (value: unknown): string => {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (error instanceof RangeError) return stringifyDeep(value)
    throw error
  }
}

/** A text that is written unchanged between values, such as a bracket or a comma. */
class Raw {
  constructor(readonly text: string) {}
}

const stringifyDeep = (value: unknown): string => {
  const parts: Array<string> = []
  /** The values and texts that are not written yet, in reverse order. */
  const unwritten: Array<unknown> = [value]
  while (unwritten.length > 0) {
    const next = unwritten.pop()
    if (next instanceof Raw) {
      parts.push(next.text)
    } else if (Array.isArray(next)) {
      unwritten.push(new Raw("]"))
      for (let i = next.length - 1; i >= 0; i--) unwritten.push(next[i] ?? null, new Raw(i === 0 ? "[" : ","))
      if (next.length === 0) parts.push("[")
    } else if (isRecord(next)) {
      const members = Object.entries(next).filter(([, member]) => member !== undefined)
      unwritten.push(new Raw("}"))
      for (let i = members.length - 1; i >= 0; i--) {
        const [key, member] = members[i] ?? []
        unwritten.push(member, new Raw(`${i === 0 ? "{" : ","}${JSON.stringify(key)}:`))
      }
      if (members.length === 0) parts.push("{")
    } else {
      parts.push(JSON.stringify(next) ?? "null")
    }
  }
  return parts.join("")
}

/**
 * Tests whether a value is larger than `limit` characters. The size is the total length of all strings and keys in the
 * value, at any depth. Each value that is not a string adds one character.
 *
 * @internal
 */
export const isLargerThan = (value: unknown, limit: number): boolean => {
  const unread: Array<unknown> = [value]
  let size = 0
  while (unread.length > 0 && size <= limit) {
    const next = unread.pop()
    size += typeof next === "string" ? next.length : 1
    if (typeof next !== "object" || next === null) continue
    for (const [key, member] of Object.entries(next)) {
      size += key.length
      unread.push(member)
    }
  }
  return size > limit
}

/** Returns the index of the quotation mark that ends a string, or -1. `start` is the index of its first character. */
const endOfString = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text[end - 1 - backslashes] === "\\") backslashes += 1
    if (backslashes % 2 === 0) return end
  }
  return -1
}

/**
 * Returns `true` if the JSON text of an object or an array ends before its last bracket, or if the text is empty. Some
 * servers and transports end an incomplete body without an error. The text can end with a bracket of an inner value.
 *
 * @internal
 */
export const isTruncatedJson = (text: string): boolean => {
  if (text === "") return true
  if (!/^\s*[[{]/.test(text)) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === "[" || character === "{") depth += 1
    else if (character === "]" || character === "}") depth -= 1
    else if (character === '"') {
      at = endOfString(text, at + 1)
      if (at < 0) return true
    }
  }
  return depth > 0
}
