import type { Audit } from '@countersign/core'
import { isUnavailable } from '@countersign/core/gate-kit'
import { reportChange } from './events.js'
import type { SettingsIdentity, SettingsUser } from './principal.js'
import { closeSockets, type SocketWatch } from './session-watch.js'
import type { Binding, FormerUser, IdentityStore } from './store/port.js'

/** What an unlinking changes, closes and tells. */
export interface UnlinkParts {
  readonly store: Pick<IdentityStore, 'unlink'>
  readonly sockets: SocketWatch
  readonly audit: Audit
}

/**
 * Unbinds a user from their identity, and ends the user's sessions; with an attempt only while what that one bound stands.
 * False when nothing was unbound.
 */
export async function unlink(
  { store, sockets, audit }: UnlinkParts,
  user: SettingsUser,
  by: 'app' | 'audit_sink',
  attempt?: string,
): Promise<boolean> {
  const identity = await store.unlink(user, attempt)
  if (identity === undefined) return false
  closeSockets(sockets, user)
  reportChange(audit, 'settings.identity.unlinked', { user, attributes: { issuer: identity.issuer, by } })
  reportChange(audit, 'settings.session.revoked', { user, attributes: { all: true, cause: 'unlinked' } })
  return true
}

/**
 * Tells the store that a binding is recorded. When the store cannot be asked, the binding stands all the same: the next
 * sign-in records it once more.
 */
export async function confirmBinding(
  store: Pick<IdentityStore, 'confirmBinding'>,
  user: SettingsUser,
  binding: Binding,
): Promise<void> {
  try {
    await store.confirmBinding(user, binding)
  } catch (error) {
    if (!isUnavailable(error)) throw error
  }
}

/** Binds an identity again to whom it was released from, when that, or what came of it, was not recorded; or reports that it is not. */
export async function restoreFormer(
  { store, audit }: { readonly store: Pick<IdentityStore, 'restoreIdentity'>; readonly audit: Audit },
  user: SettingsUser,
  identity: SettingsIdentity,
  former: FormerUser,
): Promise<void> {
  const isRestored = await store.restoreIdentity(user, identity, former)
  const attributes = { issuer: identity.issuer, by: 'audit_sink', user_key: former.key }
  const change = { user: former.user, attributes }
  if (isRestored) return reportChange(audit, 'settings.identity.claimed', change)
  const failure = { outcome: 'error', severity: 'critical', reason: 'not_undone' } as const
  reportChange(audit, 'settings.identity.unlinked', { ...change, ...failure })
}
