/**
 * The methods on executions, each a description of its call.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Execution from "../Execution.js"
import type * as IdempotencyKey from "../IdempotencyKey.js"
import type { AwaitOptions, CreateOptions, Executions, RunOptions, WatchOptions } from "../ModelRouteClient.js"
import {
  AwaitTimeout,
  ExecutionCancelled,
  ExecutionExpired,
  type AwaitFailure,
  type RequestFailure
} from "../ModelRouteError.js"
import { call, send, type Sender } from "./call.js"
import * as classify from "./classify.js"
import * as decode from "./decode.js"
import * as exchange from "./exchange.js"
import { invalid } from "./invalid.js"
import * as requests from "./requests.js"
import * as telemetry from "./telemetry.js"
import { isRecord, present } from "./tolerant.js"
import * as waiting from "./waiting.js"

/** What the errors of a wait still know of the create that it follows. */
interface Origin {
  readonly idempotencyKey?: string
  readonly body?: unknown
}

interface CreateCall extends exchange.Call<waiting.Sighting> {
  readonly idempotencyKey: string
}

type Created = readonly [call: CreateCall, answer: waiting.Sighting]

const keyOf = ({ idempotencyKey }: Origin) => present({ idempotencyKey })

const essence = "the id of an execution"

const accepted = exchange.json(essence, (json, arrival) => {
  const execution = decode.execution(json)
  return execution === undefined ? undefined : waiting.sight(execution, arrival)
})

const createBody = (operation: string, request: Execution.CreateRequest) => {
  if (typeof request.model !== "string" || request.model.trim() === "") {
    return Effect.fail(invalid(operation, "model", "is empty", "Name a model, such as flux-1.1-pro."))
  }
  if (!isRecord(request.input)) {
    return Effect.fail(
      invalid(operation, "input", "is not an object", "Pass the model's parameters, such as { prompt }.")
    )
  }
  return Effect.succeed({
    ...request.extra,
    model: request.model,
    input: request.input,
    ...(request.webhookUrl === undefined ? {} : { webhook_url: request.webhookUrl }),
    ...(request.metadata === undefined ? {} : { metadata: request.metadata })
  })
}

