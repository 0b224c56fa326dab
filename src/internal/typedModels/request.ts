/**
 * Creates and recognizes typed requests.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Execution from "../../Execution.js"
import { omitUndefined } from "../data/lenient.js"
import { type Model, type Request, type RequestOptions, RequestTypeId, TypeId } from "./types.js"

const optionsOf = ({ extra, metadata, webhookUrl }: RequestOptions): RequestOptions =>
  omitUndefined({ extra, metadata, webhookUrl })

/** @internal Creates a typed request whose input is a value. */
export const make = <Out, E>(
  model: Model<never, Out, E>,
  input: unknown,
  options: RequestOptions
): Request<Out, E> => ({
  [RequestTypeId]: {
    model,
    options: optionsOf(options),
    isEffect: false,
    prepareInput: (operation) => model[TypeId].prepareInput(operation, input)
  }
})

/** @internal Creates a typed request whose input is the result of an effect. */
export const makeEffect = <Out, E, E2, R>(
  model: Model<never, Out, E>,
  input: Effect.Effect<unknown, E2, R>,
  options: RequestOptions
): Request<Out, E | E2, R> => ({
  [RequestTypeId]: {
    model,
    options: optionsOf(options),
    isEffect: true,
    prepareInput: (operation) => Effect.flatMap(input, (made) => model[TypeId].prepareInput(operation, made))
  }
})

/** @internal Tests whether a value is from `Model.request` or `Model.requestEffect`. */
export const isRequest = <A, Out, E, R>(u: A | Request<Out, E, R>): u is Request<Out, E, R> =>
  Predicate.hasProperty(u, RequestTypeId)

/** A `Model.CreateRequest` with any type of input. */
interface AnyCreateRequest<out Out, out E> extends RequestOptions {
  readonly model: Model<never, Out, E>
  readonly input: unknown
}

/** @internal A request for a typed model, as an object or from `Model.request`. */
export type AnyTyped<Out, E, R = never> = AnyCreateRequest<Out, E> | Request<Out, E, R>

/**
 * Tests whether a request is for a typed model. Reads only one property of an untyped request, because every call runs
 * this test.
 *
 * @internal
 */
export const isTyped = <Out, E, R>(
  request: AnyTyped<Out, E, R> | Execution.CreateRequest
): request is AnyTyped<Out, E, R> => {
  if (typeof request !== "object" || request === null) return false
  return "model" in request ? Predicate.hasProperty(request.model, TypeId) : RequestTypeId in request
}

/** @internal Converts a request for a typed model to the form from `Model.request`. */
export const fromTyped = <Out, E, R>(request: AnyTyped<Out, E, R>): Request<Out, E, R> =>
  isRequest(request) ? request : make(request.model, request.input, request)

/** @internal Converts a typed request to a create request. `input` is the encoded input. */
export const toCreateRequest = <Out, E, R>(
  { [RequestTypeId]: { model, options } }: Request<Out, E, R>,
  input: object
): Execution.CreateRequest => ({ ...options, model: model.id, input })
