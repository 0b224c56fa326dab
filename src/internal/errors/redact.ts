/**
 * Redacts text before an error or a log line shows it: the secrets of the call, the query of every URL, and every quote from the
 * request body, above all from the prompt.
 *
 * The cost depends on the text that is shown, not on the request: a shown text is cut to 2 KiB, and at most `maxSearchedChars`
 * characters of the request are searched.
 *
 * @internal
 */

/** @internal The longest text that an error shows, in characters. */
export const maxShownChars = 2048

/** @internal The texts of a request body that no error may quote. */
export interface PrivateTexts {
  readonly texts: ReadonlyArray<string>
  /** `false` if the body has more texts than were collected. */
  readonly isComplete: boolean
}

/** @internal What a redactor removes. */
export interface Confidential {
  readonly privateTexts?: PrivateTexts
  /** The API key, a signature, a header value: removed from identifiers as well. */
  readonly secrets?: ReadonlyArray<string>
}

/** @internal */
export const withSecrets = (confidential: Confidential = {}, secrets: ReadonlyArray<string>): Confidential => ({
  ...confidential,
  secrets: [...(confidential.secrets ?? []), ...secrets]
})

/** Shorter values of parameters, such as `3600` or `host`, are options. */
const minSecretValueChars = 6

/** Shorter names of parameters, such as `acl` or `versionId`, are options. */
const minSecretNameChars = 12

/** Parameters that S3 and Google Cloud Storage document. Their errors name them. */
const documentedName =
  /^(?:x-(?:amz|goog)-[a-z\d-]{1,32}|response-(?:content|cache|expires)[a-z-]{0,32}|AWSAccessKeyId|GoogleAccessId)$/i

/** Splits a query into names and values, without decoding them. */
const rawParameters = (query: string): ReadonlyArray<readonly [name: string, value: string]> =>
  query.split(/[&;]/).map((parameter) => {
    const [name = ""] = parameter.split("=", 1)
    return [name, parameter.slice(name.length + 1)]
  })

const isSecretName = (name: string): boolean => name.length >= minSecretNameChars && !documentedName.test(name)

/** Returns the secrets of a query in each form that storage can quote: as in the URL, or decoded, with `+` kept or as a space. */
const secretsOfQuery = (query: string): ReadonlyArray<string> => {
  const parameters = [
    ...rawParameters(query),
    ...new URLSearchParams(query),
    ...new URLSearchParams(query.replaceAll("+", "%2B"))
  ]
  return [
    ...parameters.map(([name]) => name).filter(isSecretName),
    ...parameters.map(([, value]) => value).filter(({ length }) => length >= minSecretValueChars)
  ]
}

/** @internal The parts of a presigned URL that give access to the file. Storage quotes them in its errors. */
export const secretsOfUrl = (url: string): ReadonlyArray<string> => {
  const { hash, search } = new URL(url)
  return Array.from(new Set([search, hash].flatMap((part) => secretsOfQuery(part.slice(1)))))
}

/** @internal Redacts all texts of one error together, so that the request is searched once. */
export interface Redactor {
  /** `false` if the request is too large to be searched: then free text is withheld. */
  readonly canSearch: boolean
  /** Redacts free text. */
  readonly redactText: (texts: ReadonlyArray<string>) => ReadonlyArray<string>
  /** Redacts codes, field names and ids. Words that the request contains as well are kept. */
  readonly redactIdentifiers: (texts: ReadonlyArray<string>) => ReadonlyArray<string>
}

const placeholder = "[redacted]"
const withheld = "[withheld, because the request is too large to be searched for quotes]"

/** Characters. A longer body is searched in its shortest texts only. */
const maxSearchedChars = 1024 * 1024
/** Two texts share shorter runs by chance. */
const runChars = 12
/** Shorter texts occur everywhere. */
const minWordChars = 3

/** Texts. A body with more of them is treated as too large to be searched. */
const maxCollectedTexts = 100_000

/** References such as `file_…` and `exec_…` are shown. */
const isPrivate = (text: string): boolean =>
  text.length >= minWordChars && !/^(exec|file|wh|evt|org|key|req)_[\w-]{1,80}$/.test(text)

