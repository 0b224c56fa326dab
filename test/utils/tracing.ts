/** Records the spans of an effect. */
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

/** Runs an effect and returns its spans in the order of their start. */
export const spansOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<Tracer.Span>, E, R> =>
  Effect.flatMap(recorder, ({ spans, tracer }) => Effect.as(Effect.withTracer(effect, tracer), spans))

/** Returns a tracer that wraps the current tracer, and the list of its spans. The list grows with each span. */
export const recorder: Effect.Effect<{ readonly spans: ReadonlyArray<Tracer.Span>; readonly tracer: Tracer.Tracer }> =
  Effect.map(Effect.tracer, (native) => {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (name, parent, context, links, startTime, kind, options) => {
        const span = native.span(name, parent, context, links, startTime, kind, options)
        spans.push(span)
        return span
      },
      context: (f, fiber) => native.context(f, fiber)
    })
    return { spans, tracer }
  })
