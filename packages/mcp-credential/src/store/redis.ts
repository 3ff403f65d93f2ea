import { randomBytes } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import { BoundedTtlMap, option, resolveOptions, systemClock } from '@countersign/core/gate-kit'
import type { RedisClient, RedisStoreOptions } from '@countersign/redis'
import { createNotices, createScriptRunner, isCrossSlot, redisStoreOptionRules } from '@countersign/redis/store'
import { addressOf, providerHash, sessionHash, threadHash } from '../token.js'
import { byNotice } from './concerned.js'
import type { CredentialLife, McpCredentialStore, RevocableScope } from './port.js'
import { AliasCache } from './redis/alias-cache.js'
import { decideScript } from './redis/decide-script.js'
import { createIssuer } from './redis/issue.js'
import { decisionKeys, keyLayout, type PartitionKeys, plainKeys } from './redis/keys.js'
import { createLister } from './redis/list.js'
import { lifeText } from './redis/lua.js'
import {
  type FoundReply,
  foundFrom,
  isPlain,
  linesOf,
  plainFrom,
  provenFrom,
  type WrongReply,
} from './redis/replies.js'
import { resolveScript } from './redis/resolve-script.js'
import {
  extendScript,
  retireScript,
  revokeScopeScript,
  revokeScript,
  sessionKeyScript,
  touchScript,
} from './redis/scripts.js'

/** Options of {@link redisCredentials}. */
export interface RedisCredentialsOptions extends RedisStoreOptions {
  /** Credentials that one thread may have at once. Default 100. */
  readonly maxPerThread?: number | undefined
}

type Mode = 'use' | 'revive' | 'touch' | 'peek'

/** What was found, and of which credential. */
interface Lookup {
  readonly holder: string
  readonly reply: FoundReply | WrongReply | null
}

/** An alias moves at most once for each issue: a few rounds are enough. */
const MOST_ROUNDS = 5

const REMEMBERED_MS = 10 * 60_000
const running = () => systemClock.monotonic()
/** By its attempt a script knows that a client sent it again. */
const newAttempt = () => randomBytes(12).toString('base64url')

const RULES = {
  ...redisStoreOptionRules,
  maxPerThread: option.integer(1, 10_000).default(100),
}

/**
 * Credentials for any number of processes on one Redis or Redis Cluster: one script per decision, all its keys in one
 * slot. Deadlines are the server's. Methods reject with an `UnavailableError` when Redis cannot be asked in time, and when
 * it evicts.
 *
 * @throws {OptionError}
 * @example
 * createMcpCredentials({ store: redisCredentials(new Redis(url)) })
 */
