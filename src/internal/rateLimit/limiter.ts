/**
 * What one client knows of the rate limit, and what follows from it: how many requests may be sent now, and when to look
 * again. All moments are milliseconds on the local monotonic clock.
 *
 * Six rules meet here:
 * 1. While fewer are in flight than are left in the window, more may go (`verdict`); of an unknown window one finds out
 *    (`probing`).
 * 2. An answer lowers what is left, or opens a later window, or is of an earlier one (`window.ts`).
 * 3. A refusal closes the gate until the moment that it names (`refusal.ts`).
 * 4. That moment is on the server's clock, and is taken for the latest that all answers allow (`skew.ts`).
 * 5. Where others use the same key, only a share of what is left is ours (`sharing.ts`).
 * 6. Where headers are missing: learn how many go (`unmetered`), go slowly (`paced`), and find out how late a window opens
 *    that was promised earlier (`Lag` in `refusal.ts`).
 *
 * Why nothing is refused: let r be the answer that told the smallest Remaining, q. Any request of ours that was handled after
 * r would have told less, so it is still in flight: at least q - inFlight places are free.
 *
 * @internal
 */
import type { Moment, Told } from "../retry/rateLimitHeaders.js"
import * as Refusal from "./rejection.js"
import * as Sharing from "./otherClients.js"
import * as Skew from "./clockSkew.js"
import * as Window from "./window.js"

/** @internal A request on its way. */
export interface Sent {
  readonly at: number
  /** Sent to find out, when nothing was known that allowed it. */
  readonly probe: boolean
  /** How many windows had been seen. */
  readonly windows: number
}

/** @internal How many requests may be sent now. */
export interface Verdict {
  readonly places: number
  /** From when on the passing of time alone can change it. */
  readonly until: number | undefined
  /** Whether the limit is the reason, not an answer that is still to come. */
  readonly closed: boolean
}

const second = 1000

/** A request whose sender is gone can still arrive, but not much later. */
const stray = second
/** Before that, no answer can show whether others are on the same key: they are assumed. */
const acquaintance = second
/** Windows for which others are taken to be there still. */
const memory = 3
/** A probe without an answer must not hold back everybody else for ever: then twice as many may go. */
const patience = 2 * second
/** Without a reset, a window is taken for over so long after a response has told of it. */
const untoldWindow = 60 * second
/** Of silence about the limit and rest from it, after which a refusal without a word is forgotten. */
const forgiveness = 600 * second

/** No answer has said how many requests are left. */
const isUnmetered = (window: Window.Window | undefined): boolean =>
  window === undefined || window.remaining === Number.POSITIVE_INFINITY

const tellsPlaces = (heard: Window.Heard): boolean =>
  heard.remaining !== undefined || (heard.limit !== undefined && heard.reset !== undefined)

const open = (places: number): Verdict => ({ places, until: undefined, closed: false })
const closed = (until: number | undefined): Verdict => ({ places: 0, until, closed: true })
const busy = (until: number | undefined): Verdict => ({ places: 0, until, closed: false })

/** @internal */
export class Limiter {
  window: Window.Window | undefined
  skew: Skew.Skew | undefined
  inFlight = 0
  /** The local wall clock less the monotonic one, in milliseconds. */
  wallOffset = 0
  blockedUntil = Number.NEGATIVE_INFINITY
  /** How long a window is, as far as can be told: the longest time to a reset that the last two have shown. */
  length = 0
  /** Refused since the client was made. */
  refusals = 0

  /** Requests that can still be counted, though nobody waits for their answer: when each is taken as counted. */
  private readonly strays: Array<number> = []
  private lastSentAt = Number.NEGATIVE_INFINITY
  /** When a response has last told how many requests are left. */
  private toldAt = Number.NEGATIVE_INFINITY

  /** Probes for the current window that have no answer yet. */
  private probes = 0
  /** How many probes at once: one more for each that told nothing, so that a server without headers is soon used in full. */
  private ramp = 1
  private silentSince = 0

  private windows = 0
  private others: { readonly clients: number; readonly until: number } = { clients: Sharing.several, until: 0 }
  /** In the current window. */
  private refusalsHere = 0
  private metAt: number | undefined

  private lag = Refusal.noLag
  private lagSteps = 0
  /** Refused without a word on how long, one after the other. */
  private untold = 0
  private blind = false
  private refusedAt = Number.NEGATIVE_INFINITY

