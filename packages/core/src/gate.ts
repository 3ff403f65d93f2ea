import type { Audit } from '@countersign/audit'
import { audit as defaultAudit } from '@countersign/audit'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { AccessDeniedError } from './access-denied-error.js'
import { type Answer, checkAnswer, problemAnswer, sendAnswer } from './answer.js'
import { type Challenge, TOKEN } from './challenge.js'
import { type Clock, systemClock } from './clock.js'
import { bugEvent, decisionEvent, type EventContext } from './decision-event.js'
import { gateOptionRules, option, resolveOptions } from './options.js'
import { attachPrincipal, detachPrincipal, type PrincipalBase } from './principal.js'
import type { ReasonTable } from './reasons.js'
import { isPromise, settle } from './settle.js'
import type { Denied, Granted, Unavailable, Verdict } from './verdict.js'

/** A refusal as an `onDenied` function gets it. */
export interface Denial<R extends string = string, D extends string = string> {
  readonly verdict: Denied<R> | Unavailable<D>
  /** What the gate would send. */
  readonly answer: Answer
  /** Sends `answer`. */
  respond(): void
}

/**
 * Takes over the answering of refusals. `next` wants an error: called without one it sends the answer, since a refusal
 * must never become a way in.
 */
export type DenialHandler<R extends string = string, D extends string = string> = (
  denial: Denial<R, D>,
  request: Request,
  response: Response,
  next: (error: Error) => void,
) => void | PromiseLike<void>

/**
 * `'respond'` (default) answers; `'next'` passes an {@link AccessDeniedError} to the error handlers; a function takes
 * over. Responding is the default because `next(err)` makes Express print a stack for each refusal, which lets anyone
 * flood the logs.
 */
export type OnDenied<R extends string = string, D extends string = string> = 'respond' | 'next' | DenialHandler<R, D>

/** The options that every gate has. */
export interface GateOptions<R extends string = string, D extends string = string> {
  readonly onDenied?: OnDenied<R, D>
  /** Where decisions are reported. Default: the process-wide emitter of `@countersign/audit`. */
  readonly audit?: Audit
  /** The route template that audit events name. Default: `req.route.path`, else `*`. */
  readonly route?: string
  /** Default: the system clock. */
  readonly clock?: Clock
}

export interface GateDefinition<P extends PrincipalBase, R extends string, D extends string> {
  /** The gate's name in audit events, and the kind of its principals. */
  readonly scheme: string
  /** The header fields that the gate reads credentials from, in lower case. */
  readonly reads: readonly string[]
  /** True when the request carries a credential for this gate, good or bad. Presence commits. */
  readonly presents: (request: Request) => boolean
  /** Decides. A verdict that is already known goes through in the same tick. */
  readonly authenticate: (request: Request) => Verdict<P, R, D> | Promise<Verdict<P, R, D>>
  readonly reasons: ReasonTable<R>
  /** The challenges of a refusal; without one, those of a request that presents nothing. */
  readonly challenge: (denied?: Denied<R>) => readonly Challenge[]
  /** Last word on an answer, for gates that answer in other forms or add headers. */
  readonly answer?: (answer: Answer, verdict: Denied<R> | Unavailable<D>, request: Request) => Answer
  readonly options?: GateOptions<R, D>
}

/** An Express middleware that lets a request through only with a verified principal. */
export interface Gate<P extends PrincipalBase = PrincipalBase> extends RequestHandler {
  readonly scheme: string
  /** The header fields that credentials are read from, in lower case. */
  readonly reads: readonly string[]
  presents(request: Request): boolean
  /** The challenges that a request without credentials gets. */
  challenge(): readonly Challenge[]
  /** A gate that lets a request without any credential through, with no principal. A bad one is still refused. */
  optional(): Gate<P>
  /** Only in the types: what the gate attaches. */
  readonly principal?: P
}

/** One request on its way through a gate. */
interface Passage {
  readonly request: Request
  readonly response: Response
  readonly next: NextFunction
  readonly startedMs: number
}

const object = <T extends object>(expected: string) => option.port<T>(expected)

