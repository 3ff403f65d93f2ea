import type { NextFunction, Request, Response } from 'express'
import { isPromise, settle } from '../async.js'
import { audit as defaultAudit } from '../audit/emitter.js'
import { systemClock } from '../clock.js'
import { assertLinesCame } from '../request/field-lines.js'
import { keepReadable } from '../request/keep-readable.js'
import { AccessDeniedError } from './access-denied-error.js'
import { type Answer, answer, checkAnswer, isOver, problemAnswer, sendAnswer } from './answer.js'
import { checkDefinition, checkGateOptions } from './definition-rules.js'
import { asGate, type Gate, type GateDefinition, type GateInside } from './gate.js'
import type { Denial } from './gate-options.js'
import { addGrant, hideForeignPrincipal, isRecorded, once, showPrincipal } from './grants.js'
import type { PrincipalBase } from './principal.js'
import { record } from './record.js'
import { decisionOn } from './thrown.js'
import { checkDecision, type Decision, denied, type Granted, isDenied, type Refusal, type Verdict } from './verdict.js'

/** One request on its way through a gate. */
interface Passage<C> {
  readonly request: Request
  readonly response: Response
  readonly next: NextFunction
  readonly startedMs: number
  /** What was read; undefined while nothing is. */
  credential: C | undefined
  /** An earlier gate with the same verifier and the same emitter was passed: the request has its event. */
  isRecorded: boolean
}

/** The decision that stands when it has been recorded. */
type Standing<P extends PrincipalBase, R extends string, D extends string> = Decision<P, R, D | 'audit_sink'>

/**
 * Makes the Express handler of a gate: read, verify, record, answer. It alone does what all gates do.
 *
 * @throws {OptionError} when the definition, or one of the options that every gate has, is not what it must be.
 */