  /** Where no answer tells Remaining: requests taken since the last refusal, and how many of them may go at once. */
  private taken = 0
  private allowed = 0
  /** How many were taken before it. */
  private learned: number | undefined

  private scarceUntil = Number.NEGATIVE_INFINITY

  /** What can be counted by the server before its next answer. */
  private get out(): number {
    return this.inFlight + this.strays.length
  }

  /** When the known window is over, as late as the evidence allows. */
  get opensAt(): number | undefined {
    const reset = this.window?.reset
    return reset === undefined ? undefined : this.local(reset) + this.lag.next
  }

  /** Without a `Date` of the server, its clock is taken for the local wall clock. */
  private local({ at, clock }: Moment): number {
    if (clock === "local") return at
    return this.skew === undefined ? at - this.wallOffset : Skew.latest(this.skew, at)
  }

  /** Whether one of the last windows has shown others on the same key. */
  get isShared(): boolean {
    return this.windows < this.others.until
  }

  /** How long the next so many requests take, one after the other, where nothing is known of windows. */
  paceOf(requests: number): number {
    return this.blind ? requests * second : 0
  }

  /** How many share the key, this client included, as far as can be told. */
  clients(now: number): number {
    if (this.isShared) return this.others.clients
    return this.isAcquainting(now) ? Sharing.several : 1
  }

  /** Whether what is left will hardly do, so that whatever can wait should. */
  isScarce(now: number): boolean {
    return now < this.scarceUntil
  }

  verdict(now: number): Verdict {
    this.expire(now)
    this.forgetUntold(now)
    if (now < this.blockedUntil) return closed(this.blockedUntil)
    if (this.blind) return this.paced(now)
    const { opensAt, window } = this
    if (window === undefined || isUnmetered(window)) return this.unmetered(now)
    if (opensAt !== undefined && now >= opensAt) return this.probing(now)
    const free = window.remaining - this.out
    if (free <= 0) return opensAt === undefined ? this.paced(now) : closed(opensAt)
    const places = Math.min(free, Sharing.share(window.remaining, this.clients(now)) - this.out)
    return places > 0 ? open(places) : busy(this.isAcquainting(now) ? this.acquaintedAt : opensAt)
  }

  /** A window that names no end, and of which no response tells any more, must not slow requests down for good. */
  private forgetUntold(now: number): void {
    if (this.window === undefined || this.window.reset !== undefined || isUnmetered(this.window)) return
    if (now - this.toldAt < untoldWindow) return
    this.window = undefined
    this.probes = 0
    this.ramp = 1
    this.silentSince = now
  }

  private get acquaintedAt(): number {
    return (this.metAt ?? Number.NEGATIVE_INFINITY) + acquaintance
  }

  private isAcquainting(now: number): boolean {
    return now < this.acquaintedAt && this.window?.limit !== undefined
  }

  /** Where the headers are useless, one request a second is never too impolite. */
  private paced(now: number): Verdict {
    const next = this.lastSentAt + second
    return now < next ? closed(next) : open(1)
  }

  private probing(now: number): Verdict {
    const silent = this.probes === 0 ? 0 : Math.floor((now - this.silentSince) / patience)
    const most = (this.window?.limit ?? Number.POSITIVE_INFINITY) - this.out
    const places = Math.min(most, this.ramp * 2 ** silent - this.probes)
    return places > 0 ? open(places) : busy(most > 0 ? this.silentSince + (silent + 1) * patience : this.strays[0])
  }

  private unmetered(now: number): Verdict {
    if (this.learned === undefined || this.taken === 0) return this.probing(now)
    const places = this.allowed - this.taken - this.out
    // Beyond what was learned one at a time goes on: the first window that was seen may have been half used.
    return places > 0 ? open(places) : this.out === 0 ? open(1) : busy(this.strays[0])
  }

  private isProbing(now: number): boolean {
    const { opensAt, window } = this
    return isUnmetered(window) || (opensAt !== undefined && now >= opensAt)
  }

  /** A request is sent. */
  send(now: number): Sent {
    const sent = { at: now, probe: this.isProbing(now), windows: this.windows }
    this.inFlight += 1
    this.lastSentAt = now
    if (sent.probe) {
      if (this.probes === 0) this.silentSince = now
      this.probes += 1
    }
    if (this.window !== undefined) this.window = Window.counting(this.window, 1)
    return sent
  }

