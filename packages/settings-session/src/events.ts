import type { Audit } from '@countersign/core'
import {
  type AuditAttributes,
  type AuditEventInput,
  type AuditEventType,
  type AuditHttp,
  recordGrant,
} from '@countersign/core/gate-kit'
import { principalId, type SettingsUser } from './principal.js'
import type { EndedSession, StoredSession } from './store/port.js'

/** The type of an event that is not a decision. */
type ChangeType = Extract<
  AuditEventType,
  | `settings.link.${'issued' | 'delivered' | 'revoked'}`
  | `settings.session.${string}`
  | `settings.identity.${string}`
  | 'settings.leak.stopped'
  | 'connection.ended'
>

/** The names of those events in the OWASP Logging Vocabulary. */
const OWASP: Readonly<Record<ChangeType, string | undefined>> = {
  'settings.link.issued': 'session_created',
  'settings.link.delivered': undefined,
  'settings.link.revoked': undefined,
  'settings.session.pending': undefined,
  'settings.session.opened': 'authn_login_success',
  'settings.session.reverified': 'authn_login_success',
  'settings.session.ended': 'session_terminated',
  'settings.session.revoked': 'session_terminated',
  'settings.identity.held': undefined,
  'settings.identity.answered': undefined,
  'settings.identity.claimed': 'user_updated',
  'settings.identity.unlinked': 'user_updated',
  'settings.identity.mismatch': undefined,
  'settings.leak.stopped': 'excess_use',
  'connection.ended': 'session_terminated',
}

/** What a change is of, and what its event says beyond its type. */
export type Change = Omit<AuditEventInput, 'type' | 'gate' | 'owasp' | 'principal' | 'credential'> & {
  readonly user?: SettingsUser | undefined
  /** The public id of the link or session. */
  readonly id?: string | undefined
}

/**
 * Reports that the state of a link, a session or an identity changed. Decisions are reported by `record`, and what gives a
 * right by {@link grantChange}.
 */
export function reportChange(audit: Audit, type: ChangeType, change: Change): void {
  if (audit.active === false) return
  void audit.emit(eventOf(type, change))
}

/**
 * Records a change that gives a right, and calls `undo` when a required sink did not take it: then it rejects with an
 * `UnavailableError`.
 */
export async function grantChange(audit: Audit, type: ChangeType, change: Change, undo: () => unknown): Promise<void> {
  await recordGrant(audit, eventOf(type, change), undo)
}

function eventOf(type: ChangeType, { user, id, ...rest }: Change): AuditEventInput {
  return {
    type,
    gate: 'settings-session',
    owasp: OWASP[type],
    principal: user === undefined ? undefined : { kind: 'settings-session', id: principalId(user) },
    credential: id === undefined ? undefined : { id },
    ...rest,
  }
}

/** What an event says of the opening of a session: also that it is the same browser's again, after a lost answer or a click. */
export function openingAttributes(
  { kind, linkId }: Pick<StoredSession, 'kind' | 'linkId'>,
  isRepeat: boolean,
): AuditAttributes {
  return { kind, ...(linkId === undefined ? {} : { link: linkId }), ...(isRepeat ? { repeated: true } : {}) }
}

/** Reports the sessions that one session ended. */
export function reportEnded(
  audit: Audit,
  { id: by, user }: Pick<StoredSession, 'id' | 'user'>,
  ended: readonly EndedSession[] | undefined,
  http: AuditHttp,
): void {
  for (const { id, cause } of ended ?? []) {
    reportChange(audit, 'settings.session.revoked', { user, id, http, attributes: { cause, by } })
  }
}
