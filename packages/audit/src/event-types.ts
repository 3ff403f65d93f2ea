import type { AuditOutcome, AuditSeverity } from './event.js'

interface EventDefaults {
  readonly outcome: AuditOutcome
  readonly severity: AuditSeverity
  readonly meaning: string
}

const success = (meaning: string, severity: AuditSeverity = 'info'): EventDefaults => ({
  outcome: 'success',
  severity,
  meaning,
})

/** Every event that the suite emits, with the outcome and severity it has unless the emitter of it says otherwise. */
export const auditEventTypes = {
  'access.granted': success('a gate let a request through'),
  'access.denied': { outcome: 'failure', severity: 'warning', meaning: 'a gate refused a request' },
  'access.unavailable': { outcome: 'error', severity: 'critical', meaning: 'a gate could not decide' },

  'hmac.secret.added': success('a secret version was stored'),
  'hmac.secret.rotated': success('a caller has a new secret version'),
  'hmac.secret.retired': success('a secret version was given its end'),
  'hmac.secret.revoked': success('a secret version was revoked'),
  'hmac.secret.rewrapped': success('sealed secrets moved to another key-encryption key'),

  'oauth.keys.rotated': success('an issuer published another set of keys'),
  'oauth.keys.unavailable': { outcome: 'error', severity: 'warning', meaning: 'the keys of an issuer cannot be had' },

  'mcp.credential.issued': success('a credential was issued for a thread'),
  'mcp.credential.superseded': success('a newer credential took the place of one'),
  'mcp.credential.revoked': success('one credential was revoked'),
  'mcp.scope.revoked': success('all credentials of a thread, provider or partition were revoked'),
  'mcp.thread.retired': success('a thread was retired and can be issued nothing'),

  'settings.link.issued': success('a link was issued'),
  'settings.link.refused': { outcome: 'failure', severity: 'warning', meaning: 'a link was not exchanged' },
  'settings.link.delivered': success('a link was handed to its user'),
  'settings.session.opened': success('a session became active'),
  'settings.session.ended': success('a session was ended by its user'),
  'settings.session.revoked': success('a session was revoked'),
  'settings.identity.claimed': success('an identity and a user were bound to each other'),
  'settings.identity.unlinked': success('an identity and a user were parted'),
  'settings.identity.mismatch': {
    outcome: 'failure',
    severity: 'critical',
    meaning: 'a link was opened by somebody else than its user',
  },
  'settings.leak.stopped': {
    outcome: 'failure',
    severity: 'critical',
    meaning: 'a response to an agent held a link or a session token',
  },

  'audit.events.dropped': { outcome: 'error', severity: 'warning', meaning: 'a slow sink lost events' },
  'audit.sink.failed': { outcome: 'error', severity: 'warning', meaning: 'a sink threw or rejected' },
} as const satisfies Record<string, EventDefaults>

export type AuditEventType = keyof typeof auditEventTypes
