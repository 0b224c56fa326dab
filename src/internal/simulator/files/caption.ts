/**
 * Lays out the caption of a picture in a font of 5 × 7 pixels.
 *
 * @internal
 */

/** The seven pixel rows of each character. Each row is one base-32 digit, and each bit of the digit is one pixel. */
const glyphs: Readonly<Record<string, string>> = {
  " ": "0000000",
  A: "ehhvhhh",
  B: "uhhuhhu",
  C: "ehggghe",
  D: "uhhhhhu",
  E: "vgguggv",
  F: "vgguggg",
  G: "ehgnhhe",
  H: "hhhvhhh",
  I: "e44444e",
  J: "72222ic",
  K: "hikokih",
  L: "ggggggv",
  M: "hrllhhh",
  N: "hpljhhh",
  O: "ehhhhhe",
  P: "uhhuggg",
  Q: "ehhhlid",
  R: "uhhukih",
  S: "fgge11u",
  T: "v444444",
  U: "hhhhhhe",
  V: "hhhhha4",
  W: "hhhllrh",
  X: "hha4ahh",
  Y: "hha4444",
  Z: "v1248gv",
  0: "ehjlphe",
  1: "4c4444e",
  2: "eh168gv",
  3: "u11e11u",
  4: "26aiv22",
  5: "vgu11he",
  6: "egguhhe",
  7: "v124888",
  8: "ehhehhe",
  9: "ehhf11e",
  ".": "00000cc",
  ",": "0000c48",
  "!": "4444404",
  "?": "eh16404",
  "-": "000v000",
  "'": "4480000",
  '"': "aaa0000",
  ":": "0cc0cc0",
  ";": "0cc0c48",
  "(": "2488842",
  ")": "8422248",
  "/": "11248gg",
  "&": "cik8lid",
  "#": "aavavaa",
  "+": "044v440",
  "=": "00v0v00",
  _: "000000v"
}
const unknownGlyph = "vhhhhhv"

const glyphWidth = 5
const glyphHeight = 7
const cellWidth = glyphWidth + 1
const lineHeight = glyphHeight + 2
const margin = 4
/**
 * Picture width for each step of the character size, in pixels. For example, a picture that is twice as wide has
 * characters of double size.
 */
const unscaledWidth = 256

/** @internal A pixel of the caption. `undefined` is a pixel outside the caption. */
export type CaptionPixel = "text" | "background" | undefined

/** @internal Returns the pixel at a position in the picture. */
export type Caption = (x: number, y: number) => CaptionPixel

/** Splits a text into lines of at most `columns` characters. */
const toLines = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(/\s+/).flatMap((word) => word.match(new RegExp(`.{1,${columns}}`, "gu")) ?? [])) {
    const longer = line === "" ? word : `${line} ${word}`
    if (longer.length <= columns) {
      line = longer
    } else {
      lines.push(line)
      line = word
    }
  }
  return [...lines, line]
}

/** Converts a text to the characters of the font, for example `é` to `E`. */
const toFont = (text: string): string => text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toUpperCase()

/** Returns the pixel rows of each character in a line. */
const toGlyphs = (line: string): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from(line, (character) => Array.from(glyphs[character] ?? unknownGlyph, (digit) => Number.parseInt(digit, 32)))

/**
 * Lays out a title and a text at the bottom of a picture. The caption uses at most half of the height. If the picture
 * is too small for the title and a second line, the caption is omitted.
 *
 * @internal
 */
export const make = (title: string, text: string, width: number, height: number): Caption => {
  const scale = Math.max(1, Math.floor(width / unscaledWidth))
  const columns = Math.floor((width / scale - 2 * margin) / cellWidth)
  const maxLines = Math.floor((height / scale / 2 - 2 * margin) / lineHeight)
  if (columns < title.length || maxLines < 2) return () => undefined
  const lines = [title, ...toLines(toFont(text), columns)].slice(0, maxLines).map(toGlyphs)
  const top = height - scale * (lines.length * lineHeight + 2 * margin)
  return (x, y) => {
    if (y < top) return undefined
    const column = Math.floor(x / scale) - margin
    const row = Math.floor((y - top) / scale) - margin
    const glyph = lines[Math.floor(row / lineHeight)]?.[Math.floor(column / cellWidth)]
    const bits = glyph?.[row % lineHeight] ?? 0
    const bit = glyphWidth - 1 - (column % cellWidth)
    return bit >= 0 && ((bits >> bit) & 1) === 1 ? "text" : "background"
  }
}
