/**
 * Redacts texts for errors and log lines. Removes the secrets of the call and the query of every URL. Removes every
 * quote from the request body, such as a part of the prompt.
 *
 * The cost of a redaction has an upper limit for requests of any size. Each redacted text is truncated to 2,048
 * characters. These texts are compared with at most `maxSearchedChars` characters of the request body.
 *
 * @internal
 */
import { type PrivateTexts, type Confidential, minWordChars } from "./confidential.js"
import { type TextVariant, variantsOf, maskRange } from "./escapes.js"
import { substringChars, separator, forEachSubstring, SubstringIndex } from "./substringIndex.js"

/** @internal The maximum length of a text in an error. */
export const maxShownChars = 2048

/**
 * Redacts the texts of one error. A call redacts all of its texts together, because each call searches the request
 * body.
 *
 * @internal
 */
export interface Redactor {
  /**
   * `false` if the request body is too large to be compared with the texts of an error. `redactText` then returns a
   * placeholder for every text.
   */
  readonly canSearch: boolean
  /** Redacts texts that can contain quotes from the request body. */
  readonly redactText: (texts: ReadonlyArray<string>) => ReadonlyArray<string>
  /**
   * Removes secrets from codes, field names and ids. Keeps words that the request body also contains. Redacts any other
   * text as free text.
   */
  readonly redactIdentifiers: (texts: ReadonlyArray<string>) => ReadonlyArray<string>
}

const placeholder = "[redacted]"
const tooLargeToCheck = "[redacted, because the request is too large to check for quoted text]"

/**
 * The maximum number of characters of the request body that are compared with the texts of an error. If the body is
 * larger, its longest texts are not compared.
 */
const maxSearchedChars = 1024 * 1024

/** Matches codes, ids and dotted paths. `redactIdentifiers` redacts any other text as free text. */
const identifierPattern = /^[\w.:[\]$/*+-]{1,200}$/

/** @internal Returns the redactor of one error. */
export const makeRedactor = ({ privateTexts = noTexts, secrets = [] }: Confidential): Redactor => {
  const secretTexts = secrets.filter((secret) => secret.length >= minWordChars)
  const sources = selectSources(privateTexts, secretTexts)
  const redactText = (texts: ReadonlyArray<string>) =>
    sources.isComplete ? redact(texts, sources) : texts.map((text) => (text === "" ? text : tooLargeToCheck))
  return {
    canSearch: sources.isComplete,
    redactText,
    redactIdentifiers: (texts) => {
      const isIdentifier = texts.map((text) => identifierPattern.test(text))
      const freeTexts = redactText(texts.filter((_, i) => isIdentifier[i] !== true)).values()
      const withoutSecrets = redact(texts, selectSources(noTexts, secretTexts))
      return texts.map((_, i) =>
        isIdentifier[i] === true ? (withoutSecrets[i] ?? "") : (freeTexts.next().value ?? "")
      )
    }
  }
}

const noTexts: PrivateTexts = { texts: [], isComplete: true }

/** The secrets and the texts of the request body that are compared with the texts of an error. */
interface Sources {
  readonly long: ReadonlyArray<string>
  readonly words: ReadonlySet<string>
  /** `true` if a text without spaces is too large to be compared, such as a file in base64. */
  readonly hasBlob: boolean
  readonly isComplete: boolean
}

const sumLengths = (texts: ReadonlyArray<string>): number => texts.reduce((sum, { length }) => sum + length, 0)

const selectSources = ({ isComplete, texts }: PrivateTexts, secrets: ReadonlyArray<string>): Sources => {
  const isWithinLimit = sumLengths(texts) <= maxSearchedChars
  const sorted = isWithinLimit ? texts : texts.toSorted((a, b) => a.length - b.length)
  const long: Array<string> = []
  const words = new Set<string>()
  const add = (text: string) => (text.length < substringChars ? words.add(text) : long.push(text))
  secrets.forEach(add)
  let left = maxSearchedChars
  let hasBlob = false
  let isSearched = isComplete
  for (const text of sorted) {
    left -= text.length
    if (left >= 0) add(text)
    else if (text.includes(" ")) isSearched = false
    else hasBlob = true
  }
  return { long, words, hasBlob, isComplete: isSearched }
}

const redact = (texts: ReadonlyArray<string>, sources: Sources): ReadonlyArray<string> => {
  const cut = texts.map((text) => text.slice(0, maxShownChars))
  const joined = cut.join(separator)
  const mask = new Uint8Array(joined.length)
  const variants = variantsOf(joined)
  maskSubstrings(variants, sources.long, mask)
  maskWords(variants, sources.words, mask)
  if (sources.hasBlob) maskTokens(joined, mask)
  const hasPattern = anyPattern.test(joined)
  if (!hasPattern && !mask.includes(1)) return cut
  let from = 0
  return cut.map((text) => {
    const masked = applyMask(text, mask, from)
    from += text.length + separator.length
    return hasPattern ? redactPatterns(masked).slice(0, maxShownChars) : masked.slice(0, maxShownChars)
  })
}

const applyMask = (text: string, mask: Uint8Array, from: number): string => {
  const isMasked = (at: number) => mask[from + at] === 1
  let result = ""
  let shown = 0
  for (let at = 0; at < text.length; at++) {
    if (!isMasked(at)) continue
    result += text.slice(shown, at) + placeholder
    while (isMasked(at)) at++
    shown = at
  }
  return result + text.slice(shown)
}

/**
 * Masks every part of a text that has at least 12 characters and also occurs in a source. `variants` are the text and
 * its decoded forms. The sources can be large, so the smaller of the two sides is indexed and the larger side is
 * scanned.
 */
const maskSubstrings = (
  variants: ReadonlyArray<TextVariant>,
  sources: ReadonlyArray<string>,
  mask: Uint8Array
): void => {
  if (sources.length === 0 || variants.every(({ text }) => text.length < substringChars)) return
  const shown = variants.map(({ text }) => text)
  const isSourceSmaller = sumLengths(sources) < sumLengths(shown)
  const index = new SubstringIndex(isSourceSmaller ? sources : shown)
  const isShared = new Uint8Array(index.size)
  if (isSourceSmaller) {
    isShared.fill(1)
  } else {
    for (const source of sources) {
      forEachSubstring(source, index.filter, (at, hash) => {
        isShared[index.find(source, at, hash)] = 1
      })
    }
  }
  isShared[0] = 0
  for (const variant of variants) {
    const { text } = variant
    forEachSubstring(text, index.filter, (at, hash) => {
      if (isShared[index.find(text, at, hash)] === 1) maskRange(variant, at, at + substringChars, mask)
    })
  }
}

const wordPattern = /[\p{L}\p{N}_]/u
const isAsciiWord = Uint8Array.from({ length: 128 }, (_, code) => (/\w/.test(String.fromCharCode(code)) ? 1 : 0))

const isWordAt = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at)
  return code < 128 ? isAsciiWord[code] === 1 : wordPattern.test(text.charAt(at))
}

