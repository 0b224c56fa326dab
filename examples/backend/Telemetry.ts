/**
 * Where the spans go: to a collector if `OTEL_EXPORTER_OTLP_ENDPOINT` names one, and as trees to the console if `TRACE` is
 * `console`.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchSpanProcessor, type ReadableSpan, type SpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Config, type ConfigError, Effect, Layer, Option } from "effect"

/** What a line says of its span. Neither ids nor times, so that the same request gives the same tree each time. */
const told = ["url.path", "http.response.status_code", "modelroute.attempts", "modelroute.outcome"]

const words = ({ attributes, name }: ReadableSpan): string =>
  [
    name,
    ...told.filter((key) => key in attributes).map((key) => `${key.replace(/^.*\./, "")}=${String(attributes[key])}`)
  ].join(" ")

/** The waits that the library announces before it sends a request again. */
const waits = ({ events }: ReadableSpan): ReadonlyArray<string> =>
  events
    .filter(({ attributes, name }) => name === "modelroute.wait" && attributes?.["reason"] !== "poll")
    .map(({ attributes = {} }) => `wait reason=${String(attributes["reason"])} detail=${String(attributes["detail"])}`)

/** The spans of one trace, in the order in which they began, as a tree. */
export const tree = (spans: ReadonlyArray<ReadableSpan>): string => {
  const below = (parent: string | undefined): ReadonlyArray<string> =>
    spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent).flatMap(lines)
  const lines = (span: ReadableSpan): ReadonlyArray<string> => [
    words(span),
    ...[...waits(span), ...below(span.spanContext().spanId)].map((line) => `  ${line}`)
  ]
  return below(undefined).join("\n")
}

/** Tells each trace when nothing in it is open any more, which can be long after its request was answered. */
export const trees = (tell: (tree: string) => void): SpanProcessor => {
  const traces = new Map<string, { readonly spans: Array<ReadableSpan>; open: number }>()
  return {
    onStart: (span) => {
      const { traceId } = span.spanContext()
      const trace = traces.get(traceId) ?? { spans: [], open: 0 }
      traces.set(traceId, trace)
      trace.spans.push(span)
      trace.open += 1
    },
    onEnd: (span) => {
      const { traceId } = span.spanContext()
      const trace = traces.get(traceId)
      if (trace === undefined) return
      trace.open -= 1
      if (trace.open > 0) return
      traces.delete(traceId)
      tell(tree(trace.spans))
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve()
  }
}

/** The tracer of everything that is built after it. */
export const layerProcessors = (spanProcessor: ReadonlyArray<SpanProcessor>): Layer.Layer<never> =>
  Layer.discard(NodeSdk.layer(() => ({ resource: { serviceName: "images" }, spanProcessor })))

export const layer: Layer.Layer<never, ConfigError.ConfigError> = Effect.gen(function* () {
  const endpoint = yield* Config.option(Config.nonEmptyString("OTEL_EXPORTER_OTLP_ENDPOINT"))
  const trace = yield* Config.option(Config.literal("console")("TRACE"))
  const console = yield* Effect.console
  return layerProcessors([
    ...Option.toArray(endpoint).map(
      (url) => new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url.replace(/\/$/, "")}/v1/traces` }))
    ),
    ...Option.toArray(trace).map(() => trees((tree) => console.unsafe.log(`\n${tree}\n`)))
  ])
}).pipe(Layer.unwrapEffect)
