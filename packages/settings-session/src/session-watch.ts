import type { Audit } from '@countersign/core'
import { type ConnectionWatch, watchConnections } from '@countersign/core/gate-kit'
import { reportChange } from './events.js'
import { principalId, type SettingsSessionPrincipal, type SettingsUser } from './principal.js'
import { userKey } from './store/keys.js'
import type { SessionStore } from './store/port.js'

/** The open sockets of a registry's sessions, by whose they are. */
export type SocketWatch = ConnectionWatch<SettingsSessionPrincipal>

/** Watches the sockets of sessions. A session is looked up in its user's list, which marks none as used. */
export function watchSockets(store: Pick<SessionStore, 'list'>, audit: Audit): SocketWatch {
  return watchConnections<SettingsSessionPrincipal>(
    async (principal) => {
      const sessions = await store.list(principal)
      return sessions.some(({ id }) => id === principal.sessionId)
    },
    ({ platform, team, userId, sessionId }, cause) => {
      reportChange(audit, 'connection.ended', {
        user: { platform, team, userId },
        id: sessionId,
        attributes: { cause },
      })
    },
  )
}

/** The same, by the key of a user who may not be known. */
export function closeSocketsOf(sockets: SocketWatch, key: string): void {
  sockets.recheck((principal) => userKey(principal) === key)
}

/** Closes the sockets of a user's sessions that have ended, at once. Other processes find out by themselves. */
export function closeSockets(sockets: SocketWatch, user: SettingsUser): void {
  const id = principalId(user)
  sockets.recheck((principal) => principal.id === id)
}
