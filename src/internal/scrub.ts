/**
 * Takes out of a text what must not be shown: keys and secrets, the query of any URL, and whatever the request kept
 * private (the prompt above all), also where a server quotes only a part of it.
 *
 * @internal
 */
import { isRecord } from "./tolerant.js"

const removed = "[redacted]"

/** @internal Every text in a request body, but for references that are worth showing (`file_…`, `exec_…`). */
export const privateTexts = (body: unknown): ReadonlyArray<string> => {
  const texts: Array<string> = []
  const unread: Array<unknown> = [body]
  while (unread.length > 0) {
    const next = unread.pop()
    if (typeof next === "string") {
      if (next.length >= shortest && !/^(exec|file|wh|evt|org|key|req)_[\w-]+$/.test(next)) texts.push(next)
    } else if (Array.isArray(next)) {
      for (const item of next) unread.push(item)
    } else if (isRecord(next)) {
      for (const key in next) unread.push(next[key])
    }
  }
  return texts
}

/** Shorter texts are everywhere. */
const shortest = 3
/** Shorter runs that two texts share are the language's, not the prompt's. */
const telling = 12

const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const escapeUrl = (text: string): string => encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"))

/** A quote arrives as it was, or in the dress of what it is quoted in. */
const spellings = (text: string): ReadonlyArray<string> =>
  Array.from(new Set([text, JSON.stringify(text).slice(1, -1), escapeHtml(text), escapeUrl(text)]))

const wordCharacter = /[\p{L}\p{N}_]/u

const maskWord = (text: string, word: string): string => {
  let result = ""
  let from = 0
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, from)) {
    const end = at + word.length
    const inside = wordCharacter.test(text.charAt(at - 1)) || wordCharacter.test(text.charAt(end))
    result += text.slice(from, at) + (inside ? word : removed)
    from = end
  }
  return result + text.slice(from)
}

const runsOf = (secrets: ReadonlyArray<string>): ReadonlySet<string> => {
  const runs = new Set<string>()
  for (const secret of secrets) {
    for (let at = 0; at + telling <= secret.length; at++) runs.add(secret.slice(at, at + telling))
  }
  return runs
}

/** Masks every run of `telling` characters that the text shares with a secret. */
const maskRuns = (text: string, runs: ReadonlySet<string>): string => {
  if (runs.size === 0) return text
  let result = ""
  let shown = 0
  let hiddenTo = 0
  for (let at = 0; at + telling <= text.length; at++) {
    if (!runs.has(text.slice(at, at + telling))) continue
    if (at >= hiddenTo) {
      result += text.slice(shown, at) + removed
    }
    hiddenTo = at + telling
    shown = hiddenTo
  }
  return result + text.slice(shown)
}

/** @internal Made once per error: it holds an index of the secrets. */
export const scrubber = (secrets: ReadonlyArray<string>): ((text: string) => string) => {
  const spelled = secrets.flatMap(spellings)
  const runs = runsOf(spelled)
  const short = spelled.filter((secret) => secret.length < telling)
  return (text) =>
    short
      .reduce(maskWord, maskRuns(text, runs))
      .replace(/\b(sk|whsec)_[\w.-]+/g, `$1_${removed}`)
      .replace(/\bBearer\s+[^\s"',;<>]+/gi, `Bearer ${removed}`)
      .replace(/(\bhttps?:(?:\\?\/){2}[^\s"'<>?#]*)[?#][^\s"'<>]*/gi, `$1?${removed}`)
      .replace(/(X-Amz-[\w-]+)((?:\\?"|&quot;)?\s*(?:=|%3D|:)\s*(?:\\?"|&quot;)?)[^\s&"'<>\\]+/gi, `$1$2${removed}`)
}
