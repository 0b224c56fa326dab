/**
 * Functions for byte arrays.
 *
 * @internal
 */

/** @internal Concatenates byte arrays. */
export const concatBytes = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first] = chunks
  // A single chunk is not copied. The new view is a plain `Uint8Array`, because the chunk can be a Node.js `Buffer`.
  if (first !== undefined && chunks.length === 1)
    return new Uint8Array(first.buffer, first.byteOffset, first.byteLength)
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
