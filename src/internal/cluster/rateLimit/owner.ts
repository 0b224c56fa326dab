/**
 * Owns the shared gate of an API key. Handles the calls of all processes that use this API key.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as monotonic from "../../data/monotonic.js"
import { omitUndefined } from "../../data/lenient.js"
import { Gate } from "../../rateLimit/gate.js"
import { noMetrics } from "../../rateLimit/gateMetrics.js"
import { OwnedRequest } from "./ownedRequest.js"
import { OwnedSession } from "./ownedSession.js"
import {
  GateEntity,
  type AcquirePayload,
  type AcquireReply,
  type PollPayload,
  type PollReply,
  type ReportPayload,
  type ReportReply
} from "./protocol.js"
import { toWire } from "./wireSnapshot.js"

/**
 * Time after the last message of a process until its requests are released. Without this limit, an ended process would
 * keep its permits. The cluster does not report the end of a process.
 */
const sessionLifetimeMillis = 5000

const expiryIntervalMillis = 1000

class GateOwner {
  readonly gate = new Gate(noMetrics)
  private readonly sessions = new Map<string, OwnedSession>()

  constructor(private readonly scope: Scope.Scope) {}

  private session(client: string, now: number): OwnedSession {
    let session = this.sessions.get(client)
    if (session === undefined) {
      session = new OwnedSession(now)
      this.sessions.set(client, session)
    }
    session.seenAt = now
    return session
  }

  acquire(payload: AcquirePayload): Effect.Effect<AcquireReply> {
    return Effect.flatMap(monotonic.now, (now) => {
      const session = this.session(payload.client, now)
      const { epoch } = session
      const known = session.requests.get(payload.request)
      if (known !== undefined) return Effect.succeed({ epoch, events: [...known.events] })
      let isReplied = false
      const request = new OwnedRequest(payload, (event) => {
        if (isReplied) session.push(event)
      })
      session.requests.set(payload.request, request)
      return request
        .start(this.gate, this.scope, () => session.requests.delete(payload.request))
        .pipe(
          // The yield lets the fiber of the request run until its first wait. The reply can then contain the first
          // events.
          Effect.zipRight(Effect.yieldNow()),
          Effect.map(() => {
            isReplied = true
            return { epoch, events: [...request.events] }
          })
        )
    })
  }

  poll({ acknowledged, client, epoch, hold }: PollPayload): Effect.Effect<PollReply> {
    return Effect.flatMap(monotonic.now, (now) => {
      const session = this.session(client, now)
      if (epoch === session.epoch) session.acknowledge(acknowledged)
      return Effect.zipRight(
        hold ? session.awaitEvent : Effect.void,
        Effect.clockWith((clock) =>
          Effect.succeed({
            epoch: session.epoch,
            last: session.last,
            events: session.events,
            isScarce: this.gate.limiter.isScarce(monotonic.read(clock)),
            snapshot: toWire(this.gate, clock)
          })
        )
      )
    })
  }

  report({ client, outcome, request }: ReportPayload): Effect.Effect<ReportReply> {
    if (outcome._tag === "RateLimited") {
      const block = (now: number) => this.gate.onRateLimited(outcome.opensIn, now - outcome.sentAgo, now)
      return Effect.as(this.gate.report(block), {})
    }
    return Effect.suspend(() => {
      // The request is unknown if the owner has changed or the session has expired. The outcome then has no effect.
      const owned = this.sessions.get(client)?.requests.get(request)
      if (owned === undefined) return Effect.succeed({})
      return Effect.map(owned.finish(outcome), (opensIn) => omitUndefined({ opensIn }))
    })
  }

  /** Releases the requests of each process that has sent no message for `sessionLifetimeMillis`. */
  private readonly expireSessions = Effect.flatMap(monotonic.now, (now) =>
    Effect.forEach(
      [...this.sessions].filter(([, { seenAt }]) => now - seenAt >= sessionLifetimeMillis),
      ([client, session]) => {
        this.sessions.delete(client)
        return Effect.forEach(session.requests.values(), (request) => request.interrupt, { discard: true })
      },
      { discard: true }
    )
  )

  get runExpiry(): Effect.Effect<void> {
    return Effect.asVoid(Effect.repeat(this.expireSessions, Schedule.spaced(expiryIntervalMillis)))
  }
}

/**
 * Registers the cluster entity, so that this process can own gates. A process without a runner address owns no gate.
 *
 * @internal
 */
export const layerEntity = GateEntity.toLayer(
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const owner = new GateOwner(scope)
    yield* Effect.forkScoped(Effect.interruptible(owner.runExpiry))
    return GateEntity.of({
      acquire: ({ payload }) => owner.acquire(payload),
      poll: ({ payload }) => owner.poll(payload),
      report: ({ payload }) => owner.report(payload)
    })
  }),
  // A gate without requests keeps its state for a day. A new gate would have no state and would admit only one request
  // at first.
  { concurrency: "unbounded", mailboxCapacity: "unbounded", maxIdleTime: "1 day" }
)
