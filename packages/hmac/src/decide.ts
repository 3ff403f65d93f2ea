import type { AuditAttributes } from '@countersign/core/gate-kit'
import { isPromise, settle } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { authenticate } from './authenticate.js'
import { BodyConsumedError } from './body/body-consumed-error.js'
import { isSent } from './formats/is-sent.js'
import type { ResolvedHmacOptions } from './options.js'
import type { HmacVerdict } from './reasons.js'

/**
 * Which credential decides. A signature does, good or bad, where one is presented; the old key where none is. In report
 * mode the old key alone decides, and the event says what the signature would have.
 */
export function decide(request: Request, options: ResolvedHmacOptions): HmacVerdict | Promise<HmacVerdict> {
  const { legacy, mode, formats } = options
  if (legacy === undefined) return authenticate(request, options)
  const isSigned = formats.some((format) => isSent(request, format.reads))
  if (mode !== 'report') {
    return isSigned || !legacy.isPresented(request) ? authenticate(request, options) : legacy.authenticate(request)
  }
  const verdict = legacy.isPresented(request) ? legacy.authenticate(request) : MISSING
  if (!isSigned || verdict.outcome !== 'granted') {
    return withReport(verdict, { signature: isSigned ? 'not_checked' : 'missing' })
  }
  const report = settle(
    () => authenticate(request, options),
    (signature) => withReport(verdict, summary(signature)),
    (error) =>
      withReport(verdict, { signature: error instanceof BodyConsumedError ? 'body_consumed' : 'internal_error' }),
  )
  return isPromise(report) ? Promise.resolve(report) : report
}

const MISSING: HmacVerdict = Object.freeze({ outcome: 'denied', reason: 'missing' })

/** What a signature would have come to. Of a key that several callers share, its caller says whose request it was. */
function summary(verdict: HmacVerdict): AuditAttributes {
  const caller = verdict.outcome === 'granted' ? verdict.principal.caller : verdict.detail?.principalId
  const named: AuditAttributes = caller === undefined ? {} : { signature_caller: caller }
  if (verdict.outcome === 'granted') return { signature: 'valid', ...named }
  return { signature: verdict.outcome === 'denied' ? verdict.reason : verdict.dependency, ...named }
}

function withReport(verdict: HmacVerdict, report: AuditAttributes): HmacVerdict {
  return { ...verdict, detail: { ...verdict.detail, attributes: { ...verdict.detail?.attributes, ...report } } }
}