/** @internal Collects the texts of a body one by one. */
export class TextCollector implements PrivateTexts {
  readonly texts: Array<string> = []
  isComplete = true

  add(text: string): void {
    if (!isPrivate(text)) return
    if (this.texts.length < maxCollectedTexts) this.texts.push(text)
    else this.isComplete = false
  }
}

/** @internal Collects the texts in a JSON value. */
export const privateTextsOf = (json: unknown): PrivateTexts => {
  const collector = new TextCollector()
  const unread: Array<unknown> = [json]
  while (unread.length > 0 && collector.isComplete) {
    const next = unread.pop()
    if (typeof next === "string") collector.add(next)
    else if (typeof next === "object" && next !== null) for (const member of Object.values(next)) unread.push(member)
  }
  return collector
}

/** Codes, ids and dotted paths. What looks different is redacted as free text. */
const identifierPattern = /^[\w.:[\]$/*+-]{1,200}$/

/** @internal */
export const makeRedactor = ({ privateTexts = noTexts, secrets = [] }: Confidential): Redactor => {
  const secretTexts = secrets.filter((secret) => secret.length >= minWordChars)
  const sources = selectSources(privateTexts, secretTexts)
  const redactText = (texts: ReadonlyArray<string>) =>
    sources.isComplete ? redact(texts, sources) : texts.map((text) => (text === "" ? text : withheld))
  return {
    canSearch: sources.isComplete,
    redactText,
    redactIdentifiers: (texts) => {
      const others = redactText(texts.filter((text) => !identifierPattern.test(text))).values()
      const withoutSecrets = redact(texts, selectSources(noTexts, secretTexts))
      return texts.map((text, i) =>
        identifierPattern.test(text) ? (withoutSecrets[i] ?? "") : (others.next().value ?? "")
      )
    }
  }
}

const noTexts: PrivateTexts = { texts: [], isComplete: true }

/** The texts to search, within the limit. */
interface Sources {
  readonly long: ReadonlyArray<string>
  readonly words: ReadonlySet<string>
  /** Whether the request has a text beyond the limit that contains no space, such as a file in base64. */
  readonly hasBlob: boolean
  readonly isComplete: boolean
}

const sumLengths = (texts: ReadonlyArray<string>): number => texts.reduce((sum, { length }) => sum + length, 0)

const selectSources = ({ isComplete, texts }: PrivateTexts, secrets: ReadonlyArray<string>): Sources => {
  const isWithinLimit = sumLengths(texts) <= maxSearchedChars
  const sorted = isWithinLimit ? texts : texts.toSorted((a, b) => a.length - b.length)
  const long: Array<string> = []
  const words = new Set<string>()
  const add = (text: string) => (text.length < runChars ? words.add(text) : long.push(text))
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

/** Separates the texts that are searched together. */
const separator = "\0"

const redact = (texts: ReadonlyArray<string>, sources: Sources): ReadonlyArray<string> => {
  const cut = texts.map((text) => text.slice(0, maxShownChars))
  const joined = cut.join(separator)
  const mask = new Uint8Array(joined.length)
  const readings = readingsOf(joined)
  maskRuns(readings, sources.long, mask)
  maskWords(readings, sources.words, mask)
  if (sources.hasBlob) maskTokens(joined, mask)
  const hasPattern = anyPattern.test(joined)
  let from = 0
  return cut.map((text) => {
    const masked = applyMask(text, mask, from)
    from += text.length + separator.length
    return hasPattern ? redactPatterns(masked).slice(0, maxShownChars) : masked.slice(0, maxShownChars)
  })
}

const applyMask = (text: string, mask: Uint8Array, from: number): string => {
  const isMasked = (at: number) => at < text.length && mask[from + at] === 1
  let result = ""
  let shown = 0
  for (let at = 0; at < text.length; at++) {
    if (!isMasked(at)) continue
    result += text.slice(shown, at) + placeholder
    while (isMasked(at)) at++
    shown = at
  }
  return shown === 0 ? text : result + text.slice(shown)
}

/** The shown text as it is, or with its escapes decoded. `starts` leads from each character back to the shown text. */
interface Reading {
  readonly text: string
  readonly starts: Uint32Array | undefined
}

/** A quote can be escaped as JSON, HTML or a URL, and as one inside another. */
const readingsOf = (text: string): ReadonlyArray<Reading> => {
  const readings: Array<Reading> = [{ text, starts: undefined }]
  for (let last = readings[0]; last !== undefined && readings.length < 3;) {
    const decoded = decodeEscapes(last)
    if (decoded !== undefined) readings.push(decoded)
    last = decoded
  }
  return readings
}

const escapes = /\\u[\da-f]{4}|\\["\\/bfnrt]|&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[\da-f]{1,6});|%[\da-f]{2}/gi
const jsonEscapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }
const htmlEntities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

const fromCodePoint = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd")

const decodeEscape = (escape: string): string => {
  if (escape.startsWith("\\u")) return String.fromCharCode(Number.parseInt(escape.slice(2), 16))
  if (escape.startsWith("\\")) return jsonEscapes[escape.charAt(1)] ?? escape.charAt(1)
  const name = escape.slice(1, -1).toLowerCase()
  if (name.startsWith("#x")) return fromCodePoint(Number.parseInt(name.slice(2), 16))
  if (name.startsWith("#")) return fromCodePoint(Number(name.slice(1)))
  return htmlEntities[name] ?? escape
}

/** The number of bytes in a UTF-8 sequence, by its first byte. */
const utf8Length = (byte: number): number => (byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4)

const decodePercents = (text: string, at: number): { readonly decoded: string; readonly length: number } => {
  const length = 3 * utf8Length(Number.parseInt(text.slice(at + 1, at + 3), 16))
  const sequence = text.slice(at, at + length)
  try {
    return { decoded: decodeURIComponent(sequence), length: sequence.length }
  } catch {
    return { decoded: "%", length: 1 }
  }
}

const decodeEscapes = ({ starts: before, text }: Reading): Reading | undefined => {
  if (text.search(escapes) < 0) return undefined
  const starts = new Uint32Array(text.length + 1)
  let result = ""
  let from = 0
  const add = (decoded: string, at: number, step: 0 | 1) => {
    for (let i = 0; i < decoded.length; i++) {
      const start = at + i * step
      starts[result.length + i] = before?.[start] ?? start
    }
    result += decoded
  }
  for (const { 0: escape, index } of text.matchAll(escapes)) {
    if (index < from) continue
    add(text.slice(from, index), from, 1)
    const { decoded, length } = escape.startsWith("%")
      ? decodePercents(text, index)
      : { decoded: decodeEscape(escape), length: escape.length }
    add(decoded, index, 0)
    from = index + length
  }
  add(text.slice(from), from, 1)
  starts[result.length] = before?.[text.length] ?? text.length
  return { text: result, starts }
}

const maskRange = ({ starts }: Reading, from: number, to: number, mask: Uint8Array): void => {
  // The end is where the next character starts: an escape is masked as a whole.
  mask.fill(1, starts?.[from] ?? from, starts?.[to] ?? to)
}

const hashBase = 0x0100_0193
/** The weight of the character that leaves a run. */
const leavingWeight = Array.from({ length: runChars - 1 }).reduce<number>((power) => Math.imul(power, hashBase), 1)

/** Holds one bit of each hash, so that a scan skips most runs without a look-up. */
const filterSize = 2 ** 16
const filterIndex = (hash: number): number => (hash ^ (hash >>> 16)) & (filterSize - 1)

/** Visits each run of `runChars` characters with its rolling hash: all of them, or those that pass the filter. */
const eachRun = (text: string, filter: Uint8Array | undefined, visit: (at: number, hash: number) => void): void => {
  let hash = 0
  for (let end = 0; end < text.length; end++) {
    hash = (Math.imul(hash, hashBase) + text.charCodeAt(end)) | 0
    const at = end - runChars + 1
    if (at < 0) continue
    if (filter === undefined || filter[filterIndex(hash)] === 1) visit(at, hash)
    hash = (hash - Math.imul(text.charCodeAt(at), leavingWeight)) | 0
  }
}

/** A hash table of the runs in some texts. Equal runs share an id. */
class RunIndex {
  readonly filter = new Uint8Array(filterSize)
  private readonly text: string
  /** Positions in `text` plus 1; 0 is a free slot. */
  private readonly slots: Int32Array

  constructor(texts: ReadonlyArray<string>) {
    this.text = texts.join(separator)
    this.slots = new Int32Array(2 * 2 ** Math.ceil(Math.log2(this.text.length + 1)))
    eachRun(this.text, undefined, (at, hash) => {
      this.filter[filterIndex(hash)] = 1
      const slot = this.slotOf(this.text, at, hash)
      if (this.slots[slot] === 0) this.slots[slot] = at + 1
    })
  }

  /** One more than the largest id. */
  get size(): number {
    return this.text.length + 1
  }

  /** The id of the run at a position of another text, or 0. */
  find(text: string, at: number, hash: number): number {
    return this.slots[this.slotOf(text, at, hash)] ?? 0
  }

  private slotOf(text: string, at: number, hash: number): number {
    const last = this.slots.length - 1
    for (let slot = (hash ^ (hash >>> 15)) & last; ; slot = (slot + 1) & last) {
      const id = this.slots[slot] ?? 0
      if (id === 0 || this.isSameRun(id - 1, text, at)) return slot
    }
  }

  private isSameRun(own: number, text: string, at: number): boolean {
    for (let i = 0; i < runChars; i++) if (this.text.charCodeAt(own + i) !== text.charCodeAt(at + i)) return false
    return true
  }
}

/** Masks every run that a reading shares with a source. The smaller side is indexed, the larger one is scanned. */
const maskRuns = (readings: ReadonlyArray<Reading>, sources: ReadonlyArray<string>, mask: Uint8Array): void => {
  if (sources.length === 0 || readings.every(({ text }) => text.length < runChars)) return
  const shown = readings.map(({ text }) => text)
  const isSourceSmaller = sumLengths(sources) < sumLengths(shown)
  const index = new RunIndex(isSourceSmaller ? sources : shown)
  const isShared = new Uint8Array(index.size)
  if (isSourceSmaller) {
    isShared.fill(1)
  } else {
    for (const source of sources) {
      eachRun(source, index.filter, (at, hash) => {
        isShared[index.find(source, at, hash)] = 1
      })
    }
  }
  isShared[0] = 0
  for (const reading of readings) {
    const { text } = reading
    eachRun(text, index.filter, (at, hash) => {
      if (isShared[index.find(text, at, hash)] === 1) maskRange(reading, at, at + runChars, mask)
    })
  }
}

const wordPattern = /[\p{L}\p{N}_]/u
const isAsciiWord = Uint8Array.from({ length: 128 }, (_, code) => (/\w/.test(String.fromCharCode(code)) ? 1 : 0))

const isWordAt = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at)
  return code < 128 ? isAsciiWord[code] === 1 : wordPattern.test(text.charAt(at))
}

