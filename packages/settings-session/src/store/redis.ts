import { randomBytes } from 'node:crypto'
import { partitionOf } from '@countersign/core/gate-kit'
import type { RedisClient, RedisStoreOptions } from '@countersign/redis'
import { createScriptRunner } from '@countersign/redis/store'
import type { SettingsUser } from '../principal.js'
import { attemptKey, userKey } from './keys.js'
import type { LinkContent, LinkRefusal, SettingsStore } from './port.js'
import { redisIdentities } from './redis/identities.js'
import { placesOf } from './redis/places.js'
import { plainFrom, readPlainScript } from './redis/read-plain.js'
import { endedFrom, readFrom, refusedFrom, type SessionReply, sessionFrom } from './redis/reply.js'
import * as scripts from './redis/scripts.js'

/**
 * A store for any number of processes. Each operation is one script, and so one command. Every call rejects with an
 * `UnavailableError` when Redis cannot be asked within `commandTimeoutMs`, and then has no effect later.
 *
 * @throws {OptionError} at creation.
 */
export function redisSessions(redis: RedisClient, options: RedisStoreOptions = {}): SettingsStore {
  const runner = createScriptRunner(redis, 'redisSessions', 'session_store', options)
  const places = placesOf(runner)
  const placeOfTag = places.ofTag
  const placeOfUser = (key: string) => places.of(partitionOf(key))

  return {
    ...redisIdentities(places),
    async issueLink({ ref, content, ttlMs, epochTtlMs, codeHash = '' }) {
      const key = userKey(content.user)
      const place = placeOfTag(ref.tag)
      const args = [ref.hash, key, newEpoch(), epochTtlMs, JSON.stringify(content), ttlMs, codeHash]
      return { expiresAt: Number(await place.change(scripts.issueLinkScript, [`l:${ref.tag}`, `e:${key}`], ...args)) }
    },
    async peekLink({ tag, hash }) {
      const place = placeOfTag(tag)
      const reply = await place.run(scripts.peekLinkScript, [`l:${tag}`], hash)
      const [outcome, content, expiresAt, needsCode] = reply as ['open', string, string, number] | [LinkRefusal]
      if (outcome !== 'open') return refusedFrom<LinkRefusal>(reply)
      const parsed = JSON.parse(content as string) as LinkContent
      return { outcome, content: parsed, expiresAt: Number(expiresAt), needsCode: Number(needsCode) === 1 }
    },
    async exchange({ link, session, attempt, state, limits, codeHash = '' }) {
      const place = placeOfTag(link.tag)
      const keys = [`l:${link.tag}`, `s:${session.tag}`]
      const { idleMs, absoluteMs, maxSessions } = limits
      const args = [link.hash, link.tag, session.hash, session.tag, attempt, state, idleMs, absoluteMs, maxSessions]
      const reply = await place.change(scripts.exchangeScript, keys, ...args, codeHash)
      const [outcome, opened, isRepeat, ended] = reply as readonly [string, SessionReply, number, unknown]
      if (outcome === 'opened') {
        return { outcome, session: sessionFrom(opened), isRepeat: Number(isRepeat) === 1, ended: endedFrom(ended) }
      }
      const refusal = refusedFrom<LinkRefusal | 'wrong_code'>(reply)
      return opened === 'voided' ? { ...refusal, isVoided: true } : refusal
    },
    async voidLink({ tag, hash }) {
      return Number(await placeOfTag(tag).change(scripts.voidLinkScript, [`l:${tag}`], hash)) === 1
    },
    async openSession({ ref, content, state, limits }) {
      const place = placeOfTag(ref.tag)
      const key = userKey(content.user)
      const { idleMs, absoluteMs, maxSessions } = limits
      const args = [ref.hash, ref.tag, key, newEpoch(), JSON.stringify(content), state, idleMs, absoluteMs, maxSessions]
      const names = [`s:${ref.tag}`, `e:${key}`, `x:${key}`]
      const reply = await place.change(scripts.openSessionScript, names, ...args)
      const opened = readFrom(reply)
      if (opened.outcome === 'refused') return opened
      const [, , ended, isRepeat] = reply as readonly unknown[]
      return { ...opened, isRepeat: Number(isRepeat) === 1, ended: endedFrom(ended) }
    },
    read({ tag, hash }) {
      const place = placeOfTag(tag)
      const record = `s:${tag}`
      const whole = () => place.run(scripts.readScript, [record], hash, tag).then(readFrom)
      return place.askKnown(readPlainScript, record, hash)?.then((reply) => plainFrom(reply, tag) ?? whole()) ?? whole()
    },
    async revoke(id, hash = '', { freesLink = false } = {}) {
      const place = placeOfTag(id)
      const reply = await place.change(scripts.revokeScript, [`s:${id}`], hash, id, freesLink ? 1 : 0)
      return reply === null ? undefined : sessionFrom(reply as SessionReply)
    },
    async revokeAll(user: SettingsUser) {
      const key = userKey(user)
      const place = placeOfUser(key)
      await place.change(scripts.revokeAllScript, [`e:${key}`, `x:${key}`, `u:${key}`])
    },
    async countAttempt(name, most, windowMs) {
      const key = attemptKey(name)
      const place = placeOfUser(key)
      return Number(await place.change(scripts.countAttemptScript, [`n:${key}`], most, windowMs))
    },
    async list(user: SettingsUser) {
      const key = userKey(user)
      const place = placeOfUser(key)
      return ((await place.run(scripts.listScript, [`x:${key}`, `e:${key}`], key)) as SessionReply[]).map(sessionFrom)
    },
  }
}

const newEpoch = (): string => randomBytes(12).toString('base64url')
