/** Draws the samples of a load as a dashboard with four panels. */
import { drawDocument, path, px, text } from "../svg.js"
import { type LoadResult, minutes, outage, peak, requestsPerMinute, sampleSeconds } from "./load.js"
import {
  drawHeader,
  drawLine,
  drawStackedAreas,
  drawStackedBars,
  drawTimeAxis,
  drawValueAxis,
  type LegendEntry,
  linearScale,
  logScale,
  makePlot,
  type Plot
} from "./panel.js"
import { type ByTag, percentile, type Sample } from "./samples.js"

const width = 900
const height = 552
const columns = [20, 460] as const
const rows = [98, 336] as const
const plotHeight = 136

/** Colours in light and dark mode. Colour-blind readers can distinguish the colours of each panel. */
const colours = {
  ok: ["#9aa4ae", "#656c76"],
  lost: ["#d1570a", "#f0883e"],
  busy: ["#bf3989", "#f778ba"],
  rejected: ["#24292f", "#f0f6fc"],
  video: ["#0969da", "#58a6ff"],
  image: ["#bf8700", "#e3b341"],
  text: ["#1a7f64", "#3fcf9f"],
  waiting: ["#bf8700", "#e3b341"],
  inFlight: ["#0969da", "#58a6ff"],
  key: ["#59636e", "#9198a1"],
  event: ["#bf3989", "#f778ba"],
  peak: ["#eff2f5", "#1c232c"]
} as const

const makeColours = (mode: 0 | 1): string =>
  Object.entries(colours)
    .map(([name, values]) => `.${name}{color:${values[mode]}}`)
    .join("")

const style = [
  ".mono{fill:#59636e;font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}",
  ".area{fill:currentColor}.line,.mark{fill:none;stroke:currentColor}",
  ".line{stroke-width:1.8;stroke-linejoin:round}.mark,.dashed{stroke-dasharray:3 2.5}",
  makeColours(0)
].join("")

const darkStyle = `.mono{fill:#9198a1}${makeColours(1)}`

/** Other outcomes have the style `key`. */
const outcomeStyles: Readonly<Record<string, string>> = {
  ok: "ok",
  ServiceUnavailable: "busy",
  TransportError: "lost",
  ContentModerationRejected: "rejected"
}

const modelStyles = { "seedance-video": "video", "flux-1.1-pro": "image", "text-generation-standard": "text" } as const

/** Duration of one bar in seconds. */
const barSeconds = 10

/** Duration of the interval of one percentile, in seconds. */
const percentileSeconds = 60

const get = (values: ByTag<number> | undefined, tag: string): number => values?.get(tag) ?? 0

/** Returns the samples at an interval, from the first sample. */
const thin = (samples: ReadonlyArray<Sample>, seconds: number): ReadonlyArray<Sample> =>
  samples.filter((_, i) => i % (seconds / sampleSeconds) === 0)

/** Draws the peak load and the outage behind the data. */
const drawEvents = ({ bottom, toX, top }: Plot): ReadonlyArray<string> => [
  path("area peak", `M${px(toX(peak.from))} ${top}H${px(toX(peak.to))}V${bottom}H${px(toX(peak.from))}z`),
  path("mark event", `M${px(toX(outage.from))} ${top}V${bottom}`)
]

const drawTitle = ({ executions }: LoadResult): ReadonlyArray<string> => [
  text(20, 32, "title", `Metrics of a load test: ${executions} executions in ${minutes} minutes`),
  text(20, 58, "", `rate limit: ${requestsPerMinute} requests per minute`),
  path("area peak", "M276 46h16v16h-16z"),
  text(299, 58, "", `${peak.load} times the load, slower models`),
  path("mark event", "M534 46v16"),
  text(542, 58, "", "outage: the API responds with 503")
]

const drawRequests = (samples: ReadonlyArray<Sample>, plot: Plot, left: number, top: number): ReadonlyArray<string> => {
  const intervals = thin(samples, barSeconds)
  const totals = samples.at(-1)?.requestsByOutcome
  const outcomes = [...new Set([...Object.keys(outcomeStyles), ...(totals?.keys() ?? [])])]
  const toStyle = (outcome: string) => `area ${outcomeStyles[outcome] ?? "key"}`
  const series = outcomes.map((outcome) => ({
    style: toStyle(outcome),
    values: intervals.slice(1).map(({ requestsByOutcome }, i) => {
      const count = get(requestsByOutcome, outcome) - get(intervals[i]?.requestsByOutcome, outcome)
      return count / barSeconds
    })
  }))
  const sums = intervals.slice(1).map((_, i) => series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0))
  const scale = linearScale(plot, Math.max(...sums))
  const legend = outcomes.map((outcome): LegendEntry => ({
    style: toStyle(outcome),
    label: `${outcome}: ${get(totals, outcome)}`
  }))
  return [
    ...drawHeader(left, top, "Requests per second", "modelroute_requests_total", legend),
    ...drawValueAxis(plot, scale, (rate) => `${rate}/s`),
    ...drawStackedBars(series, barSeconds / 60, plot, scale)
  ]
}