export function redisCredentials(redis: RedisClient, options: RedisCredentialsOptions = {}): McpCredentialStore {
  const { maxPerThread, ...terms } = resolveOptions('redisCredentials', options, RULES)
  const { namespace, run, ask, change, ready } = createScriptRunner(
    redis,
    'redisCredentials',
    'credential_store',
    terms,
  )
  const layout = keyLayout(namespace)
  const notices = createNotices(redis, `${namespace}:mcp:ended`)
  const { channel } = notices
  const hearing = new Set<() => void>()
  const aliases = new AliasCache()
  /** Attempts to revoke whose outcome is unknown: a retry finds that it was done. */
  const revokes = new BoundedTtlMap<string, string>({ maxEntries: 10_000, clock: { now: running, monotonic: running } })

  function look(
    mode: Mode,
    id: string,
    digest: Buffer | undefined,
    life: CredentialLife,
    rounds = MOST_ROUNDS,
  ): Promise<Lookup> {
    const holder = aliases.holderOf(id)
    const { tag, keys } = decisionKeys(layout, id, holder)
    return run(resolveScript, tag, keys, [mode, digest?.toString('hex') ?? '', lifeText(life)]).then((answer) => {
      const reply = linesOf(answer)
      if (reply === null || reply[0] !== 'alias') {
        const found = reply as FoundReply | WrongReply | null
        if (found?.[10] !== undefined) extendAliases(holder, found[10])
        return { holder, reply: found }
      }
      aliases.learn(id, reply[1])
      if (rounds > 1) return look(mode, id, digest, life, rounds - 1)
      throw new UnavailableError('credential_store', 'the credential was carried again and again')
    })
  }

  /** Their records are no keys of the decision. What fails is tried again with the next use, long before they end. */
  function extendAliases(holder: string, carried: string): void {
    const [until = '', ...ids] = carried.split(' ')
    if (!aliases.mustExtend(holder, until)) return
    const keys = layout.of(addressOf(holder).thread)
    run(extendScript, keys.tag, ids.map(keys.record), [until]).catch(() => aliases.forgetExtension(holder))
  }

  function prove(mode: 'use' | 'revive', id: string, digest: Buffer, life: CredentialLife) {
    return look(mode, id, digest, life).then(({ holder, reply }) => provenFrom(reply, holder, digest))
  }

  /** Most decisions are on a live credential that has nothing to be written. Without coalescing each has. */
  function decide(id: string, digest: Buffer, life: CredentialLife) {
    if (life.coalesceMs === 0 || aliases.concerns(id)) return prove('use', id, digest, life)
    const { tag, keys } = plainKeys(layout, id)
    return ask(decideScript(life, keys.length === 5), tag, keys, [digest.toString('hex')]).then((answer) =>
      isPlain(answer) ? plainFrom(answer, id) : prove('use', id, digest, life),
    )
  }

  /** Only what is to be proven can be a wrong secret. */
  const peek = async (id: string, life: CredentialLife) => {
    const { holder, reply } = await look('peek', id, undefined, life)
    return { holder, reply: reply as FoundReply | null }
  }

  /** A server whose keys lie in slots takes a script for each of its partitions; any other takes one for all. */
  let hasSlots = redis.isCluster

  async function revokeScope(scope: RevocableScope, id: string): Promise<boolean> {
    const attempt = newAttempt()
    const hash = hashOf(scope, id)
    const end = (keys: PartitionKeys, epochs: readonly string[]) =>
      change(revokeScopeScript, keys.tag, epochs, [scope, hash, channel]).then((found) => Number(found) === 1)
    const keysOf = (keys: PartitionKeys, epoch: string) => [epoch, keys.attempt(attempt), keys.names, keys.deadlines]
    if (scope === 'thread') {
      const keys = layout.of(hash)
      return end(keys, keysOf(keys, keys.thread(hash)))
    }
    const epochKeys = (keys: PartitionKeys) => keysOf(keys, scope === 'all' ? keys.all : keys[scope](hash))
    if (!hasSlots) {
      try {
        return await end(layout.partitions[0] as PartitionKeys, layout.partitions.flatMap(epochKeys))
      } catch (error) {
        if (!isCrossSlot(error)) throw error
        hasSlots = true
      }
    }
    // They leave in one write.
    const results = await Promise.allSettled(layout.partitions.map((keys) => end(keys, epochKeys(keys))))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return results.some((result) => result.status === 'fulfilled' && result.value)
  }

  const lister = createLister({ run, layout, peek })
  const issue = createIssuer({ change, layout, maxPerThread, channel, lister })

  async function touch(threadId: string, life: CredentialLife): Promise<boolean> {
    const hash = threadHash(threadId)
    const keys = layout.of(hash)
    const { idleTimeoutMs, coalesceMs, maximumLifetimeMs, retentionMs } = life
    const tell = (what: 'look' | 'touch' | 'refreshed') =>
      run(touchScript, keys.tag, [keys.thread(hash)], [idleTimeoutMs, coalesceMs, maximumLifetimeMs, retentionMs, what])
    // A client with stringNumbers gives texts.
    const known = Number(await tell(life.slidesOnTouch ? 'touch' : 'look'))
    if (known === 2) {
      // Touches are kept in the thread's key: its records are slid before they would be forgotten.
      for (const id of await lister.idsOfThread(hash)) await look('touch', id, undefined, life)
      await tell('refreshed')
    }
    return known !== 0
  }

  return {
    namespace,
    issue,
    resolve: decide,
    revive: (id, digest, life) => prove('revive', id, digest, life),
    async peek(id, life) {
      const { holder, reply } = await peek(id, life)
      return reply === null ? undefined : foundFrom(reply, holder)
    },
    touch,
    async revoke(id, life) {
      const keys = layout.of(addressOf(id).thread)
      const attempt = revokes.get(id) ?? newAttempt()
      const onUnknown = () => void revokes.set(id, attempt, running() + REMEMBERED_MS)
      const names = [keys.record(id), keys.names, keys.deadlines]
      const found = await change(revokeScript, keys.tag, names, [id, attempt, life.retentionMs, channel], onUnknown)
      revokes.delete(id)
      return Number(found) === 1
    },
    revokeScope,
    async retire(threadId, blockMs) {
      const hash = threadHash(threadId)
      const keys = layout.of(hash)
      const names = [keys.thread(hash), keys.attempt(newAttempt()), keys.names, keys.deadlines, keys.retired(hash)]
      return Number(await change(retireScript, keys.tag, names, [hash, blockMs, channel])) === 1
    },
    list: lister.list,
    count: lister.count,
    async sessionKey() {
      const { tag, sessionKey } = layout.partitions[0] as PartitionKeys
      const key = await change(sessionKeyScript, tag, [sessionKey], [randomBytes(32).toString('base64url')])
      return Buffer.from(String(key), 'base64url')
    },
    async ready() {
      await Promise.all(layout.partitions.map(({ tag }) => ready(tag)))
    },
    onEnded(listener) {
      const stop = notices.listen(
        (text) => listener(byNotice(text)),
        () => listener(() => true),
      )
      hearing.add(stop)
      return () => {
        hearing.delete(stop)
        stop()
      }
    },
    close() {
      for (const stop of hearing) stop()
      hearing.clear()
    },
  }
}

/** The hash by which keys and ids have what is revoked. */
function hashOf(scope: RevocableScope, id: string): string {
  return scope === 'thread' ? threadHash(id) : scope === 'provider' ? providerHash(id) : sessionHash(id)
}
