/**
 * Measures the CPU time and memory of the redaction in one error. The requests have up to 20 MB. Compare each line with
 * the first line, because the absolute times depend on the machine.
 *
 *     npm run bench:redact [-- rounds]
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Array, Console, Effect } from "effect"
import * as classify from "../../src/internal/errors/classify.js"
import { privateTextsOf } from "../../src/internal/errors/confidential.js"

const vocabulary = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut".split(
  " "
)

/** Returns text without repeated sections. */
const prose = (length: number): string => {
  let text = ""
  for (let n = 1; text.length < length; n = (n * 1_103_515_245 + 12_345) % 2 ** 31) {
    text += `${vocabulary[n % vocabulary.length]}${n % 97} `
  }
  return text.slice(0, length)
}

const base64 = (length: number): string =>
  Buffer.from(Uint8Array.from({ length: (length * 3) / 4 }, (_, n) => (n * 7919 + (n >> 8) * 31) % 256)).toString(
    "base64"
  )

const KB = 1000
const MB = 1_000_000

const requests: Array.NonEmptyReadonlyArray<readonly [string, object]> = [
  ["a short prompt", { prompt: "a red fox in the snow" }],
  ["10 KB of prose", { prompt: prose(10 * KB) }],
  ["1 MB of prose", { prompt: prose(MB) }],
  ["1 MB in base64", { prompt: "a red fox in the snow", image: base64(MB) }],
  ["20 MB in base64", { prompt: "a red fox in the snow", image: base64(20 * MB) }],
  ["20 MB of prose", { prompt: prose(20 * MB) }],
  ["5000 labels", { labels: Array.makeBy(5000, (n) => `label ${n}`) }]
]

const detailOf = (n: number) => ({
  field: `input.width${n}`,
  code: "OUT_OF_RANGE",
  message: `width ${n} must be between 256 and 2048, and not what was sent`
})

const responseOf = (details: number): classify.ResponseData => ({
  status: 400,
  headers: { "content-type": "application/json" },
  body: new TextEncoder().encode(
    JSON.stringify({
      error: {
        code: "INPUT_VALIDATION_ERROR",
        message: "Invalid input parameters. ".repeat(100),
        request_id: "req_1",
        details: Array.makeBy(details, detailOf)
      }
    })
  ),
  receivedAt: 0
})

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const used = (): number => {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

/** Returns the median CPU time and the median memory for the creation of one error. */
const measure = (request: object, details: number, count: number) => {
  const response = responseOf(details)
  const context = {
    operation: "executions.create",
    attempts: 1,
    isRepeatable: true,
    confidential: { privateTexts: privateTextsOf(request), secrets: ["sk_0123456789abcdef"] }
  }
  const rounds = Array.range(1, count)
  const times = Array.map(rounds, () => {
    const began = process.cpuUsage()
    classify.fromResponse(response, context)
    const { system, user } = process.cpuUsage(began)
    return (system + user) / 1000
  })
  // Separate rounds measure the memory, because the garbage collector also discards compiled code.
  const sizes = Array.map(rounds, () => {
    globalThis.gc?.()
    const before = used()
    classify.fromResponse(response, context)
    return used() - before
  })
  return { millis: median(times), MiB: median(sizes) / 2 ** 20 }
}

const [, , given] = process.argv
const rounds = Number(given ?? 30)

const main = Effect.gen(function* () {
  for (const details of [1, 5000]) {
    yield* Console.log(`\nan error with ${details} detail${details === 1 ? "" : "s"}, ${rounds} rounds`)
    const [short] = requests
    // The first measurement includes just-in-time compilation, so its result is discarded.
    measure(short[1], details, rounds)
    const first = measure(short[1], details, rounds)
    for (const [name, request] of requests) {
      const { MiB, millis } = measure(request, details, rounds)
      const more = `${(millis - first.millis).toFixed(1)} ms and ${(MiB - first.MiB).toFixed(1)} MiB more`
      yield* Console.log(
        `${name.padEnd(18)}${millis.toFixed(1).padStart(8)} ms ${MiB.toFixed(1).padStart(6)} MiB   ${more}`
      )
    }
  }
})

NodeRuntime.runMain(main)