const drawCosts = (samples: ReadonlyArray<Sample>, plot: Plot, left: number, top: number): ReadonlyArray<string> => {
  const points = thin(samples, barSeconds)
  const series = Object.entries(modelStyles)
    .map(([model, style]) => ({
      style: `area ${style}`,
      values: points.map(({ dollarsByModel }) => get(dollarsByModel, model))
    }))
    .toReversed()
  const last = samples.at(-1)?.dollarsByModel
  const total = [...(last?.values() ?? [])].reduce((sum, value) => sum + value, 0)
  const scale = linearScale(plot, total)
  const legend = Object.entries(modelStyles).map(([model, style]): LegendEntry => ({
    style: `area ${style}`,
    label: `${model}: $${get(last, model).toFixed(2)}`
  }))
  return [
    ...drawHeader(left, top, "Cost", "modelroute_cost_dollars_total", legend),
    ...drawValueAxis(plot, scale, (dollars) => `$${dollars}`),
    ...drawStackedAreas(
      series,
      points.map(({ minute }) => minute),
      plot,
      scale
    )
  ]
}

const drawLatencies = (
  samples: ReadonlyArray<Sample>,
  plot: Plot,
  left: number,
  top: number
): ReadonlyArray<string> => {
  const points = thin(samples, barSeconds)
  const scale = logScale(plot, [1, 2, 4, 8, 16, 32, 64, 128])
  const draw = (model: string, style: string, share: number): string => {
    const line = points.map(({ latencyByModel, minute }, i) => {
      const earlier = points[Math.max(0, i - percentileSeconds / barSeconds)]?.latencyByModel.get(model) ?? []
      return { minute, value: percentile(share, latencyByModel.get(model) ?? [], earlier) }
    })
    return drawLine(style, line, plot, scale)
  }
  return [
    ...drawHeader(left, top, "Latency", "modelroute_execution_latency_seconds", [
      ...Object.entries(modelStyles).map(([label, style]): LegendEntry => ({ style: `line ${style}`, label })),
      { style: "line key", label: "p50 of 1 minute, dashed: p95" }
    ]),
    ...drawValueAxis(plot, scale, (seconds) => `${seconds} s`),
    ...Object.entries(modelStyles).flatMap(([model, style]) => [
      draw(model, `line ${style}`, 0.5),
      draw(model, `line dashed ${style}`, 0.95)
    ])
  ]
}

const drawGate = (samples: ReadonlyArray<Sample>, plot: Plot, left: number, top: number): ReadonlyArray<string> => {
  const waiting = samples.map((sample) => sample.waiting)
  const inFlight = samples.map((sample) => sample.inFlight)
  const times = samples.map(({ minute }) => minute)
  const scale = linearScale(plot, Math.max(...waiting, ...inFlight))
  return [
    ...drawHeader(left, top, "Requests at the rate limit gate", "modelroute_gate_*", [
      { style: "area waiting", label: `waiting: at most ${Math.max(...waiting)}` },
      { style: "line inFlight", label: `in flight: at most ${Math.max(...inFlight)}` },
      { label: `rejected with a 429: ${samples.at(-1)?.rateLimited ?? 0}` }
    ]),
    ...drawValueAxis(plot, scale, String),
    ...drawStackedAreas([{ style: "area waiting", values: waiting }], times, plot, scale),
    drawLine(
      "line inFlight",
      samples.map(({ inFlight, minute }) => ({ minute, value: inFlight })),
      plot,
      scale
    )
  ]
}

/** Draws a panel in the given column and row. */
const drawPanel = (draw: typeof drawGate, column: 0 | 1, row: 0 | 1, samples: ReadonlyArray<Sample>) => {
  const left = columns[column]
  const top = rows[row]
  const plot = makePlot(left, top, plotHeight, minutes)
  return [...drawEvents(plot), ...draw(samples, plot, left, top), ...drawTimeAxis(plot, minutes)]
}

/** Returns the dashboard as SVG. */
export const drawDashboard = (result: LoadResult): string => {
  const title = "The metrics of the library during a load test: requests, cost, latency and the rate limit gate"
  return drawDocument({ width, height, title, style, darkStyle }, [
    ...drawTitle(result),
    ...drawPanel(drawRequests, 0, 0, result.samples),
    ...drawPanel(drawCosts, 1, 0, result.samples),
    ...drawPanel(drawLatencies, 0, 1, result.samples),
    ...drawPanel(drawGate, 1, 1, result.samples)
  ])
}