/** @internal */
export const make = (sender: Sender, keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>): Executions => {
  const createCall = (request: Execution.CreateRequest, options: CreateOptions) =>
    Effect.gen(function* () {
      const operation = "executions.create"
      const body = yield* createBody(operation, request)
      const text = yield* requests.bodyText(operation, body)
      const idempotencyKey = yield* requests.keyFor(keys, { operation, body }, text, options.idempotencyKey)
      const fixed: CreateCall = {
        operation,
        request: requests.make("POST", "/v1/executions", { body: text, key: idempotencyKey }),
        accept: accepted,
        repeatable: true,
        keyed: true,
        idempotencyKey,
        body: { ...body, model: undefined }
      }
      return fixed
    })

  const idCall = <A>(
    operation: string,
    method: "GET" | "POST",
    id: Execution.ExecutionId,
    suffix: string,
    accept: exchange.Call<A>["accept"],
    origin: Origin = {}
  ) =>
    Effect.map(requests.segment(operation, "id", id), (segment): exchange.Call<A> => ({
      ...origin,
      operation,
      request: requests.make(method, `/v1/executions/${segment}${suffix}`),
      accept,
      // Reading changes nothing, and what is cancelled stays cancelled.
      repeatable: true,
      executionId: id
    }))

  const get = (id: Execution.ExecutionId): Effect.Effect<Execution.Execution, RequestFailure> =>
    idCall("executions.get", "GET", id, "", accepted).pipe(
      Effect.flatMap((fixed) => call(sender, fixed)),
      Effect.map((sighting) => sighting.execution)
    )

  /** The result of a finished execution; a 404 must not hide that it is finished. */
  const collect = (
    operation: string,
    seen: Execution.Execution,
    origin: Origin,
    account: telemetry.Account
  ): Effect.Effect<Execution.Completed, RequestFailure> => {
    if (decode.output(seen) !== undefined) return Effect.succeed(decode.completed(seen))
    return idCall(operation, "GET", seen.id, "/result", accepted, origin).pipe(
      Effect.flatMap((fixed) => send(sender, fixed, account)),
      Effect.map(({ execution }) => decode.completed(seen, execution)),
      Effect.catchIf(isMissing, () => Effect.succeed(decode.completed(seen)))
    )
  }

  /** What the end of an execution means to the one who waited for it. */
  const conclude = (
    operation: string,
    ended: Execution.Execution,
    origin: Origin,
    account: telemetry.Account
  ): Effect.Effect<Execution.Completed, AwaitFailure> => {
    const { id, status } = ended
    const context = { ...origin, operation, attempts: account.attempts, executionId: id, repeatable: true }
    const about = {
      operation,
      attempts: account.attempts,
      executionId: id,
      ...keyOf(origin)
    }
    switch (status) {
      case "COMPLETED":
        return collect(operation, ended, origin, account)
      case "FAILED":
        return Effect.fail(classify.fromExecution(ended, context))
      case "CANCELLED":
        return Effect.fail(
          new ExecutionCancelled({ ...about, message: `Execution ${id} was cancelled; its hold is released.` })
        )
      case "EXPIRED":
        return Effect.fail(
          new ExecutionExpired({
            ...about,
            message: `Execution ${id} expired before a result arrived; its hold is released. Submit it again as a new execution.`
          })
        )
      default:
        return Effect.fail(
          new AwaitTimeout({
            ...about,
            execution: ended,
            message: `Execution ${id} is still ${status}. Wait for it with executions.await.`
          })
        )
    }
  }

  /** Looks of one wait: part of its span, each with retries of its own. */
  const looks = (operation: string, id: Execution.ExecutionId, origin: Origin, account: telemetry.Account) =>
    Effect.map(idCall(operation, "GET", id, "", accepted, origin), (fixed) => send(sender, fixed, account))

  const waited = (
    id: Execution.ExecutionId,
    options: AwaitOptions,
    account: telemetry.Account,
    origin: Origin = {},
    known?: waiting.Sighting
  ): Effect.Effect<Execution.Completed, AwaitFailure> => {
    const operation = "executions.await"
    const ended = Effect.gen(function* () {
      // The answer to a repeated create can tell that the execution has FAILED, but not why.
      const why = known?.execution.status !== "FAILED" || known.execution.error !== undefined
      if (known !== undefined && Execution.isTerminal(known.execution) && why) return known.execution
      const look = yield* looks(operation, id, origin, account)
      if (!why) return (yield* look).execution
      const next = yield* waiting.watcher({ ...keyOf(origin), operation, id, account }, look, options, known)
      return yield* Effect.repeat(next, { until: Execution.isTerminal })
    })
    return Effect.flatMap(ended, (execution) => conclude(operation, execution, origin, account))
  }

  const cancel = (id: Execution.ExecutionId): Effect.Effect<Execution.Execution, RequestFailure> => {
    const operation = "executions.cancel"
    // An empty answer is one, too; what matters is how the execution then stands.
    const accept = exchange.json("a readable body", (json) => Option.fromNullable(decode.execution(json)))
    return Effect.suspend(() => {
      const account: telemetry.Account = { attempts: 0, executionId: id }
      const look = Effect.flatMap(idCall(operation, "GET", id, "", accepted), (fixed) => send(sender, fixed, account))
      const cancelled = Effect.gen(function* () {
        const fixed = yield* idCall(operation, "POST", id, "/cancel", accept)
        const answer = yield* send(sender, fixed, account)
        if (Option.isSome(answer) && answer.value.status !== "UNKNOWN") return answer.value
        return (yield* look).execution
      }).pipe(
        Effect.catchIf(isRefusal, (refusal) =>
          // The usual reason for a refusal is that it has ended already, which is what the caller wanted to know.
          look.pipe(
            Effect.map((sighting) => sighting.execution),
            Effect.filterOrFail(Execution.isTerminal, () => refusal),
            Effect.mapError(() => refusal)
          )
        )
      )
      return telemetry.spanned(operation, account, cancelled)
    })
  }

  const cancelQuietly = (id: Effect.Effect<Execution.ExecutionId, RequestFailure>): Effect.Effect<void> =>
    Effect.flatMap(id, cancel).pipe(
      Effect.interruptible,
      Effect.timeout("10 seconds"),
      Effect.catchAllCause((cause) => Effect.logWarning("The execution could not be cancelled", cause)),
      Effect.asVoid
    )

  const cancelling = <A, E>(
    id: Execution.ExecutionId,
    options: AwaitOptions,
    wait: Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    options.cancelOnInterrupt ? Effect.onInterrupt(wait, () => cancelQuietly(Effect.succeed(id))) : wait

  /** Interrupted before its answer is here, a create goes on just long enough to tell which execution to cancel. */
  const creating = (
    create: Effect.Effect<Created, RequestFailure>,
    options: AwaitOptions
  ): Effect.Effect<Created, RequestFailure> =>
    options.cancelOnInterrupt
      ? Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(Effect.forkDaemon(Effect.interruptible(create)), (running) =>
            Effect.onInterrupt(restore(Fiber.join(running)), () =>
              cancelQuietly(Effect.map(Fiber.join(running), ([, { execution }]) => execution.id)).pipe(
                Effect.zipRight(Fiber.interrupt(running))
              )
            )
          )
        )
      : create

  const spanned = <A, E extends AwaitFailure>(
    operation: string,
    executionId: string | undefined,
    use: (account: telemetry.Account) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const account: telemetry.Account = { attempts: 0, executionId }
      return telemetry.spanned(operation, account, use(account))
    })

  return {
    create: (request, options = {}) =>
      spanned("executions.create", undefined, (account) =>
        Effect.flatMap(createCall(request, options), (fixed) => send(sender, fixed, account)).pipe(
          Effect.map(({ execution }) => {
            account.executionId = execution.id
            return execution
          })
        )
      ),

    get,

    result: (id) =>
      spanned("executions.result", id, (account) =>
        idCall("executions.result", "GET", id, "/result", accepted).pipe(
          Effect.flatMap((fixed) => send(sender, fixed, account)),
          Effect.catchIf(isRefusal, (refusal) =>
            // Too early, ended without a result, or an edition of the API without this address: the execution itself tells.
            looks("executions.result", id, {}, account).pipe(
              Effect.flatten,
              Effect.filterOrFail(
                ({ execution }) => execution.status !== "COMPLETED" || decode.output(execution) !== undefined,
                () => refusal
              )
            )
          ),
          Effect.flatMap(({ execution }) =>
            execution.status === "COMPLETED"
              ? Effect.succeed(decode.completed(execution))
              : conclude("executions.result", execution, {}, account)
          )
        )
      ),

    cancel,

    watch: (id, options: WatchOptions = {}) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const operation = "executions.watch"
          const account: telemetry.Account = { attempts: 0, executionId: id }
          const look = yield* looks(operation, id, {}, account)
          const next = yield* waiting.watcher({ operation, id, account }, look, options)
          return Stream.repeatEffect(next).pipe(Stream.takeUntil(Execution.isTerminal), Stream.changesWith(sameStatus))
        })
      ).pipe(Stream.withSpan("modelroute.executions.watch", telemetry.spanOptions)),

    await: (id, options = {}) =>
      spanned("executions.await", id, (account) => cancelling(id, options, waited(id, options, account))),

    run: (request, options: RunOptions = {}) =>
      spanned("executions.run", undefined, (account) =>
        // Between the answer to the create and the wait there must be no gap in which an interruption forgets the cancel.
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const create = Effect.flatMap(createCall(request, options), (fixed) =>
              Effect.map(send(sender, fixed, account), (created): Created => [fixed, created])
            )
            const [fixed, created] = yield* restore(creating(create, options))
            const { id } = created.execution
            account.executionId = id
            const origin = { idempotencyKey: fixed.idempotencyKey, body: fixed.body }
            return yield* cancelling(id, options, restore(waited(id, options, account, origin, created)))
          })
        )
      )
  }
}

const sameStatus = (a: Execution.Execution, b: Execution.Execution): boolean => a.status === b.status

const statusOf = (error: RequestFailure): number | undefined => ("status" in error ? error.status : undefined)

const isMissing = (error: RequestFailure): boolean => statusOf(error) === 404

const isRefusal = (error: RequestFailure): boolean => {
  const status = statusOf(error)
  return status !== undefined && status >= 400 && status < 500 && status !== 401 && status !== 429
}
