import { type ConnectionWatch, watchConnections } from '@countersign/core/gate-kit'
import type { McpCredentials } from '../registry.js'

type Registry = Pick<McpCredentials, 'check' | 'onRevoked'>

const watches = new WeakMap<Registry, ConnectionWatch<string>>()

/**
 * The open responses and sockets of a registry, by the ids of their credentials: gates of one registry share them. They are
 * checked at once when something is revoked through the registry.
 */
export function streamWatchOf(registry: Registry): ConnectionWatch<string> {
  const known = watches.get(registry)
  if (known !== undefined) return known
  const watch = watchConnections<string>(async (id) => (await registry.check(id)).standing === 'live')
  registry.onRevoked(() => watch.recheck())
  watches.set(registry, watch)
  return watch
}
