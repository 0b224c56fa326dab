/** A round as a picture: for each contestant what the server accepted upwards, and what it refused downwards, over time. */
import type { HandledRequest } from "../../utils/limitedServer.js"
import type { ScenarioResult } from "./runScenario.js"
import { start, type Scenario } from "./scenarios.js"

const width = 900
const left = 190
const right = 680
const top = 112
/** Pixels per request. */
const scale = 0.36
const gap = 22
const minute = 60_000

// On a card of its own, light or dark as the reader has it. Blue and orange also for the colour-blind, and up or down besides.
const style = [
  `text{fill:#1f2328;font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}`,
  ".title{font-size:17px;font-weight:600}.soft{fill:#59636e;font-size:12px}.tick{fill:#59636e;font-size:10px}",
  ".ours{font-weight:700}.end{text-anchor:end}.mid{text-anchor:middle}",
  ".card{fill:#fff;stroke:#d0d7de}.grid{stroke:#afb8c1;stroke-dasharray:2 3}.axis{stroke:#818b98}",
  ".ok{fill:#0969da}.no{fill:#d1570a}",
  "@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.soft,.tick{fill:#9198a1}",
  ".card{fill:#0d1117;stroke:#3d444d}.grid{stroke:#3d444d}.axis{stroke:#656c76}",
  ".ok{fill:#58a6ff}.no{fill:#f0883e}}"
].join("")

const short = (n: number): string => String(Math.round(n * 10) / 10)

const escaped = (words: string): string => words.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const text = (x: number, y: number, kind: string, words: string): string =>
  `<text x="${short(x)}" y="${short(y)}"${kind === "" ? "" : ` class="${kind}"`}>${escaped(words)}</text>`

const path = (kind: string, d: string): string => `<path class="${kind}" d="${d}"/>`

const clock = (millis: number): string => {
  const seconds = Math.round(millis / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

const upTo = (n: number): ReadonlyArray<number> => Array.from({ length: n + 1 }, (_, i) => i)

/** How many of these came in each stretch of time, by its number. */
type Counts = ReadonlyMap<number, number>

const counted = (handled: ReadonlyArray<HandledRequest>, refused: boolean, stretch: number): Counts => {
  const counts = new Map<number, number>()
  for (const one of handled) {
    if (one.isRejected !== refused) continue
    const n = Math.floor((one.handledAt - start) / stretch)
    counts.set(n, (counts.get(n) ?? 0) + 1)
  }
  return counts
}

const highest = (counts: Counts): number => Math.max(0, ...counts.values())

const boundaries = ({ length, offset = 0 }: Scenario, end: number): ReadonlyArray<number> => {
  const first = (Math.floor((start - offset) / length) + 1) * length + offset - start
  return upTo(Math.floor((end - first) / length)).map((n) => first + n * length)
}

export const drawChart = (round: Scenario, best: number, results: ReadonlyArray<ScenarioResult>): string => {
  const stretch = round.length / 6
  const minutes = Math.ceil(Math.max(best, ...results.map(({ makespan }) => makespan)) / minute)
  const x = (millis: number): number => left + ((right - left) * millis) / (minutes * minute)
  const bars = (counts: Counts, y: number, direction: 1 | -1): string => {
    const bar = short(x(stretch) - left)
    return [...counts]
      .toSorted(([a], [b]) => a - b)
      .map(([n, count]) => `M${short(x(n * stretch))} ${short(y)}h${bar}v${short(direction * count * scale)}h-${bar}z`)
      .join("")
  }

  let y = top
  const rows = results.map((result, i) => {
    const accepted = counted(result.handled, false, stretch)
    const refused = counted(result.handled, true, stretch)
    const above = highest(accepted)
    const below = highest(refused)
    y += Math.max(above * scale, 14)
    const zero = y
    y += below * scale + gap
    const weight = i === 0 ? "ours" : ""
    return [
      path("ok", bars(accepted, zero, -1)),
      path("no", bars(refused, zero, 1)),
      path("axis", `M${left} ${short(zero)}H${right}`),
      text(left - 6, zero - above * scale + 4, "tick end", String(above)),
      below === 0 ? "" : text(left - 6, zero + below * scale + 4, "tick end", String(below)),
      text(20, zero + 4, weight, result.name),
      text(790, zero + 4, `${weight} end`.trim(), clock(result.makespan)),
      text(880, zero + 4, `${weight} end`.trim(), String(result.rejections))
    ].filter((part) => part !== "")
  })
  const bottom = y
  const height = bottom + 50
  const { concurrency, limit, requests } = round

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${short(height)}" role="img">`,
    "<title>How clients send the same requests to a server with a rate limit, and how many it refuses</title>",
    `<style>${style}</style>`,
    `<rect class="card" x=".5" y=".5" width="${width - 1}" height="${short(height - 1)}" rx="8"/>`,
    text(20, 32, "title", `${requests} requests, ${concurrency} at once, to a server that takes ${limit} a minute`),
    path("ok", "M20 60v-12h12v12z"),
    text(38, 59, "", "up: accepted"),
    path("no", "M150 48v12h12v-12z"),
    text(168, 59, "", "down: refused with a 429, sent again later"),
    path("grid", "M488 46v16"),
    text(496, 59, "", "the server begins to count anew"),
    text(left, 98, "soft", `requests in ${stretch / 1000} s`),
    text(790, 82, "soft end", "all done after"),
    text(790, 98, "soft end", `(${clock(best)} at best)`),
    text(880, 98, "soft end", "refused"),
    path(
      "grid",
      boundaries(round, minutes * minute)
        .map((at) => `M${short(x(at))} ${top - 8}V${short(bottom)}`)
        .join("")
    ),
    ...rows.flat(),
    path(
      "axis",
      `M${left} ${short(bottom)}H${right}${upTo(minutes)
        .map((n) => `M${short(x(n * minute))} ${short(bottom)}v4`)
        .join("")}`
    ),
    ...upTo(Math.floor(minutes / 2)).map((n) => text(x(2 * n * minute), bottom + 17, "soft mid", String(2 * n))),
    text((left + right) / 2, bottom + 36, "soft mid", "minutes since the first request"),
    "</svg>\n"
  ].join("\n")
}
