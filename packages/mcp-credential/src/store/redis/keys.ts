import { partitionOf } from '@countersign/core/gate-kit'
import { partitionTags } from '@countersign/redis/store'
import { addressOf, NO_SESSION } from '../../token.js'

/** The keys of one partition. All hold its hash tag, so a cluster keeps them together. */
export interface PartitionKeys {
  readonly tag: string
  readonly all: string
  /** ZSET of ids, by name. Only an index: what it names is looked up. */
  readonly names: string
  /** ZSET of ids, by the moment from which they may leave the index. */
  readonly deadlines: string
  /** The key that MCP sessions are bound with; in the first partition alone. */
  readonly sessionKey: string
  record(id: string): string
  thread(hash: string): string
  provider(hash: string): string
  session(hash: string): string
  retired(threadHash: string): string
  attempt(attempt: string): string
}

/** The key layout. Part of the format: a change here orphans what is stored. */
export interface KeyLayout {
  readonly partitions: readonly PartitionKeys[]
  /** The partition of a thread, by the thread's hash. */
  of(threadHash: string): PartitionKeys
}

/** The key layout of a namespace. */
export function keyLayout(namespace: string): KeyLayout {
  const partitions = partitionTags(namespace, 'mcp').map(partitionKeys)
  return { partitions, of: (threadHash) => partitions[partitionOf(threadHash)] as PartitionKeys }
}

function partitionKeys(tag: string): PartitionKeys {
  return {
    tag,
    all: `${tag}:all`,
    names: `${tag}:names`,
    deadlines: `${tag}:deadlines`,
    sessionKey: `${tag}:session-key`,
    record: (id) => `${tag}:c:${id}`,
    thread: (hash) => `${tag}:t:${hash}`,
    provider: (hash) => `${tag}:p:${hash}`,
    session: (hash) => `${tag}:s:${hash}`,
    retired: (hash) => `${tag}:r:${hash}`,
    attempt: (attempt) => `${tag}:a:${attempt}`,
  }
}

/** The keys that a plain decision needs, from an id alone. */
export function plainKeys(layout: KeyLayout, id: string): { tag: string; keys: string[] } {
  const { thread, provider, session } = addressOf(id)
  const keys = layout.of(thread)
  const names = [keys.record(id), keys.thread(thread), keys.all, keys.provider(provider)]
  if (session !== NO_SESSION) names.push(keys.session(session))
  return { tag: keys.tag, keys: names }
}

/** The keys that a decision on a token needs, from its id alone. `holder` is the id that an alias stands for. */
export function decisionKeys(layout: KeyLayout, id: string, holder: string): { tag: string; keys: string[] } {
  const { thread, provider } = addressOf(id)
  const keys = layout.of(thread)
  return {
    tag: keys.tag,
    keys: [
      keys.record(id),
      keys.record(holder),
      keys.thread(thread),
      keys.provider(provider),
      keys.session(addressOf(holder).session),
      keys.all,
      keys.names,
      keys.deadlines,
    ],
  }
}
