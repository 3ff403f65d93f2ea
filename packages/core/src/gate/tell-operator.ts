import type { IncomingMessage } from 'node:http'
import { safeString } from '../audit/normalise.js'
import { type WarningCode, withoutPage } from '../homepage.js'
import { memberOf } from '../options/own.js'
import { warnOnce } from '../warn-once.js'
import { tellOutage } from './outages.js'
import type { ReasonTable } from './reasons.js'
import { redact } from './redact.js'
import { describeError } from './thrown.js'
import type { Denied, Failed, Refusal } from './verdict.js'

/** What is known of a refusal beside its verdict. */
interface RefusalContext {
  readonly kind: string
  readonly reasons: ReasonTable<string>
  readonly request?: IncomingMessage | undefined
}

/** Mistakes in the order of middleware. What their errors say is for the operator, and has no word of the request's. */
const MISTAKES = new Map<unknown, WarningCode>([
  ['ERR_COUNTERSIGN_BODY_CONSUMED', 'COUNTERSIGN_BODY_CONSUMED'],
  ['ERR_COUNTERSIGN_BODY_END_UNKNOWN', 'COUNTERSIGN_BODY_END_UNKNOWN'],
  ['ERR_COUNTERSIGN_HEADER_REWRITTEN', 'COUNTERSIGN_HEADER_REWRITTEN'],
])

/**
 * Tells the operator what a refusal says about the app and not about its caller: a bug, an outage, or a reason that the
 * table marks as a possible mistake in the configuration. Without any sink; once for each cause. Never throws.
 */
export function tellOperator(refusal: Refusal, context: RefusalContext): void {
  try {
    if (refusal.outcome === 'failed') tellBug(refusal, context)
    else if (refusal.outcome === 'unavailable') tellOutage(context.kind, refusal)
    else tellMistake(refusal, context)
  } catch {
    // What was thrown may be anything, and the answer does not depend on it.
  }
}

function tellBug({ error }: Failed, { kind, request }: RefusalContext): void {
  const { error: name, code, at } = describeError(error)
  const mistake = MISTAKES.get(code)
  const text = () => withoutPage(String((error as Partial<Error> | null | undefined)?.message ?? ''))
  if (mistake !== undefined) return warnOnce({ code: mistake, cause: text(), message: text })
  const where = at === undefined ? '' : ` at ${safeString(String(at))}`
  warnOnce({
    code: 'COUNTERSIGN_INTERNAL_ERROR',
    cause: `${kind} ${name} ${where}`,
    message: () =>
      `${kind}: a bug kept the gate from deciding. ${safeString(String(name))}${where}: ${redact(text(), request)}`,
    remedy: 'The request was answered 500 without detail. Fix the code at that location.',
  })
}

function tellMistake({ reason, detail }: Denied, { kind, reasons }: RefusalContext): void {
  const entry = Object.hasOwn(reasons, reason) ? reasons[reason] : undefined
  const warning = entry && memberOf(entry, 'warning')
  if (warning === undefined) return
  const attributes = detail?.attributes ?? {}
  const causedBy = memberOf(warning, 'causedBy')
  const cause = causedBy === undefined ? '' : memberOf(attributes, causedBy)
  if (cause === undefined) return
  const seen = () => Object.entries(attributes).map(([name, value]) => ` ${name}=${JSON.stringify(clip(value))}`)
  warnOnce({
    code: warning.code,
    cause: `${kind} ${reason} ${cause}`,
    message: () => `${kind}: a request was refused as ${reason}:${seen().join('')}`,
    remedy: warning.remedy,
  })
}

/** What is seen may come from a stranger. */
function clip(value: string | number | boolean): string | number | boolean {
  return typeof value === 'string' ? safeString(value) : value
}
