import { BODY_CONSUMED } from '@countersign/core/body'
import { type AuditAttributes, isDenied, settle } from '@countersign/core/gate-kit'
import type { PresentedKey, PresentedSignature, ReportedSignature } from './read.js'
import type { HmacVerdict } from './reasons.js'

type Step = HmacVerdict | Promise<HmacVerdict>

/** Decides by the old key alone, and adds to its event the verdict that the signature would have had. */
export function verifyAndReport(
  { key, signature }: ReportedSignature,
  verifyOldKey: (key: PresentedKey) => HmacVerdict,
  verifySigned: (signature: PresentedSignature) => Step,
): Step {
  const verdict = isDenied(key) ? key : verifyOldKey(key)
  if (signature === undefined) return withReport(verdict, { signature: 'missing' })
  if (verdict.outcome !== 'granted') return withReport(verdict, { signature: 'not_checked' })
  return settle<HmacVerdict, HmacVerdict>(
    () => (isDenied(signature) ? signature : verifySigned(signature)),
    (reported) => withReport(verdict, summary(reported)),
    (error) => withReport(verdict, { signature: isBodyConsumed(error) ? 'body_consumed' : 'internal_error' }),
  )
}

/** Of a key that several callers share, the signature's caller says whose request it was. */
function summary(verdict: HmacVerdict): AuditAttributes {
  const caller = verdict.outcome === 'granted' ? verdict.principal.caller : verdict.detail?.principalId
  const named: AuditAttributes = caller === undefined ? {} : { signature_caller: caller }
  if (verdict.outcome === 'granted') return { signature: 'valid', ...named }
  return { signature: verdict.outcome === 'denied' ? verdict.reason : verdict.dependency, ...named }
}

function withReport(verdict: HmacVerdict, report: AuditAttributes): HmacVerdict {
  return { ...verdict, detail: { ...verdict.detail, attributes: { ...verdict.detail?.attributes, ...report } } }
}

function isBodyConsumed(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === BODY_CONSUMED
}
