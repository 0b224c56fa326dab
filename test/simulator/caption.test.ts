/** Tests the caption of the pictures that the simulator draws. */
import { inflateSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Caption from "../../src/internal/simulator/files/caption.js"
import * as Picture from "../../src/internal/simulator/files/picture.js"

/** Renders a rectangle of a caption. "#" is text, "." is the background and " " is outside. */
const render = (caption: Caption.Caption, [left, top]: readonly [number, number], width: number, height: number) =>
  Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const pixel = caption(left + x, top + y)
      return pixel === undefined ? " " : pixel === "text" ? "#" : "."
    }).join("")
  )

// Two lines of 9 pixels and margins of 4 pixels start at row 230 of a picture of 256 pixels.
const firstLine = [4, 234] as const
const secondLine = [4, 243] as const

/** Returns the palette indices that occur in a PNG image with one IDAT chunk and four bits per pixel. */
const coloursOf = (png: Uint8Array): ReadonlySet<number> => {
  const file = Buffer.from(png)
  const at = file.indexOf("IDAT")
  const rows = inflateSync(file.subarray(at + 4, at + 4 + file.readUInt32BE(at - 4)))
  return new Set(Array.from(rows).flatMap((byte) => [byte >> 4, byte & 15]))
}

describe("Picture.draw", () => {
  it("draws the caption in white and uses white for no other part", () => {
    const picture = { text: "a red fox", index: 0, width: 256, height: 256 }
    assert.isTrue(coloursOf(Picture.draw(picture)).has(15))
    // A picture of 16 pixels has no room for a caption.
    assert.isFalse(coloursOf(Picture.draw({ ...picture, width: 16, height: 16 })).has(15))
  })
})

describe("Caption.make", () => {
  it("draws the title above the text at the bottom of the picture", () => {
    const caption = Caption.make("T", "lé", 256, 256)
    const title = ["#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."]
    assert.deepStrictEqual(render(caption, firstLine, 5, 7), title)
    assert.deepStrictEqual(render(caption, secondLine, 11, 7), [
      "#.....#####",
      "#.....#....",
      "#.....#....",
      "#.....####.",
      "#.....#....",
      "#.....#....",
      "#####.#####"
    ])
    assert.deepStrictEqual(
      [caption(0, 229), caption(0, 230), caption(255, 255)],
      [undefined, "background", "background"]
    )
  })

  it("scales the text with the width of the picture", () => {
    const caption = Caption.make("T", "l", 512, 512)
    assert.deepStrictEqual(render(caption, [8, 468], 10, 2), ["##########", "##########"])
    assert.deepStrictEqual(render(caption, [8, 470], 10, 1), ["....##...."])
  })

  it("wraps a long text within the lower half of the picture", () => {
    const caption = Caption.make("T", "word ".repeat(1000), 256, 256)
    assert.isUndefined(caption(0, 127))
    assert.notInclude(render(caption, [252, 128], 4, 128).join(""), "#")
  })

  it("draws a box for a character without a glyph", () => {
    const box = ["#####", "#...#", "#...#", "#...#", "#...#", "#...#", "#####"]
    assert.deepStrictEqual(render(Caption.make("T", "雪", 256, 256), secondLine, 5, 7), box)
  })

  it("draws nothing if the picture is too small", () => {
    assert.isUndefined(Caption.make("TITLE", "text", 16, 16)(15, 15))
    assert.isUndefined(Caption.make("TITLE", "text", 256, 16)(15, 15))
  })
})
