import type { NextFunction, Request, Response } from 'express'
import { isPromise } from '../async.js'
import { audit as defaultAudit } from '../audit/emitter.js'
import { systemClock } from '../clock.js'
import { assertLinesCame, isUpgrade } from '../request/message.js'
import { type Answer, answer, checkAnswer, problemAnswer } from './answer.js'
import { checkDefinition, checkGateOptions } from './definition-rules.js'
import { type Exit, ExpressExit } from './exit.js'
import { asGate, type Gate, type GateDefinition, type GateInside } from './gate.js'
import { addGrant, hideForeignPrincipal, isProven, isRecorded, once, showPrincipal } from './grants.js'
import type { PrincipalBase } from './principal.js'
import { record } from './record.js'
import { decisionOn } from './thrown.js'
import {
  checkDecision,
  type Decision,
  type Denied,
  denied,
  type Granted,
  isDenied,
  type Refusal,
  type Verdict,
} from './verdict.js'

/** One request on its way through a gate. */
interface Passage<C> {
  readonly request: Request
  readonly exit: Exit
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
  const { verify, demand, anonymous, decided, dependencies, reasons, challenge, shape } = checked
  const options = checkGateOptions(checked.options)
  const { audit = defaultAudit, onDenied = 'respond', clock = systemClock, route } = options
  const context = { kind, reasons, challenge }
  const read = (request: Request) => {
    assertLinesCame(request, reads)
    return checked.read(request)
  }

  const handler = (request: Request, response: Response, next: NextFunction): void =>
    enter(request, new ExpressExit(request, response, next))

  function enter(request: Request, exit: Exit): void {
    const passage = begin(request, exit)
    let verdict: Verdict<P, R, D> | Promise<Verdict<P, R, D>>
    try {
      verdict = decide(passage)
    } catch (error) {
      return conclude(passage, decisionOn(error, dependencies))
    }
    if (isPromise(verdict)) concludeLater(passage, verdict)
    else conclude(passage, verdict)
  }

  // What waits is apart from what does not: a function that makes closures allocates for them on every call.
  function concludeLater(passage: Passage<C>, verdict: PromiseLike<Verdict<P, R, D>>): void {
    const concluded = Promise.resolve(verdict).then(
      (value) => conclude(passage, value),
      (error: unknown) => conclude(passage, decisionOn(error, dependencies)),
    )
    contain(passage, concluded)
  }

  function begin(request: Request, exit: Exit): Passage<C> {
    return { request, exit, startedMs: clock.monotonic(), credential: undefined, isRecorded: false }
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
    return isPromise(verdict) ? meetLater(verdict, credential, request) : meet(verdict, credential, request)
  }

  function meetLater(verdict: PromiseLike<Verdict<P, R, D>>, credential: C, request: Request) {
    return Promise.resolve(verdict).then((value) => meet(value, credential, request))
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
    if (isPromise(standing)) admitLater(passage, standing)
    else admit(passage, standing)
  }

  function admitLater(passage: Passage<C>, standing: Promise<Standing<P, R, D>>): void {
    contain(
      passage,
      standing.then((value) => admit(passage, value)),
    )
  }

  /** Only a handler further on that throws through `next()` rejects here; Express's router does not let it. */
  function contain({ exit }: Passage<C>, work: PromiseLike<void>): void {
    work.then(undefined, () => exit.send(problemAnswer(500)))
  }

  /** Attaches what was granted, and records it unless an earlier gate did. */
  function grant(passage: Passage<C>, verdict: Granted<P>): Standing<P, R, D> | Promise<Standing<P, R, D>> {
    const { request, credential } = passage
    decided?.(verdict, credential, request)
    showPrincipal(request, verdict.principal)
    if (passage.isRecorded) return verdict
    return record<P, R, D>(verdict, about(passage))
  }

  function about({ request, startedMs }: Passage<C>, status?: number) {
    return { kind, reasons, audit, request, route, status, latencyMs: clock.monotonic() - startedMs }
  }

  function admit(passage: Passage<C>, standing: Standing<P, R, D>): void {
    const { request, credential, exit } = passage
    if (standing.outcome === 'granted') {
      // Only now that it is recorded: a gate that ran meanwhile must not take it for proven. A grant that was remembered is
      // added, too: `req.principal` shows it, so it is the last one.
      addGrant(request, standing, credential, verifier, audit)
      return exit.admit(standing.principal)
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
    exit.refuse(standing, sent, onDenied)
  }

  function refuse(passage: Passage<C>, refusal: Refusal<R, D>): void {
    const { request, credential, exit } = passage
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
    exit.refuse(standing, sent, onDenied)
  }

  function answerTo(request: Request, refusal: Refusal<R, D | 'audit_sink'>): Answer {
    const plain = answer(refusal, context)
    // What shapes an answer may look for Express's response, which an upgrade does not have.
    if (shape === undefined || refusal.outcome === 'failed' || isUpgrade(request)) return plain
    return checkAnswer(shape(plain, refusal, request))
  }

  const face = {
    kind,
    reads,
    presents: (request: Request) => once(request, verifier) !== undefined || isPresented(read(request)),
    challenge: () => challenge(),
  }

  function pass(request: Request, exit: Exit): void {
    const passage = begin(request, exit)
    let refusal: Denied<R> | undefined | Promise<Denied<R> | undefined>
    try {
      hideForeignPrincipal(request)
      refusal = isProven(request) ? undefined : anonymous?.(request)
    } catch (error) {
      return refuse(passage, decisionOn(error, dependencies))
    }
    if (isPromise(refusal)) passLater(passage, refusal)
    else leave(passage, refusal)
  }

  function passLater(passage: Passage<C>, refusal: PromiseLike<Denied<R> | undefined>): void {
    const left = Promise.resolve(refusal).then(
      (value) => leave(passage, value),
      (error: unknown) => refuse(passage, decisionOn(error, dependencies)),
    )
    contain(passage, left)
  }

  function leave(passage: Passage<C>, refusal: Denied<R> | undefined): void {
    if (refusal === undefined) passage.exit.admit(undefined)
    else conclude(passage, refusal)
  }

  const takes = recognises === 'own' ? [] : reads
  const owns = (request: Request) => checked.owns?.(request) ?? true
  const inside = { audit, clock, takes, owns, definition: checked, enter, pass } as unknown as GateInside
  return asGate<P>(handler, middleware, face, inside)
}

/** Whether what `read` returned is a credential that could be meant for the gate, good or bad. */
function isPresented(read: unknown): boolean {
  return read !== undefined && read !== null && !(isDenied(read) && read.reason === 'missing')
}
