import type { Audit } from '@countersign/core'
import type { AuditEventInput, AuditEventType } from '@countersign/core/gate-kit'
import { principalId, type SettingsUser } from './principal.js'

/** The type of an event that is not a decision. */
type ChangeType = Extract<
  AuditEventType,
  | `settings.link.${'issued' | 'delivered'}`
  | `settings.session.${string}`
  | `settings.identity.${string}`
  | 'settings.leak.stopped'
>

/** The names of those events in the OWASP Logging Vocabulary. */
const OWASP: Readonly<Record<ChangeType, string | undefined>> = {
  'settings.link.issued': 'session_created',
  'settings.link.delivered': undefined,
  'settings.session.opened': 'authn_login_success',
  'settings.session.ended': 'session_terminated',
  'settings.session.revoked': 'session_terminated',
  'settings.identity.claimed': 'user_updated',
  'settings.identity.unlinked': 'user_updated',
  'settings.identity.mismatch': undefined,
  'settings.leak.stopped': 'excess_use',
}

/** What a change is of, and what its event says beyond its type. */
export type Change = Omit<AuditEventInput, 'type' | 'gate' | 'owasp' | 'principal' | 'credential'> & {
  readonly user?: SettingsUser | undefined
  /** The public id of the link or session. */
  readonly id?: string | undefined
}

/** Reports that the state of a link, a session or an identity changed. Decisions are reported by `record`. */
export function reportChange(audit: Audit, type: ChangeType, { user, id, ...rest }: Change): void {
  if (audit.active === false) return
  void audit.emit({
    type,
    gate: 'settings-session',
    owasp: OWASP[type],
    principal: user === undefined ? undefined : { kind: 'settings-session', id: principalId(user) },
    credential: id === undefined ? undefined : { id },
    ...rest,
  })
}
