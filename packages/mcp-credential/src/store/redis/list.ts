import { PARTITIONS } from '@countersign/core/gate-kit'
import type { ScriptRunner } from '@countersign/redis/store'
import { addressOf, providerHash, threadHash } from '../../token.js'
import type { CredentialLife, ListFilter, ListPage } from '../port.js'
import { isCurrent } from '../standing.js'
import type { KeyLayout, PartitionKeys } from './keys.js'
import { type FoundReply, recordFrom } from './replies.js'
import { forgetScript, namesScript } from './scripts.js'

/** What {@link createLister} needs. */
export interface ListerParts {
  readonly run: ScriptRunner['run']
  readonly layout: KeyLayout
  readonly peek: (id: string, life: CredentialLife) => Promise<{ holder: string; reply: FoundReply | null }>
}

/** The ids that the index has, and how many the thread's provider has been confirmed so far. */
interface IndexedIds {
  readonly generation: string
  readonly ids: string[]
}

/** Reads the index, and looks up what it names. */
export interface Lister {
  list(filter: ListFilter, cursor: string | undefined, limit: number, life: CredentialLife): Promise<ListPage>
  /** How many are neither revoked nor superseded: each is looked up, because an epoch that ends leaves the index as it is. */
  count(life: CredentialLife): Promise<number>
  /** The ids that the index has of a thread's provider. */
  ofProvider(thread: string, provider: string): Promise<IndexedIds>
  idsOfThread(thread: string): Promise<readonly string[]>
  /** Removes the dead from the index of a thread; an idle credential stays when it may be revived. */
  prune(thread: string, life: CredentialLife): Promise<void>
}

type Listed = ListPage['credentials'][number]

const MOST_OF_THREAD = 10_000
/** Look-ups that are sent in one write: decisions wait behind them. */
const COUNTED_AT_ONCE = 100

/** Makes the lister of a store. */
export function createLister({ run, layout, peek }: ListerParts): Lister {
  async function names(
    keys: PartitionKeys,
    prefix: string,
    after: string | undefined,
    limit: number,
    of = '',
    by = '',
  ): Promise<IndexedIds> {
    const lower = after === undefined ? `[${prefix}` : `(${after}`
    const args = [lower, prefix === '' ? '+' : `[${prefix}~`, limit, by]
    const [generation, ids] = (await run(namesScript, keys.tag, [keys.names, keys.thread(of)], args)) as [
      string,
      string[],
    ]
    return { generation, ids }
  }

  /** A credential of the index; undefined when it is an alias, revoked, superseded, or gone. */
  async function listed(id: string, life: CredentialLife): Promise<Listed | undefined> {
    const { holder, reply } = await peek(id, life)
    if (reply === null || holder !== id || !isCurrent(reply[0])) return undefined
    return { ...recordFrom(reply, id), standing: reply[0] }
  }

  async function list(
    filter: ListFilter,
    cursor: string | undefined,
    limit: number,
    life: CredentialLife,
  ): Promise<ListPage> {
    const credentials: Listed[] = []
    const provider = filter.providerInstanceId && providerHash(filter.providerInstanceId)
    const thread = filter.threadId === undefined ? '' : threadHash(filter.threadId)
    const only = thread === '' ? undefined : layout.partitions.indexOf(layout.of(thread))
    let [partition, after] = startOf(cursor, only ?? 0)
    while (partition <= (only ?? PARTITIONS - 1)) {
      const keys = layout.partitions[partition] as PartitionKeys
      const { ids } = await names(keys, thread, after, limit - credentials.length)
      if (ids.length === 0) {
        partition += 1
        after = undefined
        continue
      }
      after = ids.at(-1)
      const wanted = ids.filter((id) => provider === undefined || addressOf(id).provider === provider)
      const found = await Promise.all(wanted.map((id) => listed(id, life)))
      credentials.push(
        ...found.filter((item) => item !== undefined && matches(item, filter)).map((item) => item as Listed),
      )
      if (credentials.length >= limit) return { credentials, cursor: `${partition}.${after}` }
    }
    return { credentials, cursor: undefined }
  }

  async function countIn(keys: PartitionKeys, life: CredentialLife): Promise<number> {
    let count = 0
    for (let after: string | undefined; ; ) {
      const { ids } = await names(keys, '', after, COUNTED_AT_ONCE)
      const found = await Promise.all(ids.map(async (id) => (await peek(id, life)).reply?.[0]))
      count += found.filter((standing) => standing !== undefined && isCurrent(standing)).length
      after = ids.at(-1)
      if (after === undefined) return count
    }
  }

  return {
    list,
    async count(life) {
      let count = 0
      for (const keys of layout.partitions) count += await countIn(keys, life)
      return count
    },
    ofProvider: (thread, provider) =>
      names(layout.of(thread), thread + provider, undefined, MOST_OF_THREAD, thread, provider),
    async idsOfThread(thread) {
      return (await names(layout.of(thread), thread, undefined, MOST_OF_THREAD)).ids
    },
    async prune(thread, life) {
      const keys = layout.of(thread)
      const { ids } = await names(keys, thread, undefined, MOST_OF_THREAD)
      const standings = await Promise.all(ids.map(async (id) => (await peek(id, life)).reply?.[0]))
      const dead = ids.filter((_, index) => {
        const standing = standings[index]
        return standing !== 'live' && !(standing === 'idle' && life.revivesIdle)
      })
      if (dead.length > 0) await run(forgetScript, keys.tag, [keys.names, keys.deadlines], dead)
    },
  }
}

function startOf(cursor: string | undefined, first: number): [number, string | undefined] {
  const match = /^(\d{1,2})\.([0-9A-Za-z]+)$/.exec(cursor ?? '')
  return match === null ? [first, undefined] : [Number(match[1]), match[2]]
}

function matches({ threadId, providerInstanceId }: Listed, filter: ListFilter): boolean {
  return (
    (filter.threadId === undefined || filter.threadId === threadId) &&
    (filter.providerInstanceId === undefined || filter.providerInstanceId === providerInstanceId)
  )
}
