/**
 * Exports the metrics of this process, which include the metrics of the client, in the text format of Prometheus.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus"
import { Context, Effect, Layer } from "effect"
import { resource } from "./Telemetry.js"

export class Prometheus extends Context.Tag("backend/Prometheus")<
  Prometheus,
  {
    /** Returns the current values of all metrics. */
    readonly page: Effect.Effect<string>
  }
>() {}

/** Content type of the text format. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** Starts no server, because the server of the backend serves the page. */
export const layer: Layer.Layer<Prometheus> = Layer.unwrapEffect(
  Effect.sync(() => {
    const metricReader = new PrometheusExporter({ preventServerStart: true })
    const serializer = new PrometheusSerializer()
    const page = Effect.map(
      Effect.promise(() => metricReader.collect()),
      ({ resourceMetrics }) => serializer.serialize(resourceMetrics)
    )
    return Layer.provide(
      Layer.succeed(Prometheus, { page }),
      NodeSdk.layer(() => ({ resource, metricReader }))
    )
  })
)
