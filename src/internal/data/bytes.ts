/**
 * Functions for byte arrays.
 *
 * @internal
 */

/** @internal Concatenates byte arrays. */
export const concatBytes = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
