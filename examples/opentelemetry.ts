/**
 * Exports the spans of the client with OpenTelemetry. An in-memory exporter prints the trace of one call. The first
 * response is lost, so that the trace contains a retry.
 *
 *     npx tsx examples/opentelemetry.ts
 *
 * To send the spans to a collector, replace the processor with
 * `new BatchSpanProcessor(new OTLPTraceExporter({ url: "http://localhost:4318/v1/traces" }))`.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Console, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const exporter = new InMemorySpanExporter()

/** Provides the tracer to the effects of the program. */
const telemetry = NodeSdk.layer(() => ({
  resource: { serviceName: "images" },
  spanProcessor: new SimpleSpanProcessor(exporter)
}))

/** Creates and downloads an image in a span of the program. The spans of the client are its children. */
const render = Effect.gen(function* () {
  const { executions, files } = yield* ModelRouteClient.ModelRouteClient
  const { fileIds } = yield* executions.run({ model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } })
  yield* Effect.forEach(fileIds, (id) => Stream.runDrain(files.download(id)))
}).pipe(Effect.withSpan("render", { attributes: { "user.id": "user_1" } }))

const shownAttributes = ["http.response.status_code", "modelroute.attempts", "error.type"]

/** Formats a span and its events. Omits attributes that differ between two runs. */
const format = ({ attributes, events, name }: ReadableSpan): ReadonlyArray<string> => {
  const shown = shownAttributes.filter((key) => key in attributes)
  return [
    [name, ...shown.map((key) => `${key}=${String(attributes[key])}`)].join("  "),
    ...events
      .filter((event) => event.attributes?.["modelroute.wait.reason"] !== "poll")
      .map((event) => `  event ${event.name}  reason=${String(event.attributes?.["modelroute.wait.reason"])}`)
  ]
}

/** Formats the spans below a parent as a tree. */
const toTree = (spans: ReadonlyArray<ReadableSpan>, parent?: string): ReadonlyArray<string> =>
  spans
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent)
    .flatMap((span) => format(span).concat(toTree(spans, span.spanContext().spanId).map((line) => `  ${line}`)))

const client = ModelRouteClient.layer({
  apiKey: Redacted.make("sk_simulated"),
  retry: RetryPolicy.make({ backoff: { base: "50 millis" } }),
  pollSchedule: Schedule.spaced("100 millis")
}).pipe(
  Layer.provide(
    Simulator.layer({
      models: { "flux-1.1-pro": { duration: "200 millis", cost: "0.040", output: "image" } },
      faults: [Simulator.Fault.dropAfter]
    })
  ),
  Layer.provide(IdempotencyKey.layer)
)

const main = Effect.gen(function* () {
  yield* render
  const spans = exporter
    .getFinishedSpans()
    .toSorted((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1])
  yield* Console.log(toTree(spans).join("\n"))
})

// The client is built before the tracer, because the trace must not contain spans of the simulator.
NodeRuntime.runMain(Effect.provide(main, Layer.provideMerge(telemetry, client)))
