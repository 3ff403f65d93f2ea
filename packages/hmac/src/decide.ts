import { isPromise, settle } from '@countersign/core'
import type { Request } from 'express'
import { authenticate } from './authenticate.js'
import type { ResolvedHmacOptions } from './options.js'
import type { HmacVerdict } from './reasons.js'

/**
 * Which credential decides. A signature does, good or bad, where one is presented; the old key where none is. In report
 * mode the old key alone decides, and the event says what the signature would have.
 */
export function decide(request: Request, options: ResolvedHmacOptions): HmacVerdict | Promise<HmacVerdict> {
  const { legacy, mode, formats } = options
  if (legacy === undefined) return authenticate(request, options)
  const isSigned = formats.some((format) => format.reads.some((name) => request.headersDistinct[name] !== undefined))
  if (mode !== 'report') {
    return isSigned || !legacy.isPresented(request) ? authenticate(request, options) : legacy.authenticate(request)
  }
  const verdict = legacy.isPresented(request) ? legacy.authenticate(request) : MISSING
  if (!isSigned || verdict.outcome !== 'granted') return withReport(verdict, isSigned ? 'not_checked' : 'missing')
  const report = settle(
    () => authenticate(request, options),
    (signature) => withReport(verdict, summary(signature)),
    () => withReport(verdict, 'internal_error'),
  )
  return isPromise(report) ? Promise.resolve(report) : report
}

const MISSING: HmacVerdict = Object.freeze({ outcome: 'denied', reason: 'missing' })

function summary(verdict: HmacVerdict): string {
  if (verdict.outcome === 'granted') return 'valid'
  return verdict.outcome === 'denied' ? verdict.reason : verdict.dependency
}

function withReport(verdict: HmacVerdict, signature: string): HmacVerdict {
  return { ...verdict, detail: { ...verdict.detail, attributes: { ...verdict.detail?.attributes, signature } } }
}
