import type { NextFunction, Request, Response } from 'express'
import { isPromise, settle } from '../async.js'
import { audit as defaultAudit } from '../audit/emitter.js'
import { systemClock } from '../clock.js'
import { resolveOptions } from '../options/resolve.js'
import { option } from '../options/rules.js'
import { AccessDeniedError } from './access-denied-error.js'
import { type Answer, answer, checkAnswer, isOver, problemAnswer, sendAnswer } from './answer.js'
import { TOKEN } from './challenge.js'
import { asGate, type Gate, type GateDefinition, type GateInside } from './gate.js'
import { type GateOptions, gateOptionRules } from './gate-options.js'
import { addGrant, once, removeGrant } from './grants.js'
import { hideForeignPrincipal, type PrincipalBase, showPrincipal } from './principal.js'
import type { ReasonTable } from './reasons.js'
import { record } from './record.js'
import { decisionOn } from './thrown.js'
import { type Decision, denied, type Granted, isDenied, type Refusal, type Verdict } from './verdict.js'

/** One request on its way through a gate. */
interface Passage<C> {
  readonly request: Request
  readonly response: Response
  readonly next: NextFunction
  readonly startedMs: number
  /** What was read; undefined while nothing is. */
  credential: C | undefined
  /** An earlier gate with the same verifier authenticated this request: it has its event. */
  isKnown: boolean
}

/** The decision that stands when it has been recorded. */
type Standing<P extends PrincipalBase, R extends string, D extends string> = Decision<P, R, D | 'audit_sink'>

const object = <T extends object>(expected: string) => option.port<T>(expected)

const DEFINITION_RULES = {
  name: option.string(TOKEN, 'a token (RFC 9110 §5.6.2)').required(),
  middleware: option.string().required(),
  reads: option.strings(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/, 'a list of header field names in lower case').required(),
  recognises: option.oneOf('own', 'any').default('any'),
  read: option.func().required(),
  verify: option.func().required(),
  demand: option.func(),
  decided: option.func(),
  verifier: object('an object'),
  dependencies: option.strings(/^[a-z][a-z0-9_]*$/, 'a list of names in snake_case, at least one').required(),
  reasons: option
    .custom<ReasonTable<string>>('a table from reason to its status and OWASP label, with `missing` in it', (value) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, 'missing')
        ? (value as ReasonTable<string>)
        : undefined,
    )
    .required(),
  challenge: option.func().required(),
  shape: option.func(),
  withoutRequest: object('an object'),
  options: object<GateOptions>('an object'),
}

/**
 * Makes the Express handler of a gate: read, verify, record, answer. It alone does what all gates do.
 *
 * @throws {OptionError} when the definition, or one of the options that every gate has, is not what it must be.
 */
