import type { NextFunction, Request, Response } from 'express'
import { CodedTypeError } from '../errors.js'
import { resolveOptions } from '../options/resolve.js'
import { fieldLines } from '../request/message.js'
import { defineGate } from './define-gate.js'
import type { Exit } from './exit.js'
import { asGate, type Gate, type GateInside, insideOf } from './gate.js'
import { type GateOptions, gateOptionRules } from './gate-options.js'
import type { PrincipalBase } from './principal.js'
import { denied } from './verdict.js'

const reasons = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  ambiguous: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: { detail: 'Credentials in more than one header field' },
  },
} as const

/** Why {@link firstPresented} itself refuses. */
export type FirstPresentedReason = keyof typeof reasons

type PrincipalsOf<G extends readonly Gate[]> = G[number] extends Gate<infer P> ? P : never

/**
 * Composes gates on one route: **presence commits**. The gate whose credential is presented decides alone; there is no
 * fallback to a looser one, so an attacker cannot append a junk signature to slip through a weaker path.
 *
 * Gates that read the same header field are one credential: the first that recognises it owns it. Two different header
 * fields with credentials → 400 `ambiguous`. A cookie decides only when no header credential is presented. None → 401
 * with every gate's challenge, `Bearer` first. What is refused for all of them is reported where the first gate reports.
 *
 * @throws {TypeError} with a code when an argument is not a gate, or a gate could never be reached.
 * @example
 * app.use('/internal', firstPresented(requireHmac({ … }), requireOAuthBearer({ … })))
 */
export function firstPresented<G extends readonly [Gate, ...Gate[]]>(...gates: G): Gate<PrincipalsOf<G>> {
  return composeGates(gates)
}

/**
 * {@link firstPresented} with options for the refusals that are its own.
 *
 * @throws {TypeError} with a code when an argument is not a gate, a gate could never be reached, or an option is wrong.
 */
export function composeGates<G extends readonly [Gate, ...Gate[]]>(
  gates: G,
  options: GateOptions<FirstPresentedReason, never> = {},
): Gate<PrincipalsOf<G>> {
  const insides = gates.map(insideOf).filter((inside) => inside !== undefined)
  const [first] = insides
  if (first === undefined || insides.length < gates.length) {
    throw new CodedTypeError('ERR_COUNTERSIGN_OPTION_INVALID', 'firstPresented: every argument must be a gate')
  }
  assertReachable(gates, insides)
  const { audit = first.audit, ...rest } = resolveOptions('firstPresented', options, gateOptionRules)
  const reads = [...new Set(gates.flatMap((gate) => gate.reads))]
  const presents = (request: Request) => gates.some((gate) => gate.presents(request))
  const challenge = () => gates.flatMap((gate) => gate.challenge())

  const refusal = defineGate<never, PrincipalBase, FirstPresentedReason, 'gate'>({
    name: 'first-presented',
    middleware: 'firstPresented',
    reads,
    // Every gate is asked, so that a throw is found whichever throws.
    read: (request) => denied(gates.map((gate) => gate.presents(request)).includes(true) ? 'ambiguous' : 'missing'),
    verify: (credential) => credential,
    dependencies: ['gate'],
    reasons,
    challenge: (verdict) => (verdict?.reason === 'ambiguous' ? [] : challenge()),
    options: { ...rest, audit },
  })

  const handler = (request: Request, response: Response, next: NextFunction) =>
    (ownerOf(gates, request) ?? refusal)(request, response, next)
  const enter: GateInside['enter'] = (request, exit) =>
    (insideOf(ownerOf(gates, request) ?? refusal) as GateInside).enter(request, exit)
  const face = { kind: 'first-presented', reads, presents, challenge }
  const takes = [...new Set(insides.flatMap((inside) => inside.takes))]
  const owns = (request: Request) => gates.some((gate) => isOwner(gate, request))
  // Nothing is presented to any of them: each has its say on callers without a credential.
  const pass = insides.reduceRight<GateInside['pass']>(
    (next, { pass }) =>
      (request, exit) =>
        pass(
          request,
          leadingTo(() => next(request, exit), exit),
        ),
    (_request, exit) => exit.admit(undefined),
  )
  const { clock } = first
  const inside = { audit, clock, takes, owns, definition: undefined, parts: gates, enter, pass }
  return asGate<PrincipalsOf<G>>(handler, 'firstPresented', face, inside)
}

/** An exit for refusals alone: what is let through is for the next gate. */
function leadingTo(admit: () => void, exit: Exit): Exit {
  return { admit, refuse: (...refusal) => exit.refuse(...refusal), send: (sent) => exit.send(sent) }
}

/**
 * After a gate that takes up any credential of a header, no other gate of that header is ever reached, and its credentials
 * would go to the first one: to an outside server, if that one asks it.
 */
function assertReachable(gates: readonly Gate[], insides: readonly GateInside[]): void {
  gates.forEach((later, index) => {
    const takers = gates.filter((_gate, at) => sharesField((insides[at] as GateInside).takes, later.reads))
    const [taker] = takers
    if (taker === undefined || gates.indexOf(taker) >= index) return
    const order = [...gates.filter((gate) => !takers.includes(gate)), ...takers].map(({ name }) => name)
    const remedy = takers.includes(later) ? 'Keep one of them.' : `Put it first: firstPresented(${order.join(', ')}).`
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_GATE_UNREACHABLE',
      `firstPresented: ${later.name} can never be reached, because ${taker.name} before it accepts any credential in the same header field. ${remedy}`,
    )
  })
}

function sharesField(one: readonly string[], other: readonly string[]): boolean {
  return one.some((name) => name !== 'cookie' && other.includes(name))
}

function isOwner(gate: Gate, request: Request): boolean {
  return gate.presents(request) && (insideOf(gate) as GateInside).owns(request)
}

/** The gate that decides, or undefined when there is none or more than one credential, or one cannot tell. */
function ownerOf(gates: readonly Gate[], request: Request): Gate | undefined {
  let presenting: readonly Gate[]
  try {
    presenting = gates.filter((gate) => gate.presents(request))
    const owners = presenting.filter((gate) => isOwner(gate, request))
    if (owners.length > 0) presenting = owners
  } catch {
    // The refusal asks once more, and reports the throw as the bug that it is.
    return undefined
  }
  const inHeaders = presenting.filter((gate) => fieldsOf(gate, request).some((name) => name !== 'cookie'))
  const candidates = inHeaders.length > 0 ? inHeaders : presenting
  const [owner, ...others] = candidates
  if (owner === undefined) return undefined
  const owned = fieldsOf(owner, request)
  const isOwned = (gate: Gate) => fieldsOf(gate, request).every((name) => owned.includes(name))
  return others.every(isOwned) ? owner : undefined
}

/**
 * The header fields of this request that the gate reads credentials from; all of them when it was granted and removed. Of a
 * composed gate, those of its gates to which something is presented: another credential in one of its fields is not its.
 */
function fieldsOf(gate: Gate, request: Request): readonly string[] {
  const { parts } = insideOf(gate) as GateInside
  if (parts !== undefined) {
    return parts.filter((part) => part.presents(request)).flatMap((part) => fieldsOf(part, request))
  }
  const sent = gate.reads.filter((name) => fieldLines(request, name).length > 0)
  return sent.length > 0 ? sent : gate.reads
}
