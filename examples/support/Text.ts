/**
 * Wraps printed text.
 */

const columns = 80

/**
 * Wraps a text at 80 columns. A longer word stays on one line. Each line after the first starts with `indent` spaces.
 * `firstColumn` is the column at which the caller prints the text.
 */
export const wrap = (text: string, indent = 0, firstColumn = indent): string => {
  let column = firstColumn
  return text
    .split(" ")
    .map((word, index) => {
      const isFirst = index === 0
      const fits = column + (isFirst ? 0 : 1) + word.length <= columns
      if (isFirst || fits) {
        column += (isFirst ? 0 : 1) + word.length
        return isFirst ? word : ` ${word}`
      }
      column = indent + word.length
      return `\n${" ".repeat(indent)}${word}`
    })
    .join("")
}
