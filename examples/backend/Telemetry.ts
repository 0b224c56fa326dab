/**
 * Exports spans to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT` if that variable is set. Prints traces to the console
 * as trees if `TRACE` is `console`.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchSpanProcessor, type ReadableSpan, type SpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Config, type ConfigError, Effect, Layer, Option } from "effect"

/** Describes this backend in traces and metrics. */
export const resource = { serviceName: "images" }

/** Attributes that a tree shows. Ids and times are omitted, because they differ between equal requests. */
const shownAttributes = ["url.path", "http.response.status_code", "modelroute.attempts", "error.type"]

const formatSpan = ({ attributes, name }: ReadableSpan): string =>
  [
    name,
    ...shownAttributes
      .filter((key) => key in attributes)
      .map((key) => `${key.replace(/^.*\./, "")}=${String(attributes[key])}`)
  ].join(" ")

/** Formats the waits before retries. Omits waits between polls. */
const formatWaits = ({ events }: ReadableSpan): ReadonlyArray<string> =>
  events
    .filter(({ attributes, name }) => name === "modelroute.wait" && attributes?.["modelroute.wait.reason"] !== "poll")
    .map(({ attributes = {} }) => {
      return `wait reason=${String(attributes["modelroute.wait.reason"])} detail=${String(attributes["modelroute.wait.detail"])}`
    })

/** Formats the spans of a trace as a tree, in the order of their start. */
export const formatTree = (spans: ReadonlyArray<ReadableSpan>): string => {
  const below = (parent: string | undefined): ReadonlyArray<string> =>
    spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent).flatMap(lines)
  const lines = (span: ReadableSpan): ReadonlyArray<string> => [
    formatSpan(span),
    ...[...formatWaits(span), ...below(span.spanContext().spanId)].map((line) => `  ${line}`)
  ]
  return below(undefined).join("\n")
}

/** Calls `onTree` with each trace after its last span has ended. The last span can end long after the response. */
export const treeProcessor = (onTree: (tree: string) => void): SpanProcessor => {
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
      onTree(formatTree(trace.spans))
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve()
  }
}

/** Provides the tracer to all layers that are built after this layer. */
export const layerProcessors = (spanProcessor: ReadonlyArray<SpanProcessor>): Layer.Layer<never> =>
  Layer.discard(NodeSdk.layer(() => ({ resource, spanProcessor })))

export const layer: Layer.Layer<never, ConfigError.ConfigError> = Effect.gen(function* () {
  const endpoint = yield* Config.option(Config.nonEmptyString("OTEL_EXPORTER_OTLP_ENDPOINT"))
  const trace = yield* Config.option(Config.literal("console")("TRACE"))
  const console = yield* Effect.console
  return layerProcessors([
    ...Option.toArray(endpoint).map(
      (url) => new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url.replace(/\/$/, "")}/v1/traces` }))
    ),
    ...Option.toArray(trace).map(() => treeProcessor((tree) => console.unsafe.log(`\n${tree}\n`)))
  ])
}).pipe(Layer.unwrapEffect)