export function defineGate<C, P extends PrincipalBase, R extends string, D extends string>(
  definition: GateDefinition<C, P, R, D>,
): Gate<P> {
  const {
    name: kind,
    middleware,
    reads,
    recognises,
    ...rest
  } = resolveOptions('defineGate', definition, DEFINITION_RULES)
  const { options = {} } = definition
  const given = { audit: options.audit, onDenied: options.onDenied, clock: options.clock, route: options.route }
  const {
    audit = defaultAudit,
    route,
    clock = systemClock,
  } = resolveOptions('defineGate', given, gateOptionRules, 'options.')
  const { onDenied = 'respond' } = options
  const { read, verify, demand, decided, dependencies, reasons, challenge, shape } = definition
  const verifier: object = rest.verifier ?? definition
  const context = { kind, reasons, challenge }

  const handler = (request: Request, response: Response, next: NextFunction): void => {
    const passage = { request, response, next, startedMs: clock.monotonic(), credential: undefined, isKnown: false }
    let verdict: Verdict<P, R, D> | Promise<Verdict<P, R, D>>
    try {
      verdict = decide(passage)
    } catch (error) {
      return conclude(passage, decisionOn(error, dependencies))
    }
    if (!isPromise(verdict)) return conclude(passage, verdict)
    const settled = verdict.then(
      (value) => conclude(passage, value),
      (error: unknown) => conclude(passage, decisionOn(error, dependencies)),
    )
    contain(passage, settled)
  }

  /** Read and verify, once per request; then what this gate demands, every time. */
  function decide(passage: Passage<C>): Verdict<P, R, D> | Promise<Verdict<P, R, D>> {
    const { request } = passage
    const grant = once(request, verifier)
    if (grant !== undefined) {
      passage.credential = grant.credential as C
      passage.isKnown = true
      return meet(grant.verdict as Granted<P>, grant.credential as C, request)
    }
    const credential = read(request) ?? denied('missing' as R)
    if (isDenied(credential)) return credential
    passage.credential = credential
    const verdict = verify(credential, request)
    if (isPromise(verdict)) return verdict.then((value) => meet(value, credential, request))
    return meet(verdict, credential, request)
  }

  function meet(verdict: Verdict<P, R, D>, credential: C, request: Request) {
    return demand !== undefined && verdict?.outcome === 'granted' ? demand(verdict, credential, request) : verdict
  }

  /** Record, then go on or answer. */
  function conclude(passage: Passage<C>, decision: Decision<P, R, D>): void {
    if (decision?.outcome !== 'granted') return refuse(passage, decision)
    let standing: Standing<P, R, D> | Promise<Standing<P, R, D>>
    try {
      standing = grant(passage, decision)
    } catch (error) {
      return refuse(passage, { outcome: 'failed', error })
    }
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
    const { request, credential, isKnown } = passage
    decided?.(verdict, credential, request)
    showPrincipal(request, freezePrincipal(verdict))
    if (isKnown) return verdict
    addGrant(request, verdict, credential, verifier)
    try {
      return record<P, R, D>(verdict, { ...about(passage), status: undefined })
    } catch (error) {
      removeGrant(request)
      throw error
    }
  }

  function about({ request, startedMs }: Passage<C>) {
    return { kind, reasons, audit, request, route, latencyMs: clock.monotonic() - startedMs }
  }

  function admit(passage: Passage<C>, standing: Standing<P, R, D>): void {
    const { request, response, next } = passage
    // Somebody answered while the gate was asking its store (a timeout middleware, say): the handler must not run.
    if (standing.outcome === 'granted') return response.headersSent ? undefined : next()
    removeGrant(request)
    hideForeignPrincipal(request)
    hand(passage, standing, answer(standing, context))
  }

  function refuse(passage: Passage<C>, refusal: Refusal<R, D>): void {
    const { request } = passage
    hideForeignPrincipal(request)
    let sent: Answer
    let standing = refusal
    try {
      assertVerdict(refusal)
      if (refusal.outcome !== 'failed') decided?.(refusal, passage.credential, request)
      sent = answer(refusal, context)
      if (shape !== undefined && refusal.outcome !== 'failed') sent = checkAnswer(shape(sent, refusal, request))
    } catch (error) {
      standing = { outcome: 'failed', error }
      sent = problemAnswer(500)
    }
    void record<P, R, D>(standing, { ...about(passage), status: sent.status })
    hand(passage, standing, sent)
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
    void settle<void, void>(
      () => onDenied({ verdict, answer: sent, respond }, request, response, pass),
      () => undefined,
      () => send(problemAnswer(500)),
    )
  }

  const face = {
    kind,
    reads,
    presents: (request: Request) => once(request, verifier) !== undefined || isPresented(read(request)),
    challenge: () => challenge(),
    pass: (request: Request, _response: Response, next: NextFunction) => {
      hideForeignPrincipal(request)
      next()
    },
  }
  const inside = { audit, recognises, definition } as unknown as GateInside
  return asGate<P>(handler, middleware, face, inside)
}

/** Whether what `read` returned is a credential that could be meant for the gate, good or bad. */
function isPresented(read: unknown): boolean {
  return read !== undefined && !(isDenied(read) && read.reason === 'missing')
}

const NO_VERDICT = 'verify() must return granted(principal), denied(reason) or unavailable(dependency)'

/** What was granted, frozen. A grant of nothing is a bug and not a way in. */
function freezePrincipal<P extends PrincipalBase>({ principal }: Granted<P>): P {
  if (typeof principal !== 'object' || principal === null) throw new TypeError(NO_VERDICT)
  return Object.freeze(principal)
}

function assertVerdict(refusal: Refusal | undefined): void {
  const outcome: unknown = refusal?.outcome
  if (outcome !== 'denied' && outcome !== 'unavailable' && outcome !== 'failed') throw new TypeError(NO_VERDICT)
}
