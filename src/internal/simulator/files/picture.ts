/**
 * The picture that a prompt turns into: soft waves, whose colours and lengths come from the words.
 *
 * @internal
 */
import * as Hash from "effect/Hash"
import { PCGRandom } from "effect/Utils"
import type { Colour } from "./png.js"
import * as Png from "./png.js"

/** @internal */
export interface Picture {
  readonly text: string
  /** Which of the pictures made from one text. */
  readonly index: number
  readonly width: number
  readonly height: number
}

const colours = 16

/** @internal The length of its file. */
export const byteLength = ({ width, height }: Picture): number => Png.byteLength(width, height, colours)

const mix = (from: Colour, to: Colour, share: number): Colour => {
  const part = (a: number, b: number) => Math.round(a + (b - a) * share)
  return [part(from[0], to[0]), part(from[1], to[1]), part(from[2], to[2])]
}

/** @internal Its file, a PNG; the same for the same picture. */
export const draw = ({ text, index, width, height }: Picture): Uint8Array => {
  const random = new PCGRandom(Hash.string(text), index)
  const shade = (least: number): Colour => {
    const part = () => least + random.integer(128)
    return [part(), part(), part()]
  }
  const dark = shade(0)
  const light = shade(127)
  const wave = (length: number): Float64Array => {
    const turns = 1 + random.number() * 3
    const start = random.number()
    return Float64Array.from({ length }, (_, at) => Math.sin(2 * Math.PI * (start + (turns * at) / length)))
  }
  const columns = wave(width)
  const rows = wave(height)
  const diagonal = wave(width + height)
  return Png.encode({
    width,
    height,
    palette: Array.from({ length: colours }, (_, at) => mix(dark, light, at / (colours - 1))),
    at: (x, y) => {
      const level = ((columns[x] ?? 0) + (rows[y] ?? 0) + (diagonal[x + y] ?? 0) + 3) / 6
      return Math.min(colours - 1, Math.floor(level * colours))
    }
  })
}