const DEFINITION_RULES = {
  scheme: option.string(TOKEN, 'a token (RFC 9110)').required(),
  reads: option.strings(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/, 'a list of header field names in lower case').required(),
  presents: option.func().required(),
  authenticate: option.func().required(),
  reasons: object<ReasonTable<string>>('a table from reason to its status and OWASP label').required(),
  challenge: option.func().required(),
  answer: option.func(),
  options: object<GateOptions>('an object'),
}

/**
 * Makes the Express handler of a gate. It alone does what all gates do.
 *
 * @throws {OptionError} when the definition, or one of the options that every gate has, is not what it must be.
 */
export function defineGate<P extends PrincipalBase, R extends string, D extends string>(
  definition: GateDefinition<P, R, D>,
): Gate<P> {
  const { scheme, reasons, options = {} } = resolveOptions('defineGate', definition, DEFINITION_RULES)
  const { audit = defaultAudit, onDenied = 'respond', clock = systemClock, route } = options as GateOptions<R, D>
  resolveOptions('defineGate', { audit, onDenied, clock, route }, gateOptionRules, 'options.')
  const context: EventContext = { scheme, reasons, route }

  function countersign(request: Request, response: Response, next: NextFunction): void {
    const passage: Passage = { request, response, next, startedMs: clock.monotonic() }
    let verdict: Verdict<P, R, D> | Promise<Verdict<P, R, D>>
    try {
      verdict = definition.authenticate(request)
    } catch (error) {
      return fail(passage, error)
    }
    if (!isPromise(verdict)) return conclude(passage, verdict)
    const settled = Promise.resolve(verdict).then(
      (value) => conclude(passage, value),
      (error: unknown) => fail(passage, error),
    )
    contain(passage, settled)
  }

  function conclude(passage: Passage, verdict: Verdict<P, R, D>): void {
    if (verdict?.outcome === 'granted') return grant(passage, verdict)
    let answer: Answer
    try {
      answer = answerFor(verdict, passage.request)
    } catch (error) {
      return fail(passage, error)
    }
    if (audit.active) {
      const latencyMs = clock.monotonic() - passage.startedMs
      void audit.emit(decisionEvent(context, passage.request, verdict, answer.status, latencyMs))
    }
    hand(passage, verdict, answer)
  }

  function grant(passage: Passage, verdict: Granted<P>): void {
    let recorded: boolean | Promise<boolean>
    try {
      attachPrincipal(passage.request, freezePrincipal(verdict))
      recorded = recordGrant(passage, verdict)
    } catch (error) {
      if ((passage.request.principal as unknown) === verdict.principal) detachPrincipal(passage.request)
      return fail(passage, error)
    }
    if (typeof recorded === 'boolean') return admitIf(recorded, passage)
    contain(
      passage,
      recorded.then((written) => admitIf(written, passage)),
    )
  }

  /** Only a handler further on that throws through `next()` rejects here; Express's router does not let it. */
  function contain({ response }: Passage, work: Promise<void>): void {
    work.catch(() => sendAnswer(response, BUG_ANSWER))
  }

  function recordGrant(passage: Passage, verdict: Granted<P>): boolean | Promise<boolean> {
    if (!audit.active) return true
    const latencyMs = clock.monotonic() - passage.startedMs
    const event = decisionEvent(context, passage.request, verdict, undefined, latencyMs)
    return audit.emit(event, () => decisionEvent(context, passage.request, AUDIT_UNAVAILABLE, 503, latencyMs))
  }

  function admitIf(isRecorded: boolean, passage: Passage): void {
    const { request, response, next } = passage
    // Somebody answered while the gate was asking its store (a timeout middleware, say): the handler must not run.
    if (isRecorded) return response.headersSent ? undefined : next()
    detachPrincipal(request)
    hand(passage, AUDIT_UNAVAILABLE as Unavailable<D>, unavailableAnswer(AUDIT_UNAVAILABLE))
  }

  /** A throw is a bug: one event, 500 without detail, never a way in. */
  function fail({ request, response, next, startedMs }: Passage, error: unknown): void {
    if (audit.active) void audit.emit(bugEvent(context, request, error, clock.monotonic() - startedMs))
    if (isOver(response)) return
    if (onDenied === 'respond') return sendAnswer(response, BUG_ANSWER)
    next(new AccessDeniedError(BUG_ANSWER, 'internal_error', 'ERR_GATE_FAILED', error))
  }

  function answerFor(verdict: Denied<R> | Unavailable<D>, request: Request): Answer {
    const answer = verdict?.outcome === 'denied' ? deniedAnswer(verdict) : unavailableAnswer(verdict)
    return definition.answer === undefined ? answer : checkAnswer(definition.answer(answer, verdict, request))
  }

  function deniedAnswer(verdict: Denied<R>): Answer {
    const entry = Object.hasOwn(reasons, verdict.reason) ? reasons[verdict.reason] : undefined
    if (entry === undefined) throw new TypeError(`the table of reasons does not have "${verdict.reason}"`)
    const { status, problem } = entry
    const challenges = definition.challenge(verdict)
    const challenged = status === 401 && challenges.length === 0 ? [{ scheme }] : challenges
    return problemAnswer(status, { ...problem, ...verdict.members }, challenged)
  }

  function hand({ request, response, next }: Passage, verdict: Denied<R> | Unavailable<D>, answer: Answer): void {
    if (isOver(response)) return
    if (onDenied === 'respond') return sendAnswer(response, answer)
    if (onDenied === 'next') return next(AccessDeniedError.of(verdict, answer))
    let isPassed = false
    const send = (what: Answer) => (isPassed ? undefined : sendAnswer(response, what))
    const respond = () => send(answer)
    const pass = (error: unknown) => {
      if (!(error instanceof Error)) return respond()
      if (isPassed || isOver(response)) return
      isPassed = true
      next(error)
    }
    void settle<void, void>(
      () => onDenied({ verdict, answer, respond }, request, response, pass),
      () => undefined,
      () => send(BUG_ANSWER),
    )
  }

  return asGate<P>(countersign, definition, audit)
}

