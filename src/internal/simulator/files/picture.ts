/**
 * Draws a picture for a prompt. The prompt determines the colours and the wave pattern. A caption shows the prompt.
 *
 * @internal
 */
import * as Hash from "effect/Hash"
import { PCGRandom } from "effect/Utils"
import * as Caption from "./caption.js"
import * as Png from "./png.js"

/** @internal */
export interface Picture {
  readonly text: string
  /** Index of the picture among the pictures with the same text. */
  readonly index: number
  readonly width: number
  readonly height: number
}

const paletteSize = 16
/** Number of colours in the wave pattern. The first and the last colour of the palette are reserved for the caption. */
const waveColours = paletteSize - 2
const title = "PLACEHOLDER FROM THE SIMULATOR"

/** @internal Returns the length of the PNG file in bytes, without drawing the picture. */
export const byteLength = ({ width, height }: Picture): number => Png.byteLength(width, height, paletteSize)

const mixColours = (from: Png.Colour, to: Png.Colour, share: number): Png.Colour => {
  const channel = (a: number, b: number) => Math.round(a + (b - a) * share)
  return [channel(from[0], to[0]), channel(from[1], to[1]), channel(from[2], to[2])]
}

/** @internal Draws a picture as a PNG file. The same picture always has the same bytes. */
export const draw = ({ text, index, width, height }: Picture): Uint8Array => {
  const random = new PCGRandom(Hash.string(text), index)
  const randomColour = (minimum: number): Png.Colour => {
    const channel = () => minimum + random.integer(128)
    return [channel(), channel(), channel()]
  }
  const dark = randomColour(0)
  const light = randomColour(127)
  const wave = (length: number): Float64Array => {
    const turns = 1 + random.number() * 3
    const start = random.number()
    return Float64Array.from({ length }, (_, at) => Math.sin(2 * Math.PI * (start + (turns * at) / length)))
  }
  const columns = wave(width)
  const rows = wave(height)
  const diagonal = wave(width + height)
  const waves = Array.from({ length: waveColours }, (_, at) => mixColours(dark, light, at / (waveColours - 1)))
  const caption = Caption.make(title, index === 0 ? text : `${text} (${index + 1})`, width, height)
  return Png.encode({
    width,
    height,
    palette: [[0, 0, 0], ...waves, [255, 255, 255]],
    at: (x, y) => {
      const pixel = caption(x, y)
      if (pixel !== undefined) return pixel === "text" ? paletteSize - 1 : 0
      const level = ((columns[x] ?? 0) + (rows[y] ?? 0) + (diagonal[x + y] ?? 0) + 3) / 6
      return 1 + Math.min(waveColours - 1, Math.floor(level * waveColours))
    }
  })
}
