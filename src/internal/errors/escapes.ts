/**
 * Decodes the JSON, HTML and URL escapes in a text. Maps each decoded character to its position in the original text.
 *
 * @internal
 */

/**
 * The original text or a decoded text. `starts` contains, for each character, its position in the original text. For
 * the original text, `starts` is `undefined`.
 *
 * @internal
 */
export interface TextVariant {
  readonly text: string
  readonly starts: Uint32Array | undefined
}

/**
 * Returns the original text, the text decoded once and the text decoded twice. Errors can quote the request with JSON,
 * HTML or URL escapes, and these escapes can be nested.
 *
 * @internal
 */
export const variantsOf = (text: string): ReadonlyArray<TextVariant> => {
  const variants: Array<TextVariant> = [{ text, starts: undefined }]
  for (let last = variants[0]; last !== undefined && variants.length < 3;) {
    const decoded = decodeEscapes(last)
    if (decoded !== undefined) variants.push(decoded)
    last = decoded
  }
  return variants
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

/** Returns the number of bytes in a UTF-8 sequence that begins with `byte`. */
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

const decodeEscapes = ({ starts: before, text }: TextVariant): TextVariant | undefined => {
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

/** @internal Masks the range of the original text that corresponds to a range of a variant. */
export const maskRange = ({ starts }: TextVariant, from: number, to: number, mask: Uint8Array): void => {
  // `to` maps to the start of the character after the range. The masked range therefore includes the whole escape of
  // the last character.
  mask.fill(1, starts?.[from] ?? from, starts?.[to] ?? to)
}