/** Masks each word of `words`, unless the word is only a part of a longer word in the text. */
const maskWords = (variants: ReadonlyArray<TextVariant>, words: ReadonlySet<string>, mask: Uint8Array): void => {
  if (words.size === 0) return
  const firsts = new Set(Array.from(words, (word) => word.charCodeAt(0)))
  const lengths = Array.from(new Set(Array.from(words, ({ length }) => length)))
  for (const variant of variants) {
    const { text } = variant
    for (let at = 0; at + minWordChars <= text.length; at++) {
      if (!firsts.has(text.charCodeAt(at)) || isWordAt(text, at - 1)) continue
      for (const length of lengths) {
        const end = at + length
        if (end <= text.length && !isWordAt(text, end) && words.has(text.slice(at, end))) {
          maskRange(variant, at, end, mask)
        }
      }
    }
  }
}

/**
 * Matches words and dotted field names, which are not parts of a file. Twelve random base64 characters match this
 * pattern with a probability of 1 in 40,000.
 */
const ordinaryWord = /^[^\w]*[A-Z]?[a-z]+(?:[_.-][a-z]+)*[^\w]*$/

/**
 * Masks every token that may be a part of a file in base64. A token is a text of at least 12 characters without spaces.
 * The file itself is too large to be compared with the text.
 */
const maskTokens = (text: string, mask: Uint8Array): void => {
  let from = 0
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : 0
    if (code !== 0 && code !== 0x20) continue
    if (at - from >= substringChars && !ordinaryWord.test(text.slice(from, at))) mask.fill(1, from, at)
    from = at + 1
  }
}

const anyPattern = /\b(?:sk|whsec)_|bearer|https?:|x-amz-|secret|key|token|password/i

const redactPatterns = (text: string): string =>
  text
    .replace(/\b(sk|whsec)_[\w.-]+/g, `$1_${placeholder}`)
    .replace(/\bBearer\s+[^\s"',;<>]+/gi, `Bearer ${placeholder}`)
    .replace(/(\bhttps?:(?:\\?\/){2})[^\s"'<>/?#@]*@/gi, `$1${placeholder}@`)
    .replace(/(\bhttps?:(?:\\?\/){2}[^\s"'<>?#]*)[?#][^\s"'<>]*/gi, `$1?${placeholder}`)
    .replace(/(X-Amz-[\w-]+)((?:\\?"|&quot;)?\s*(?:=|%3D|:)\s*(?:\\?"|&quot;)?)[^\s&"'<>\\]+/gi, `$1$2${placeholder}`)
    .replace(
      /((?:\\?"|&quot;)(?:\w*secret|new_key|api_key|\w*token|password)(?:\\?"|&quot;)\s*:\s*(?:\\?"|&quot;))(?:(?!\\?"|&quot;).)+/gi,
      `$1${placeholder}`
    )