/** Masks short texts where they stand alone: not within a longer word. */
const maskWords = (readings: ReadonlyArray<Reading>, words: ReadonlySet<string>, mask: Uint8Array): void => {
  if (words.size === 0) return
  const firsts = new Set(Array.from(words, (word) => word.charCodeAt(0)))
  const lengths = Array.from(new Set(Array.from(words, ({ length }) => length)))
  for (const reading of readings) {
    const { text } = reading
    for (let at = 0; at + minWordChars <= text.length; at++) {
      if (!firsts.has(text.charCodeAt(at)) || isWordAt(text, at - 1)) continue
      for (const length of lengths) {
        const end = at + length
        if (end <= text.length && !isWordAt(text, end) && words.has(text.slice(at, end))) {
          maskRange(reading, at, end, mask)
        }
      }
    }
  }
}

/** Words and dotted field names. Twelve characters of base64 look like this once in 40,000 times. */
const ordinaryWord = /^[^\w]*[A-Z]?[a-z]+(?:[_.-][a-z]+)*[^\w]*$/

/** Masks every text without spaces that may be a quote of a blob, which is too large to be searched. */
const maskTokens = (text: string, mask: Uint8Array): void => {
  let from = 0
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : 0
    if (code !== 0 && code !== 0x20) continue
    if (at - from >= runChars && !ordinaryWord.test(text.slice(from, at))) mask.fill(1, from, at)
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
