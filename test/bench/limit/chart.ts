/** Draws the requests of each client over time. Accepted requests point up, and rejected requests point down. */
import type { HandledRequest } from "../../utils/limitedServer.js"
import { drawDocument, path, px, rangeTo, text } from "../svg.js"
import type { ScenarioResult } from "./runScenario.js"
import { start, type Scenario } from "./scenarios.js"

const width = 900
const left = 190
const right = 680
const top = 112
/** Pixels per request. */
const requestHeight = 0.36
const gap = 22
const minuteMillis = 60_000

// Colour-blind readers can distinguish blue and orange.
const style = ".ok{fill:#0969da}.no{fill:#d1570a}"
const darkStyle = ".ok{fill:#58a6ff}.no{fill:#f0883e}"

const formatDuration = (millis: number): string => {
  const seconds = Math.round(millis / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Number of requests by the index of the interval. */
type Counts = ReadonlyMap<number, number>

const countRequests = (handled: ReadonlyArray<HandledRequest>, isRejected: boolean, intervalMillis: number): Counts => {
  const counts = new Map<number, number>()
  for (const request of handled) {
    if (request.isRejected !== isRejected) continue
    const index = Math.floor((request.handledAt - start) / intervalMillis)
    counts.set(index, (counts.get(index) ?? 0) + 1)
  }
  return counts
}

const maxCount = (counts: Counts): number => Math.max(0, ...counts.values())

/** Returns the start of each window in milliseconds after `start`. */
const windowStarts = ({ length, offset = 0 }: Scenario, endMillis: number): ReadonlyArray<number> => {
  const first = (Math.floor((start - offset) / length) + 1) * length + offset - start
  return rangeTo(Math.floor((endMillis - first) / length)).map((n) => first + n * length)
}

interface TimeScale {
  readonly minutes: number
  /** Duration of one bar. */
  readonly intervalMillis: number
  readonly toX: (millis: number) => number
}

const makeTimeScale = (scenario: Scenario, endMillis: number): TimeScale => {
  const minutes = Math.ceil(endMillis / minuteMillis)
  return {
    minutes,
    intervalMillis: scenario.length / 6,
    toX: (millis) => left + ((right - left) * millis) / (minutes * minuteMillis)
  }
}

const drawBars = (counts: Counts, y: number, direction: 1 | -1, { intervalMillis, toX }: TimeScale): string => {
  const bar = px(toX(intervalMillis) - left)
  return [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([index, count]) => {
      const height = px(direction * count * requestHeight)
      return `M${px(toX(index * intervalMillis))} ${px(y)}h${bar}v${height}h-${bar}z`
    })
    .join("")
}

interface Row {
  readonly parts: ReadonlyArray<string>
  readonly bottom: number
}

const drawRow = (result: ScenarioResult, isOurs: boolean, rowTop: number, scale: TimeScale): Row => {
  const accepted = countRequests(result.handled, false, scale.intervalMillis)
  const rejected = countRequests(result.handled, true, scale.intervalMillis)
  const above = maxCount(accepted)
  const below = maxCount(rejected)
  const zero = rowTop + Math.max(above * requestHeight, 14)
  const weight = isOurs ? "bold" : ""
  const parts = [
    path("ok", drawBars(accepted, zero, -1, scale)),
    path("no", drawBars(rejected, zero, 1, scale)),
    path("axis", `M${left} ${px(zero)}H${right}`),
    text(left - 6, zero - above * requestHeight + 4, "tick end", String(above)),
    below === 0 ? "" : text(left - 6, zero + below * requestHeight + 4, "tick end", String(below)),
    text(20, zero + 4, weight, result.name),
    text(790, zero + 4, `${weight} end`.trim(), formatDuration(result.makespan)),
    text(880, zero + 4, `${weight} end`.trim(), String(result.rejections))
  ]
  return { parts: parts.filter((part) => part !== ""), bottom: zero + below * requestHeight + gap }
}

const drawHeader = (
  { concurrency, limit, requests }: Scenario,
  best: number,
  intervalMillis: number
): ReadonlyArray<string> => [
  text(
    20,
    32,
    "title",
    `${requests} requests, ${concurrency} concurrent, to a server that accepts ${limit} per minute`
  ),
  path("ok", "M20 60v-12h12v12z"),
  text(38, 59, "", "up: accepted"),
  path("no", "M150 48v12h12v-12z"),
  text(168, 59, "", "down: rejected with a 429, retried later"),
  path("grid", "M488 46v16"),
  text(496, 59, "", "a new window begins"),
  text(left, 98, "soft", `requests in ${intervalMillis / 1000} s`),
  text(790, 82, "soft end", "finished after"),
  text(790, 98, "soft end", `(optimum: ${formatDuration(best)})`),
  text(880, 98, "soft end", "rejected")
]

const drawWindowStarts = (scenario: Scenario, { minutes, toX }: TimeScale, bottom: number): string =>
  path(
    "grid",
    windowStarts(scenario, minutes * minuteMillis)
      .map((at) => `M${px(toX(at))} ${top - 8}V${px(bottom)}`)
      .join("")
  )

const drawTimeAxis = ({ minutes, toX }: TimeScale, bottom: number): ReadonlyArray<string> => {
  const ticks = rangeTo(minutes).map((n) => `M${px(toX(n * minuteMillis))} ${px(bottom)}v4`)
  return [
    path("axis", `M${left} ${px(bottom)}H${right}${ticks.join("")}`),
    ...rangeTo(Math.floor(minutes / 2)).map((n) =>
      text(toX(2 * n * minuteMillis), bottom + 17, "soft mid", String(2 * n))
    ),
    text((left + right) / 2, bottom + 36, "soft mid", "minutes since the first request")
  ]
}

/** Returns the chart as SVG. The first result must be the result of this package. */
export const drawChart = (scenario: Scenario, best: number, results: ReadonlyArray<ScenarioResult>): string => {
  const scale = makeTimeScale(scenario, Math.max(best, ...results.map(({ makespan }) => makespan)))
  let bottom = top
  const rows = results.flatMap((result, i) => {
    const row = drawRow(result, i === 0, bottom, scale)
    bottom = row.bottom
    return row.parts
  })
  const title = "How clients send the same requests to a server with a rate limit, and how many it rejects"
  return drawDocument({ width, height: bottom + 50, title, style, darkStyle }, [
    ...drawHeader(scenario, best, scale.intervalMillis),
    drawWindowStarts(scenario, scale, bottom),
    ...rows,
    ...drawTimeAxis(scale, bottom)
  ])
}
