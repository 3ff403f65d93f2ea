import type { Audit } from '@countersign/core'
import { reportChange } from './events.js'
import type { SettingsIdentity, SettingsUser } from './principal.js'
import { closeSockets, type SocketWatch } from './session-watch.js'
import type { IdentityStore } from './store/port.js'

/** What an unlinking changes, closes and tells. */
export interface UnlinkParts {
  readonly store: Pick<IdentityStore, 'unlink'>
  readonly sockets: SocketWatch
  readonly audit: Audit
}

/** Unbinds a user from their identity, and ends the user's sessions. False when none was bound. */
export async function unlink(
  { store, sockets, audit }: UnlinkParts,
  user: SettingsUser,
  by: 'app' | 'audit_sink',
): Promise<boolean> {
  const identity = await store.unlink(user)
  if (identity === undefined) return false
  closeSockets(sockets, user)
  reportChange(audit, 'settings.identity.unlinked', { user, attributes: { issuer: identity.issuer, by } })
  reportChange(audit, 'settings.session.revoked', { user, attributes: { all: true, cause: 'unlinked' } })
  return true
}

/** Whether a user is still bound to an identity: what was bound or unlinked since stands. */
export async function isBoundTo(
  store: Pick<IdentityStore, 'identityOf'>,
  user: SettingsUser,
  { issuer, subject }: SettingsIdentity,
): Promise<boolean> {
  const bound = await store.identityOf(user)
  return bound?.issuer === issuer && bound.subject === subject
}
