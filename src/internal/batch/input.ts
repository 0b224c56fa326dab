/**
 * Reads the input of a batch. The input is an iterable or a stream.
 *
 * @internal
 */
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"

/** Maximum number of items that are read from an iterable in one chunk. */
const iterableChunkSize = 64

const isStream = <A, E, R>(input: Iterable<A> | Stream.Stream<A, E, R>): input is Stream.Stream<A, E, R> =>
  Predicate.hasProperty(input, Stream.StreamTypeId)

/** @internal Returns the number of items if the input has a `size` or a `length`. */
export const sizeOf = <A, E, R>(input: Iterable<A> | Stream.Stream<A, E, R>): number | undefined => {
  if (isStream(input)) return undefined
  const size = Predicate.hasProperty(input, "size")
    ? input.size
    : Predicate.hasProperty(input, "length") && input.length
  return typeof size === "number" ? size : undefined
}

function* iterate<A>(items: Iterable<A>): Generator<A> {
  yield* items
}

/** @internal Converts the input to a stream. */
export const toStream = <A, E, R>(input: Iterable<A> | Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  isStream(input) ? input : Stream.suspend(() => Stream.fromIteratorSucceed(iterate(input), iterableChunkSize))