  private arrived(sent: Sent, now: number): void {
    this.inFlight -= 1
    if (!sent.probe || sent.windows !== this.windows) return
    this.probes -= 1
    this.silentSince = now
  }

  /** It never left: no connection was made. */
  unsent(sent: Sent, now: number): void {
    this.withdrawn(sent, now)
    if (sent.probe) this.ramp += 1
  }

  /** It was not even tried. */
  withdrawn(sent: Sent, now: number): void {
    this.arrived(sent, now)
    if (this.window !== undefined) this.window = Window.counting(this.window, -1)
  }

  /** No answer came: the connection broke, or it took too long. */
  lost(sent: Sent, now: number): void {
    this.abandoned(sent, now)
    if (sent.probe) this.ramp += 1
  }

  /** Nobody waits for its answer any more. */
  abandoned(sent: Sent, now: number): void {
    this.arrived(sent, now)
    this.strays.push(now + stray)
  }

  private expire(now: number): void {
    while (this.strays[0] !== undefined && this.strays[0] <= now) {
      this.strays.shift()
      this.taken += 1
      if (this.window !== undefined) this.window = Window.spent(this.window)
    }
  }

  /** An answer that is no refusal. */
  answered(sent: Sent, told: Told, now: number): void {
    this.arrived(sent, now)
    const heard = this.hear(sent, told, now)
    this.untold = 0
    this.lagSteps = 0
    this.count(sent)
    if (sent.probe && !tellsPlaces(heard)) this.ramp += 1
    if (heard.reset === undefined && heard.remaining === undefined) {
      this.heardNothing(sent)
    } else {
      if (heard.reset !== undefined && tellsPlaces(heard)) this.blind = false
      this.place(sent, heard)
    }
    const { opensAt, window } = this
    if (window?.limit !== undefined && window.remaining < window.limit / 2) this.isGettingScarce(opensAt ?? now)
  }

  /** Where nothing is told, what was taken is all that can be known. */
  private count(sent: Sent): void {
    if (sent.at <= this.refusedAt) {
      // Taken before the refusal: the window had room for one more than was thought.
      if (this.learned !== undefined) this.learned += 1
      return
    }
    if (this.taken === 0) return this.begin()
    this.taken += 1
    if (this.learned !== undefined && this.taken >= this.allowed + this.learned) {
      // As many again went one at a time, and none was refused: the window is larger, or another one.
      this.allowed = this.taken + this.learned
      this.learned *= 2
    }
  }

  /** The first request of a window is taken. */
  private begin(): void {
    this.taken = 1
    this.allowed = this.learned ?? 0
  }

  private heardNothing(sent: Sent): void {
    if (this.window === undefined) return
    if (this.isAfterEnd(sent) && this.window.limit === undefined) {
      this.window = undefined
    } else {
      this.window = Window.spent(this.window)
    }
  }

  /** A refusal; gives the moment at which the gate opens again, where it follows from what the server has told. */
  refused(sent: Sent, told: Told, now: number): number | undefined {
    this.arrived(sent, now)
    const { window: before } = this
    if (sent.at > this.refusedAt && isUnmetered(before)) this.learned = Math.max(1, this.taken)
    const opensAt = this.toldUntil(sent, this.hear(sent, told, now), now)
    // It was lawful, so somebody else has taken its place.
    if (!sent.probe && before !== undefined && before.remaining > 0) this.share()
    this.shut(opensAt, sent, now)
    return opensAt === undefined ? undefined : this.blockedUntil
  }

  /** Closes the gate until a moment, or for a while that grows where nobody knows how long. */
  shut(until: number | undefined, sent: Sent, now: number): void {
    // Those that were sent together are refused together: that is one refusal to climb the ladder for.
    const isFirst = sent.at > this.refusedAt
    this.refusals += 1
    this.refusalsHere += 1
    this.taken = 0
    this.ramp = 1
    this.refusedAt = now
    this.blind = until === undefined
    if (until !== undefined) this.blockedUntil = Math.max(this.blockedUntil, until)
    else if (isFirst) this.blockedUntil = Math.max(this.blockedUntil, Refusal.untold(now, this.untold++))
    this.isGettingScarce(this.blockedUntil)
  }

