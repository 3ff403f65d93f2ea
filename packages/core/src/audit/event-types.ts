/** How the decision or the change of state ended. */
export type AuditOutcome = 'success' | 'failure' | 'error'
/** How much an operator should care. */
export type AuditSeverity = 'info' | 'warning' | 'critical'

/** What an event type means, and what its events are unless they say otherwise. */
export interface EventDefaults {
  readonly outcome: AuditOutcome
  readonly severity: AuditSeverity
  readonly meaning: string
}

/** The type of an event. */
export type AuditEventType =
  | 'access.granted'
  | 'access.denied'
  | 'access.unavailable'
  | 'connection.ended'
  | 'hmac.secret.added'
  | 'hmac.secret.rotated'
  | 'hmac.secret.retired'
  | 'hmac.secret.revoked'
  | 'hmac.secret.reencrypted'
  | 'hmac.secret.forgotten'
  | 'hmac.shared.accepted'
  | 'hmac.shared.ended'
  | 'oauth.keys.rotated'
  | 'oauth.keys.unavailable'
  | 'oauth.keys.recovered'
  | 'oauth.keys.uncached'
  | 'mcp.credential.issued'
  | 'mcp.credential.superseded'
  | 'mcp.credential.revoked'
  | 'mcp.credential.revived'
  | 'mcp.credentials.restored'
  | 'mcp.scope.revoked'
  | 'mcp.thread.retired'
  | 'settings.link.issued'
  | 'settings.link.refused'
  | 'settings.link.delivered'
  | 'settings.link.revoked'
  | 'settings.session.pending'
  | 'settings.session.opened'
  | 'settings.session.reverified'
  | 'settings.session.ended'
  | 'settings.session.revoked'
  | 'settings.identity.held'
  | 'settings.identity.answered'
  | 'settings.identity.claimed'
  | 'settings.identity.unlinked'
  | 'settings.identity.mismatch'
  | 'settings.leak.stopped'
  | 'audit.events.dropped'
  | 'audit.events.folded'
  | 'audit.sink.failed'

const success = (meaning: string, severity: AuditSeverity = 'info'): EventDefaults => ({
  outcome: 'success',
  severity,
  meaning,
})

/** Every event that the suite emits, with the outcome and severity it has unless the emitter of it says otherwise. */
export const auditEventTypes: Readonly<Record<AuditEventType, EventDefaults>> = {
  'access.granted': success('a gate let a request through'),
  'access.denied': { outcome: 'failure', severity: 'warning', meaning: 'a gate refused a request' },
  'access.unavailable': { outcome: 'error', severity: 'critical', meaning: 'a gate could not decide' },
  'connection.ended': success('an open response or socket was closed because its credential is no longer valid'),

  'hmac.secret.added': success('a secret version was stored'),
  'hmac.secret.rotated': success('a caller has a new secret version'),
  'hmac.secret.retired': success('a secret version was given an expiry'),
  'hmac.secret.revoked': success('a secret version was revoked'),
  'hmac.secret.reencrypted': success('sealed secrets were re-encrypted with another key-encryption key'),
  'hmac.secret.forgotten': success('secret versions that were stored by mistake were deleted', 'warning'),
  'hmac.shared.accepted': success('a caller may use the shared secret as well as its own'),
  'hmac.shared.ended': success('a caller may no longer use the shared secret'),

  'oauth.keys.rotated': success("an issuer's key set changed"),
  'oauth.keys.unavailable': { outcome: 'error', severity: 'warning', meaning: "the issuer's JWKS is unreachable" },
  'oauth.keys.recovered': success("the issuer's JWKS is reachable again"),
  'oauth.keys.uncached': {
    outcome: 'error',
    severity: 'warning',
    meaning: "the cache of an issuer's keys failed; the keys come from the issuer",
  },

  'mcp.credential.issued': success('a credential was issued for a thread'),
  'mcp.credential.superseded': success('a newer credential replaced one'),
  'mcp.credential.revoked': success('one credential was revoked'),
  'mcp.credential.revived': success('an idle credential was used again because the host says that its thread is alive'),
  'mcp.credentials.restored': success('the credentials in a log were loaded at start'),
  'mcp.scope.revoked': success('all credentials of a thread, provider or partition were revoked'),
  'mcp.thread.retired': success('a thread was retired: nothing can be issued for it'),

  'settings.link.issued': success('a link was issued'),
  'settings.link.refused': { outcome: 'failure', severity: 'warning', meaning: 'a link was not exchanged' },
  'settings.link.delivered': success('a link was handed to its user'),
  'settings.link.revoked': success('a link was voided before it opened a session', 'warning'),
  'settings.session.pending': success('a session was created and waits for the person to sign in'),
  'settings.session.opened': success('a session became active'),
  'settings.session.reverified': success('the person of an active session signed in again'),
  'settings.session.ended': success('a session was ended by its user'),
  'settings.session.revoked': success('a session was revoked'),
  'settings.identity.held': success('a first claim of an identity waits for the app to answer'),
  'settings.identity.answered': success('the app answered a first claim'),
  'settings.identity.claimed': success('an identity and a user were bound to each other'),
  'settings.identity.unlinked': success('an identity and a user were unlinked'),
  'settings.identity.mismatch': {
    outcome: 'failure',
    severity: 'critical',
    meaning: 'a link was opened by someone other than its user',
  },
  'settings.leak.stopped': {
    outcome: 'failure',
    severity: 'critical',
    meaning:
      'an answer or a message to an agent contained a link or a session token, or was compressed and could not be checked',
  },

  'audit.events.dropped': { outcome: 'error', severity: 'warning', meaning: 'a slow sink lost events' },
  'audit.events.folded': {
    outcome: 'failure',
    severity: 'warning',
    meaning: 'a flood of refusals for one reason from one network, counted',
  },
  'audit.sink.failed': { outcome: 'error', severity: 'warning', meaning: 'a sink threw or rejected' },
}
