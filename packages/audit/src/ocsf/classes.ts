import type { AuditEvent } from '@countersign/core'
import type { AuditEventType } from '@countersign/core/gate-kit'

/** The classes of OCSF that events become: Authentication, Authorize Session, API Activity. */
export type OcsfClass = 3002 | 3003 | 6003

/** The class and the activity of an event in OCSF. */
export interface OcsfActivity {
  readonly class: OcsfClass
  readonly activity: number
}

/** The caption of each class. */
export const CLASS_NAMES: Readonly<Record<OcsfClass, string>> = {
  3002: 'Authentication',
  3003: 'Authorize Session',
  6003: 'API Activity',
}

/** The caption of each activity, by class. */
export const ACTIVITY_NAMES: Readonly<Record<OcsfClass, Readonly<Record<number, string>>>> = {
  3002: { 1: 'Logon', 2: 'Logoff', 99: 'Other' },
  3003: { 1: 'Assign Privileges', 99: 'Other' },
  6003: { 1: 'Create', 2: 'Read', 3: 'Update', 4: 'Delete', 99: 'Other' },
}

const LOGON: OcsfActivity = { class: 3002, activity: 1 }
const LOGOFF: OcsfActivity = { class: 3002, activity: 2 }
const PRIVILEGES: OcsfActivity = { class: 3003, activity: 1 }
const CREATE: OcsfActivity = { class: 6003, activity: 1 }
const UPDATE: OcsfActivity = { class: 6003, activity: 3 }
const DELETE: OcsfActivity = { class: 6003, activity: 4 }
const OTHER: OcsfActivity = { class: 6003, activity: 99 }

const BY_TYPE: Readonly<Record<AuditEventType, OcsfActivity>> = {
  'access.granted': LOGON,
  'access.denied': LOGON,
  'access.unavailable': LOGON,
  'connection.ended': LOGOFF,
  'hmac.secret.added': CREATE,
  'hmac.secret.rotated': UPDATE,
  'hmac.secret.retired': UPDATE,
  'hmac.secret.revoked': DELETE,
  'hmac.secret.reencrypted': UPDATE,
  'hmac.secret.forgotten': DELETE,
  'hmac.shared.accepted': PRIVILEGES,
  'hmac.shared.ended': UPDATE,
  'oauth.keys.rotated': UPDATE,
  'oauth.keys.unavailable': OTHER,
  'oauth.keys.recovered': OTHER,
  'oauth.keys.uncached': OTHER,
  'mcp.credential.issued': PRIVILEGES,
  'mcp.credential.superseded': UPDATE,
  'mcp.credential.revoked': DELETE,
  'mcp.credential.revived': UPDATE,
  'mcp.credentials.restored': CREATE,
  'mcp.scope.revoked': DELETE,
  'mcp.thread.retired': DELETE,
  'settings.link.issued': CREATE,
  'settings.link.refused': LOGON,
  'settings.link.delivered': OTHER,
  'settings.link.revoked': DELETE,
  'settings.session.pending': CREATE,
  'settings.session.opened': PRIVILEGES,
  'settings.session.reverified': LOGON,
  'settings.session.ended': LOGOFF,
  'settings.session.revoked': LOGOFF,
  'settings.identity.held': UPDATE,
  'settings.identity.answered': UPDATE,
  'settings.identity.claimed': UPDATE,
  'settings.identity.unlinked': UPDATE,
  'settings.identity.mismatch': LOGON,
  'settings.leak.stopped': OTHER,
  'audit.events.dropped': OTHER,
  'audit.events.folded': OTHER,
  'audit.sink.failed': OTHER,
}

const BY_METHOD: Readonly<Record<string, number>> = {
  POST: 1,
  GET: 2,
  HEAD: 2,
  OPTIONS: 2,
  PUT: 3,
  PATCH: 3,
  DELETE: 4,
}

/** The class and activity of an event. A known caller without a right is a refused call, not a failed logon. */
export function activityOf(event: AuditEvent): OcsfActivity {
  if (event.type === 'access.denied' && event.http?.status === 403) {
    return { class: 6003, activity: BY_METHOD[event.http.method] ?? 99 }
  }
  return Object.hasOwn(BY_TYPE, event.type) ? BY_TYPE[event.type] : OTHER
}
