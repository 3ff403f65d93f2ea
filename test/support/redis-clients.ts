import type { RedisClient } from '@countersign/redis'
import type { RedisServer } from './redis-server.js'

/** What makes a client: the class of ioredis or of iovalkey, which have one interface. */
type MakeClient = new (url: string, options: object) => unknown
type MakeCluster = new (nodes: object[], options: object) => unknown

/** A way to connect that every store must work with. */
export interface ClientKind {
  readonly name: string
  readonly isCluster: boolean
  /** A client of servers that are all of one cluster, or of one server. */
  connect(nodes: readonly RedisServer[]): Promise<RedisClient>
}

const PREFIX = 'app:'

/**
 * The matrix of clients and their options. A client with a `keyPrefix` is of a user that may touch no other key, so a
 * script that touches a key that it did not declare fails.
 */
export function clientKinds(makers: {
  readonly ioredis: { readonly Redis: MakeClient; readonly Cluster: MakeCluster }
  readonly iovalkey: { readonly Redis: MakeClient; readonly Cluster: MakeCluster }
}): readonly ClientKind[] {
  const prefixed = { keyPrefix: PREFIX, username: 'prefixed', password: 'secret' }
  const kinds: [library: keyof typeof makers, isCluster: boolean, options: string, settings: object][] = [
    ['ioredis', false, 'keyPrefix', prefixed],
    ['ioredis', false, 'keyPrefix and auto-pipelining', { ...prefixed, enableAutoPipelining: true }],
    ['ioredis', false, 'stringNumbers, RESP 3 and no offline queue', NOT_USUAL],
    ['ioredis', true, 'keyPrefix and auto-pipelining', { ...prefixed, enableAutoPipelining: true }],
    ['iovalkey', false, 'its defaults', {}],
    ['iovalkey', false, 'keyPrefix', prefixed],
    ['iovalkey', true, 'keyPrefix', prefixed],
  ]
  return kinds.map(([library, isCluster, options, settings]) => ({
    name: `${library}${isCluster ? ' on a cluster' : ''} with ${options}`,
    isCluster,
    async connect(nodes) {
      for (const node of nodes) {
        await node.command('ACL', 'SETUSER', 'prefixed', 'on', '>secret', `~${PREFIX}*`, '+@all')
      }
      const made = isCluster
        ? new makers[library].Cluster(
            nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
            clusterOptions(settings),
          )
        : new makers[library].Redis((nodes[0] as RedisServer).url, settings)
      return made as RedisClient
    },
  }))
}

const NOT_USUAL = { stringNumbers: true, protocol: 3, enableOfflineQueue: false, enableReadyCheck: false }

/** What is of the cluster's client and not of its nodes'. */
function clusterOptions(settings: object): object {
  const { keyPrefix, enableAutoPipelining, ...redisOptions } = settings as Record<string, unknown>
  return { keyPrefix, enableAutoPipelining, redisOptions }
}