  private toldUntil(sent: Sent, heard: Window.Heard, now: number): number | undefined {
    const usable = (moment: Moment | undefined) =>
      moment !== undefined && Refusal.isUsable(this.local(moment), now) ? this.local(moment) : undefined
    const retryAt = usable(heard.retryAfter)
    const asked = retryAt ?? usable(heard.reset)
    if (asked !== undefined) {
      const isUnknown = isUnmetered(this.window)
      this.place(sent, isUnknown ? { ...heard, reset: heard.reset ?? { clock: "local", at: asked } } : heard)
      // A Retry-After can come from another limit than the one whose window is known.
      if (this.window !== undefined && (isUnknown || retryAt === undefined)) {
        this.window = Window.exhausted(this.window)
      }
      return Refusal.told(now, asked)
    }
    return heard.reset === undefined ? undefined : this.passedUntil(sent, heard, now)
  }

  /** Of a refusal whose reset has just passed. */
  private passedUntil(sent: Sent, heard: Window.Heard, now: number): number | undefined {
    if (this.window?.reset === undefined) return undefined
    const relation = Window.relation(this.window, heard, this.isAfterEnd(sent))
    const base = this.local(this.window.reset)
    const after = sent.at - base
    if (relation === "same" && this.isAfterEnd(sent) && Refusal.isLag(after)) {
      this.lag = Refusal.refused(this.lag, after, now - base, this.lagSteps)
      this.lagSteps += 1
      return base + this.lag.next
    }
    // It was sent in a window that is over by now.
    return relation === "older" || (relation === "same" && !this.isAfterEnd(sent) && base <= now) ? now : undefined
  }

  private hear(sent: Sent, told: Told, now: number): Window.Heard {
    if (told.date !== undefined) {
      this.skew = Skew.narrowed(this.skew, { date: told.date, sentAt: sent.at, receivedAt: now })
    }
    if (this.metAt === undefined) this.metAt = now
    if (told.remaining !== undefined) this.toldAt = now
    const reset = told.reset !== undefined && this.isCredible(told.reset, now) ? told.reset : undefined
    return { ...told, reset, sentAt: sent.at, receivedAt: now, serverNow: told.date ?? now + this.wallOffset }
  }

  /** A reset that has just passed belongs to a server that rounds down; one long ago or far ahead to none. */
  private isCredible(reset: Moment, now: number): boolean {
    return Refusal.isUsable(this.local(reset), now - 2 * second)
  }

  private place(sent: Sent, heard: Window.Heard): void {
    const { window } = this
    const relation = window === undefined ? "newer" : Window.relation(window, heard, this.isAfterEnd(sent))
    if (window === undefined || relation === "newer") {
      if (window?.reset !== undefined) this.lag = this.settledLag(sent, this.local(window.reset))
      if (window !== undefined && this.isShared && this.refusalsHere < 2) {
        this.others = { ...this.others, clients: Sharing.estimated(window) }
      }
      this.window = Window.opened(heard, window === undefined ? Math.max(1, this.taken) : 1, this.out, window?.limit)
      this.length = Math.max(window?.horizon ?? 0, this.window.horizon)
      this.windows += 1
      this.probes = 0
      this.refusalsHere = 0
      this.ramp = 1
      if (isUnmetered(this.window)) this.begin()
    } else {
      this.window = relation === "same" ? Window.lowered(window, heard) : Window.counting(window, -1)
    }
    if (Sharing.isUsedByOthers(this.window)) this.share()
  }

  /** Sent when the window that is still the last known was over, and its end may only look later since. */
  private isAfterEnd(sent: Sent): boolean {
    return sent.probe && sent.windows === this.windows
  }

  private settledLag(sent: Sent, base: number): Refusal.Lag {
    const after = sent.at - base
    return this.isAfterEnd(sent) && Refusal.isLag(after) ? Refusal.taken(this.lag, after) : this.lag
  }

  /** There are others, and for the next windows they are taken to be there still. */
  private share(): void {
    const clients = Sharing.afterRefusals(this.isShared ? this.others.clients : Sharing.several, this.refusalsHere)
    this.others = { clients, until: this.windows + memory }
  }

  private isGettingScarce(until: number): void {
    this.scarceUntil = Math.max(this.scarceUntil, until + 2 * this.length)
  }

  /** Nobody has had to wait for a long time: the refusal without a word is forgotten. */
  rested(now: number): void {
    if (this.blind && now >= this.lastSentAt + second && now - this.refusedAt > forgiveness) this.blind = false
  }
}
