/** Elements and styles that all charts share. Coordinates are rounded, so that equal data yields equal files. */

interface ChartOptions {
  readonly width: number
  readonly height: number
  /** Description for screen readers. */
  readonly title: string
  /** CSS rules of the chart. */
  readonly style: string
  /** CSS rules of the chart in dark mode. */
  readonly darkStyle: string
}

const makeStyle = ({ darkStyle, style }: ChartOptions): string =>
  [
    `text{fill:#1f2328;font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}`,
    ".title{font-size:17px;font-weight:600}.soft{fill:#59636e;font-size:12px}.tick{fill:#59636e;font-size:10px}",
    ".bold{font-weight:700}.end{text-anchor:end}.mid{text-anchor:middle}",
    ".card{fill:#fff;stroke:#d0d7de}.grid{stroke:#afb8c1;stroke-dasharray:2 3}.axis{stroke:#818b98}",
    style,
    "@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.soft,.tick{fill:#9198a1}",
    ".card{fill:#0d1117;stroke:#3d444d}.grid{stroke:#3d444d}.axis{stroke:#656c76}",
    `${darkStyle}}`
  ].join("")

/** Rounds a coordinate to 0.1 pixels. */
export const px = (n: number): string => String(Math.round(n * 10) / 10)

const escapeXml = (content: string): string => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

export const text = (x: number, y: number, style: string, content: string): string =>
  `<text x="${px(x)}" y="${px(y)}"${style === "" ? "" : ` class="${style}"`}>${escapeXml(content)}</text>`

export const path = (style: string, d: string): string => `<path class="${style}" d="${d}"/>`

/** Returns the integers from 0 to `n`. */
export const rangeTo = (n: number): ReadonlyArray<number> => Array.from({ length: n + 1 }, (_, i) => i)

/** Returns a chart on a card that is readable in light mode and in dark mode. */
export const drawDocument = (options: ChartOptions, elements: ReadonlyArray<string>): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${options.width} ${px(options.height)}" role="img">`,
    `<title>${escapeXml(options.title)}</title>`,
    `<style>${makeStyle(options)}</style>`,
    `<rect class="card" x=".5" y=".5" width="${options.width - 1}" height="${px(options.height - 1)}" rx="8"/>`,
    ...elements,
    "</svg>\n"
  ].join("\n")