export function defineGate<C, P extends PrincipalBase, R extends string, D extends string>(
  definition: GateDefinition<C, P, R, D>,
): Gate<P> {
  const checked = checkDefinition(definition)
  const { name: kind, middleware, reads, recognises, verifier = definition } = checked
  const { verify, demand, decided, dependencies, reasons, challenge, shape } = checked
  const options = checkGateOptions(checked.options)
  const { audit = defaultAudit, onDenied = 'respond', clock = systemClock, route } = options
  const context = { kind, reasons, challenge }
  const read = (request: Request) => {
    assertLinesCame(request, reads)
    return checked.read(request)
  }

  const handler = (request: Request, response: Response, next: NextFunction): void => {
    const passage = enter(request, response, next)
    let verdict: Verdict<P, R, D> | Promise<Verdict<P, R, D>>
    try {
      verdict = decide(passage)
    } catch (error) {
      return conclude(passage, decisionOn(error, dependencies))
    }
    if (!isPromise(verdict)) return conclude(passage, verdict)
    const concluded = Promise.resolve(verdict).then(
      (value) => conclude(passage, value),
      (error: unknown) => conclude(passage, decisionOn(error, dependencies)),
    )
    contain(passage, concluded)
  }

  function enter(request: Request, response: Response, next: NextFunction): Passage<C> {
    return { request, response, next, startedMs: clock.monotonic(), credential: undefined, isRecorded: false }
  }

  /** Read and verify, once per request; then what this gate demands, every time. */
  function decide(passage: Passage<C>): Verdict<P, R, D> | Promise<Verdict<P, R, D>> {
    const { request } = passage
    const grant = once(request, verifier)
    if (grant !== undefined) {
      passage.credential = grant.credential as C
      passage.isRecorded = isRecorded(request, verifier, audit)
      return meet(grant.verdict as Granted<P>, grant.credential as C, request)
    }
    const credential = read(request) ?? denied('missing' as R)
    if (isDenied(credential)) return credential
    passage.credential = credential
    const verdict = verify(credential, request)
    if (isPromise(verdict)) return Promise.resolve(verdict).then((value) => meet(value, credential, request))
    return meet(verdict, credential, request)
  }

  function meet(verdict: Verdict<P, R, D>, credential: C, request: Request) {
    return demand !== undefined && verdict?.outcome === 'granted' ? demand(verdict, credential, request) : verdict
  }

  /** Record, then call the handler or answer. */
  function conclude(passage: Passage<C>, decision: Decision<P, R, D>): void {
    let standing: Standing<P, R, D> | Promise<Standing<P, R, D>>
    try {
      standing = checkDecision(decision).outcome === 'granted' ? grant(passage, decision as Granted<P>) : decision
    } catch (error) {
      return refuse(passage, { outcome: 'failed', error })
    }
    if (decision.outcome !== 'granted') return refuse(passage, decision)
    if (!isPromise(standing)) return admit(passage, standing)
    contain(
      passage,
      standing.then((value) => admit(passage, value)),
    )
  }

  /** Only a handler further on that throws through `next()` rejects here; Express's router does not let it. */
  function contain({ response }: Passage<C>, work: PromiseLike<void>): void {
    work.then(undefined, () => sendAnswer(response, problemAnswer(500)))
  }

  /** Attaches what was granted, and records it unless an earlier gate did. */
  function grant(passage: Passage<C>, verdict: Granted<P>): Standing<P, R, D> | Promise<Standing<P, R, D>> {
    const { request, credential } = passage
    decided?.(verdict, credential, request)
    showPrincipal(request, verdict.principal)
    if (passage.isRecorded) return verdict
    const standing = record<P, R, D>(verdict, about(passage))
    return isPromise(standing) ? standing.then((value) => remember(passage, value)) : remember(passage, standing)
  }

  /** Only what has been recorded: a gate that runs meanwhile must not take it for proven. */
  function remember({ request, credential }: Passage<C>, standing: Standing<P, R, D>): Standing<P, R, D> {
    if (standing.outcome === 'granted') addGrant({ request, verdict: standing, credential, verifier, audit })
    return standing
  }

  function about({ request, startedMs }: Passage<C>, status?: number) {
    return { kind, reasons, audit, request, route, status, latencyMs: clock.monotonic() - startedMs }
  }

  function admit(passage: Passage<C>, standing: Standing<P, R, D>): void {
    const { request, credential, response, next } = passage
    // Somebody answered while the gate was asking its store (a timeout middleware, say): the handler must not run.
    if (standing.outcome === 'granted') {
      if (response.headersSent) return
      keepReadable(request)
      return next()
    }
    let sent: Answer
    try {
      hideForeignPrincipal(request)
      if (standing.outcome !== 'failed') decided?.(standing, credential, request)
      sent = answerTo(request, standing)
    } catch {
      // The event is out and says 503.
      sent = answer(standing, context)
    }
    hand(passage, standing, sent)
  }

  function refuse(passage: Passage<C>, refusal: Refusal<R, D>): void {
    const { request, credential } = passage
    let standing = refusal
    let sent: Answer
    try {
      hideForeignPrincipal(request)
      if (refusal.outcome !== 'failed') decided?.(refusal, credential, request)
      sent = answerTo(request, refusal)
      void record<P, R, D>(standing, about(passage, sent.status))
    } catch (error) {
      standing = { outcome: 'failed', error }
      sent = problemAnswer(500)
      void record<P, R, D>(standing, about(passage, 500))
    }
    hand(passage, standing, sent)
  }

  function answerTo(request: Request, refusal: Refusal<R, D | 'audit_sink'>): Answer {
    const plain = answer(refusal, context)
    return shape === undefined || refusal.outcome === 'failed' ? plain : checkAnswer(shape(plain, refusal, request))
  }

  function hand({ request, response, next }: Passage<C>, verdict: Refusal<R, D | 'audit_sink'>, sent: Answer): void {
    if (isOver(response)) return
    if (onDenied === 'respond') return sendAnswer(response, sent)
    if (onDenied === 'next' || verdict.outcome === 'failed') return next(new AccessDeniedError(verdict, sent))
    let isPassed = false
    const send = (what: Answer) => (isPassed ? undefined : sendAnswer(response, what))
    const respond = () => send(sent)
    const pass = (error: unknown) => {
      if (!(error instanceof Error)) return respond()
      if (isPassed || isOver(response)) return
      isPassed = true
      next(error)
    }
    const denial: Denial<R, D> = { verdict, answer: sent, respond }
    void settle<void, void>(
      () => onDenied(denial, request, response, pass),
      () => undefined,
      () => send(problemAnswer(500)),
    )
  }

  const face = {
    kind,
    reads,
    presents: (request: Request) => once(request, verifier) !== undefined || isPresented(read(request)),
    challenge: () => challenge(),
    pass: (request: Request, response: Response, next: NextFunction) => {
      try {
        hideForeignPrincipal(request)
      } catch (error) {
        return refuse(enter(request, response, next), { outcome: 'failed', error })
      }
      next()
    },
  }
  const takes = recognises === 'own' ? [] : reads
  const owns = (request: Request) => checked.owns?.(request) ?? true
  const inside = { audit, clock, takes, owns, definition: checked } as unknown as GateInside
  return asGate<P>(handler, middleware, face, inside)
}

/** Whether what `read` returned is a credential that could be meant for the gate, good or bad. */
function isPresented(read: unknown): boolean {
  return read !== undefined && read !== null && !(isDenied(read) && read.reason === 'missing')
}