/** Somebody else answered, or the client has gone: an error handed on now would only tear the connection down. */
function isOver(response: Response): boolean {
  return response.headersSent || response.writableEnded || response.destroyed
}

const NO_VERDICT = 'authenticate() must return granted(principal), denied(reason) or unavailable(dependency)'

/** What was granted, frozen. A grant of nothing is a bug and not a way in. */
function freezePrincipal<P extends PrincipalBase>({ principal }: Granted<P>): P {
  if (typeof principal !== 'object' || principal === null) throw new TypeError(NO_VERDICT)
  return Object.freeze(principal)
}

/** What a gate says when a required audit sink did not take its event: no audit, no service. */
const AUDIT_UNAVAILABLE: Unavailable<'audit_sink'> = Object.freeze({ outcome: 'unavailable', dependency: 'audit_sink' })
const BUG_ANSWER: Answer = Object.freeze(problemAnswer(500))

/** 503 with `Retry-After` and no challenge: a 401 would make clients drop good credentials. */
function unavailableAnswer(verdict: Unavailable<string>): Answer {
  if (verdict?.outcome !== 'unavailable') throw new TypeError(NO_VERDICT)
  const { retryAfterSeconds = 1 } = verdict
  const seconds = Number.isFinite(retryAfterSeconds) ? Math.max(1, Math.ceil(retryAfterSeconds)) : 1
  return problemAnswer(503, {}, [], { 'Retry-After': String(seconds) })
}

type GateFace = Pick<Gate, 'scheme' | 'reads' | 'presents'> & { challenge(): readonly Challenge[] }

const emitters = new WeakMap<RequestHandler, Audit>()

/** Where a gate reports to: what is composed of gates reports where they do. */
export function emitterOf(gate: Gate): Audit {
  return emitters.get(gate) ?? defaultAudit
}

/** Gives a handler the face of a gate that reports to `audit`. */
export function asGate<P extends PrincipalBase>(handler: RequestHandler, face: GateFace, audit: Audit): Gate<P> {
  const { scheme, reads, presents } = face
  const challenge = () => face.challenge()
  const mayPresent = (request: Request): boolean => {
    try {
      return presents(request)
    } catch {
      return true
    }
  }
  const optional = (): Gate<P> =>
    asGate<P>(
      function countersignOptional(request, response, next) {
        if (mayPresent(request)) handler(request, response, next)
        else next()
      },
      face,
      audit,
    )
  emitters.set(handler, audit)
  return Object.assign(handler, { scheme, reads, presents, challenge, optional })
}
