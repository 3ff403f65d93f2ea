import type { Gate } from '@countersign/core'
import { defineGate, isPromise } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { drain } from './body/drain.js'
import { decide } from './decide.js'
import { isSent } from './formats/is-sent.js'
import type { LegacyUsage } from './legacy.js'
import { type RequireHmacOptions, resolveHmacOptions } from './options.js'
import type { HmacPrincipal } from './principal.js'
import { type HmacVerdict, reasons } from './reasons.js'

/** The gate of {@link requireHmac}. */
export interface HmacGate extends Gate<HmacPrincipal> {
  /** Who came with the old key, since this gate was made: when it is quiet, it is safe to enforce. */
  legacyUsage(): readonly LegacyUsage[]
}

/**
 * Requires that another service signed this very request with a shared secret: method, path, query, caller, body, time
 * and audience, once. Attaches {@link HmacPrincipal} and `req.rawBody`. Answers 401 for every unproven request, 400 for
 * competing credentials, 413 for a body beyond `maxBodyBytes`, 503 when a store cannot be asked.
 *
 * Mount it before every body parser.
 *
 * @throws {OptionError} at creation.
 * @example
 * app.post('/internal/executions', requireHmac({ secrets, audience: 'billing.example.com' }), express.json(), handler)
 */
export function requireHmac(options: RequireHmacOptions): HmacGate {
  const resolved = resolveHmacOptions(options)
  const { formats, reads } = resolved
  const acceptSignature = formats.find((format) => format.acceptSignature !== undefined)?.acceptSignature
  /** Mounted on a router and on its route, a gate meets a request twice: what it granted stands. */
  const grants = new WeakMap<Request, HmacVerdict>()

  function conclude(request: Request, verdict: HmacVerdict): HmacVerdict {
    if (verdict.outcome === 'granted') grants.set(request, verdict)
    else drain(request)
    return verdict
  }

  const gate = defineGate({
    scheme: 'hmac',
    reads,
    presents: (request) => isSent(request, reads),
    authenticate(request) {
      const known = grants.get(request)
      if (known !== undefined) return known
      const verdict = decide(request, resolved)
      return isPromise(verdict) ? verdict.then((value) => conclude(request, value)) : conclude(request, verdict)
    },
    reasons,
    challenge: () => [{ scheme: 'Countersign-HMAC' }],
    answer: (answer) =>
      answer.status === 401 && acceptSignature !== undefined
        ? { ...answer, headers: { ...answer.headers, 'Accept-Signature': acceptSignature } }
        : answer,
    options: resolved,
  })
  return Object.assign(gate, { legacyUsage: () => resolved.legacy?.usage() ?? [] })
}
