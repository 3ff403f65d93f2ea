import { type Gate, memoryReplay } from '@countersign/core'
import { askForBody, drain } from '@countersign/core/body'
import { countUsage, countUsageInto, defineGate, giveBack, type LegacyUse } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { verifyKey } from './legacy.js'
import { type RequireHmacOptions, resolveHmacOptions } from './options.js'
import type { HmacPrincipal } from './principal.js'
import { type HmacCredential, type PresentedKey, type PresentedSignature, readCredential } from './read.js'
import { type HmacDependency, type HmacReason, reasons } from './reasons.js'
import { verifyAndReport } from './report.js'
import { verifySignature } from './verify.js'

/** The gate of {@link requireHmac}. */
export interface HmacGate extends Gate<HmacPrincipal> {
  /**
   * Who came with the old key: when it is quiet, it is safe to enforce. Of this gate since it was made; with the option
   * `legacyUsage` a promise of what all processes have counted, which rejects when the store cannot be asked.
   */
  legacyUsage(): readonly LegacyUse[] | Promise<readonly LegacyUse[]>
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
  const resolved = resolveHmacOptions('requireHmac', options)
  const { formats, legacy, enforce, legacyUsage, reportOnly, target, clock, gateOptions } = resolved
  const keyHeaders = legacy.headers
  const acceptSignature = formats.find((format) => format.acceptSignature !== undefined)?.acceptSignature
  const verifier = { ...resolved, replay: resolved.replay ?? memoryReplay({ clock }) }
  const now = () => clock.now()
  const usage = legacyUsage === undefined ? countUsage(now) : countUsageInto(legacyUsage, now)

  const gate = defineGate<HmacCredential, HmacPrincipal, HmacReason, HmacDependency>({
    name: 'hmac',
    middleware: 'requireHmac',
    reads: [...formats.flatMap((format) => format.reads), ...keyHeaders],
    read: (request) => readCredential(request, { formats, keyHeaders, reportOnly, target }),
    verify(credential, request) {
      const signed = (signature: PresentedSignature) => verifySignature(signature, request as Request, verifier)
      const oldKey = (key: PresentedKey) => verifyKey(key, legacy, enforce, usage)
      if (credential.kind === 'signature') return signed(credential)
      return credential.kind === 'key' ? oldKey(credential) : verifyAndReport(credential, oldKey, signed)
    },
    decided(verdict, _credential, request) {
      if (verdict.outcome === 'granted') {
        // A signature's body has been read; that of the old key is for the handler.
        if (verdict.principal.format === 'legacy') askForBody(request)
        return
      }
      if (verdict.outcome === 'unavailable' && verdict.dependency === 'audit_sink') giveBack(request)
      drain(request)
    },
    dependencies: ['secret_store', 'secret_unreadable', 'replay_store'],
    reasons,
    challenge: () => [{ scheme: 'Countersign-HMAC' }],
    shape: (answer) =>
      answer.status === 401 && acceptSignature !== undefined
        ? { ...answer, headers: { ...answer.headers, 'Accept-Signature': acceptSignature } }
        : answer,
    options: gateOptions,
  })
  return Object.assign(gate, { legacyUsage: () => usage.usage() })
}
