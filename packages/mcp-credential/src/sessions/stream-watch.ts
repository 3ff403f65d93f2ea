import { type ConnectionWatch, watchConnections } from '@countersign/core/gate-kit'
import type { CredentialEvents } from '../registry/events.js'
import type { McpCredentials } from '../registry.js'

type Registry = Pick<McpCredentials, 'check' | 'onRevoked'>

type StreamWatch = Pick<ConnectionWatch<string>, 'watch'>

const watches = new WeakMap<Registry, StreamWatch>()

/**
 * The open responses and sockets of a registry, by the ids of their credentials: gates of one registry share them, and
 * the first one's `events` report which were ended. Those that a revocation may concern are checked at once: that of another
 * process, too, when the store tells of it. It is listened to from the first stream on.
 */
export function streamWatchOf(registry: Registry, events: Pick<CredentialEvents, 'connectionEnded'>): StreamWatch {
  const known = watches.get(registry)
  if (known !== undefined) return known
  const { watch, recheck } = watchConnections<string>(
    async (id) => (await registry.check(id)).standing === 'live',
    events.connectionEnded,
  )
  let isListening = false
  const streams: StreamWatch = {
    watch(connection, id, recheckMs, most) {
      if (!isListening) {
        isListening = true
        registry.onRevoked(recheck)
      }
      watch(connection, id, recheckMs, most)
    },
  }
  watches.set(registry, streams)
  return streams
}
