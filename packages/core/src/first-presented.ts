import type { NextFunction, Request, Response } from 'express'
import { asGate, defineGate, emitterOf, type Gate, type GateOptions } from './gate.js'
import { gateOptionRules, resolveOptions } from './options.js'
import type { PrincipalBase } from './principal.js'
import { denied } from './verdict.js'

const reasons = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  ambiguous_credentials: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: { detail: 'Credentials in more than one header field' },
  },
} as const

export type FirstPresentedReason = keyof typeof reasons

type PrincipalsOf<G extends readonly Gate[]> = G[number] extends Gate<infer P> ? P : never

/**
 * Composes gates on one route: **presence commits**. The gate whose credential is presented decides alone; there is no
 * fallback to a looser one, so nobody can append a junk signature to slip through a weaker path.
 *
 * Gates that read the same header field are one credential: the first whose `presents` is true owns it. Two different
 * header fields with credentials → 400 `ambiguous_credentials`. A cookie decides only when no header credential is
 * presented. None → 401 with every gate's challenge, `Bearer` first. What is refused for all of them is reported where
 * the first gate reports.
 *
 * @example
 * app.use('/internal', firstPresented(requireHmac({ … }), requireOAuthBearer({ … })))
 */
export function firstPresented<G extends readonly [Gate, ...Gate[]]>(...gates: G): Gate<PrincipalsOf<G>> {
  return composeGates(gates)
}

/**
 * {@link firstPresented} with options for the refusals that are its own.
 *
 * @throws {TypeError} with a code when an argument is no gate or an option is wrong.
 */
export function composeGates<G extends readonly [Gate, ...Gate[]]>(
  gates: G,
  options: GateOptions<FirstPresentedReason, never> = {},
): Gate<PrincipalsOf<G>> {
  if (gates.length === 0 || !gates.every((gate) => typeof gate?.presents === 'function')) {
    throw Object.assign(new TypeError('firstPresented: every argument must be a gate'), { code: 'ERR_OPTION_INVALID' })
  }
  const { audit = emitterOf(gates[0]), ...rest } = resolveOptions('firstPresented', options, gateOptionRules)
  const reads = [...new Set(gates.flatMap((gate) => gate.reads))]
  const presents = (request: Request) => gates.some((gate) => gate.presents(request))
  const challenge = () => gates.flatMap((gate) => gate.challenge())
  const face = { scheme: 'first-presented', reads, presents, challenge }

  const refusal = defineGate<PrincipalBase, FirstPresentedReason, never>({
    ...face,
    reasons,
    // Every gate is asked, so that a throw is found whichever throws.
    authenticate: (request) => {
      const isPresented = gates.map((gate) => gate.presents(request)).includes(true)
      return denied(isPresented ? 'ambiguous_credentials' : 'missing')
    },
    challenge: (verdict) => (verdict?.reason === 'ambiguous_credentials' ? [] : challenge()),
    options: { audit, ...rest },
  })

  function countersignFirstPresented(request: Request, response: Response, next: NextFunction) {
    return (ownerOf(gates, request) ?? refusal)(request, response, next)
  }
  return asGate<PrincipalsOf<G>>(countersignFirstPresented, face, audit)
}

/** The gate that decides, or undefined when there is none or more than one credential, or one cannot tell. */
function ownerOf(gates: readonly Gate[], request: Request): Gate | undefined {
  let presenting: readonly Gate[]
  try {
    presenting = gates.filter((gate) => gate.presents(request))
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

/** The header fields of this request that the gate reads credentials from. */
function fieldsOf(gate: Gate, request: Request): readonly string[] {
  return gate.reads.filter((name) => request.headers[name] !== undefined)
}
