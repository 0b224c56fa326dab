/** Draws the parts of a panel: title, legend, axes, areas and lines. */
import { path, px, rangeTo, text } from "../svg.js"

const width = 420
/** Distance from the left edge of a panel to its time axis. */
const axisOffset = 44
/** Height of the title and the legend above the plot. */
const headerHeight = 56

/** Rectangle of a plot, in pixels. */
export interface Plot {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
  readonly toX: (minute: number) => number
}

export const makePlot = (left: number, top: number, height: number, minutes: number): Plot => {
  const [plotLeft, plotRight] = [left + axisOffset, left + width - 8]
  return {
    left: plotLeft,
    right: plotRight,
    top: top + headerHeight,
    bottom: top + headerHeight + height,
    toX: (minute) => plotLeft + ((plotRight - plotLeft) * minute) / minutes
  }
}

export interface LegendEntry {
  /** CSS classes of the symbol. The class `line` draws a line, and `area` a square. Default: no symbol. */
  readonly style?: string
  readonly label: string
}

const drawSymbol = (style: string, x: number, y: number): string =>
  path(style, style.startsWith("line") ? `M${px(x)} ${px(y - 4)}h16` : `M${px(x + 3)} ${px(y)}v-10h10v10z`)

/** Draws the title, the name of the metric and a legend of two columns. */
export const drawHeader = (
  left: number,
  top: number,
  title: string,
  metric: string,
  legend: ReadonlyArray<LegendEntry>
): ReadonlyArray<string> => [
  text(left, top, "bold", title),
  text(left + width, top, "mono end", metric),
  ...legend.flatMap((entry, i) => {
    const x = left + (i % 2) * 210
    const y = top + 19 + Math.floor(i / 2) * 17
    const symbol = entry.style === undefined ? [] : [drawSymbol(entry.style, x, y)]
    return [...symbol, text(x + 21, y, "soft", entry.label)]
  })
]

export interface Scale {
  readonly ticks: ReadonlyArray<number>
  readonly toY: (value: number) => number
}

/** Returns a scale from 0 to at least `max` with at most five ticks. */
export const linearScale = ({ bottom, top }: Plot, max: number): Scale => {
  const steps = [1, 2, 3, 5].flatMap((step) => [step, step * 5, step * 10, step * 50]).toSorted((a, b) => a - b)
  const step = steps.find((step) => max / step <= 4) ?? max
  const count = Math.max(1, Math.ceil(max / step))
  return {
    ticks: rangeTo(count).map((n) => n * step),
    toY: (value) => bottom - ((bottom - top) * value) / (count * step)
  }
}

/** Returns a logarithmic scale from the first tick to the last tick. */
export const logScale = ({ bottom, top }: Plot, ticks: ReadonlyArray<number>): Scale => {
  const min = Math.log2(ticks[0] ?? 1)
  const max = Math.log2(ticks.at(-1) ?? 1)
  return { ticks, toY: (value) => bottom - ((bottom - top) * (Math.log2(value) - min)) / (max - min) }
}

export const drawValueAxis = (
  { left, right }: Plot,
  { ticks, toY }: Scale,
  format: (value: number) => string
): ReadonlyArray<string> => [
  path("grid", ticks.map((tick) => `M${left} ${px(toY(tick))}H${right}`).join("")),
  ...ticks.map((tick) => text(left - 6, toY(tick) + 3.5, "tick end", format(tick)))
]

export const drawTimeAxis = ({ bottom, left, right, toX }: Plot, minutes: number): ReadonlyArray<string> => {
  const ticks = rangeTo(minutes / 2).map((n) => 2 * n)
  return [
    path("axis", `M${left} ${px(bottom)}H${right}${ticks.map((tick) => `M${px(toX(tick))} ${px(bottom)}v4`).join("")}`),
    ...ticks.map((tick) => text(toX(tick), bottom + 15, "tick mid", tick === minutes ? `${tick} min` : String(tick)))
  ]
}

export interface Point {
  readonly minute: number
  /** The line is interrupted if the value is `undefined`. */
  readonly value: number | undefined
}

export const drawLine = (style: string, points: ReadonlyArray<Point>, { toX }: Plot, { toY }: Scale): string => {
  const commands = points.map(({ minute, value }, i) => {
    const isStart = points[i - 1]?.value === undefined
    return value === undefined ? "" : `${isStart ? "M" : "L"}${px(toX(minute))} ${px(toY(value))}`
  })
  return path(style, commands.join(""))
}

/** Series of a stacked chart. All series have the same times. */
export interface Series {
  readonly style: string
  readonly values: ReadonlyArray<number>
}

/**
 * Calls `draw` for each series, from the bottom to the top of the stack. `lower` excludes the values of the series, and
 * `upper` includes them.
 */
const forEachLayer = (
  series: ReadonlyArray<Series>,
  draw: (style: string, lower: ReadonlyArray<number>, upper: ReadonlyArray<number>) => string
): ReadonlyArray<string> => {
  let lower: ReadonlyArray<number> = []
  return series.map(({ style, values }) => {
    const upper = values.map((value, i) => value + (lower[i] ?? 0))
    const layer = draw(style, lower, upper)
    lower = upper
    return layer
  })
}

/** Draws one stack of bars for each interval. */
export const drawStackedBars = (
  series: ReadonlyArray<Series>,
  intervalMinutes: number,
  { toX }: Plot,
  { toY }: Scale
): ReadonlyArray<string> => {
  const bar = px(toX(intervalMinutes) - toX(0) - 1)
  return forEachLayer(series, (style, lower, upper) => {
    const bars = upper.flatMap((value, i) => {
      const bottom = toY(lower[i] ?? 0)
      const height = px(bottom - toY(value))
      return height === "0" ? [] : [`M${px(toX(i * intervalMinutes) + 0.5)} ${px(bottom)}v-${height}h${bar}v${height}z`]
    })
    return path(style, bars.join(""))
  })
}

/** Draws stacked areas. The times are in minutes. */
export const drawStackedAreas = (
  series: ReadonlyArray<Series>,
  times: ReadonlyArray<number>,
  { toX }: Plot,
  { toY }: Scale
): ReadonlyArray<string> =>
  forEachLayer(series, (style, lower, upper) => {
    const toPoint = (value: number, i: number) => `${px(toX(times[i] ?? 0))} ${px(toY(value))}`
    const above = upper.map(toPoint)
    const below = upper.map((_, i) => toPoint(lower[i] ?? 0, i)).toReversed()
    return path(style, `M${[...above, ...below].join("L")}z`)
  })
