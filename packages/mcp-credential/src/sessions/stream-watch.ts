import { type ConnectionWatch, watchConnections } from '@countersign/core/gate-kit'
import type { CredentialEvents } from '../registry/events.js'
import type { McpCredentials } from '../registry.js'

type Registry = Pick<McpCredentials, 'check' | 'onRevoked'>

const watches = new WeakMap<Registry, ConnectionWatch<string>>()

/**
 * The open responses and sockets of a registry, by the ids of their credentials: gates of one registry share them, and
 * the first one's `events` report which were ended. Those that a revocation through the registry may concern are checked at once.
 */
export function streamWatchOf(
  registry: Registry,
  events: Pick<CredentialEvents, 'connectionEnded'>,
): ConnectionWatch<string> {
  const known = watches.get(registry)
  if (known !== undefined) return known
  const watch = watchConnections<string>(
    async (id) => (await registry.check(id)).standing === 'live',
    events.connectionEnded,
  )
  registry.onRevoked((mayHaveEnded) => watch.recheck(mayHaveEnded))
  watches.set(registry, watch)
  return watch
}
