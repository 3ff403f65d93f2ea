import { randomBytes } from 'node:crypto'
import { partitionOf } from '@countersign/core/gate-kit'
import type { RedisScript } from '@countersign/redis/store'
import type { SettingsIdentity, SettingsUser } from '../../principal.js'
import { identityFrom, identityKey, identityText, userKey } from '../keys.js'
import type { ClaimResult, FormerUser, IdentityClaim, IdentityStore, SessionRefusal, StoredSession } from '../port.js'
import * as scripts from './identity-scripts.js'
import type { Places } from './places.js'
import { endedFrom, readFrom, refusedFrom, type SessionReply, sessionFrom } from './reply.js'
import { redisReturning } from './returning.js'

/** What is kept of a release: it lies with the user of the key, from whom it was. */
const releaseOf = (key: string, session: string): string => `f:${key}:${session}`

type Reserved = { readonly outcome: 'reserved'; readonly attempt: string; readonly at: string }
/** By the key of the user whose it is. */
type Taken = { readonly outcome: 'taken'; readonly holder: string }

/**
 * The part of the Redis store that keeps identities. The two sides of a binding lie in two slots, so a first claim
 * reserves the identity's side, then writes the user's side together with the session, and releases its reservation when
 * the second step failed. Only the user's side counts; what a crash leaves of the other is free after a minute.
 */
export function redisIdentities(places: Places): IdentityStore {
  const returning = redisReturning(places)
  const reverseKeyOf = (identity: SettingsIdentity, user: SettingsUser) => {
    const key = identityKey(identity, user)
    const place = places.of(partitionOf(key))
    return { place, key: `r:${key}` }
  }

  /** `own`: the key of whom it is reserved for, when that is another user of the same platform and team. */
  async function reserve(
    user: SettingsUser,
    identity: SettingsIdentity,
    own = userKey(user),
  ): Promise<Reserved | Taken | { readonly outcome: 'contended' }> {
    const attempt = randomBytes(9).toString('base64url')
    const { place, key } = reverseKeyOf(identity, user)
    const args = [own, partitionOf(own), attempt]
    const send = async (...seen: string[]) =>
      (await place.change(scripts.reserveScript, [key], ...args, ...seen)) as string[]
    let reply = await send('', '')
    if (reply[0] === 'other') {
      const [, other = '', partition = '0', at = ''] = reply
      const elsewhere = places.of(Number(partition))
      const bound = await elsewhere.run(scripts.identityScript, [`u:${other}`])
      if (bound === identityText(identity)) return { outcome: 'taken', holder: other }
      reply = await send(other, at)
    }
    return reply[0] === 'reserved' ? { outcome: 'reserved', attempt, at: String(reply[1]) } : { outcome: 'contended' }
  }

  /** Never rejects: a reservation that stands on nothing is free after a minute, and what came before it is done. */
  async function release(
    user: SettingsUser,
    identity: SettingsIdentity,
    attempt: string,
    own = userKey(user),
  ): Promise<void> {
    const { place, key } = reverseKeyOf(identity, user)
    await place.change(scripts.releaseScript, [key], own, attempt).catch(() => undefined)
  }

  async function claim(given: IdentityClaim, reserved?: Reserved): Promise<ClaimResult> {
    const { session, newHash, identity } = given
    const place = places.ofTag(session.tag)
    const args = [
      session.hash,
      session.tag,
      newHash,
      identityText(identity),
      reserved?.attempt ?? '',
      reserved?.at ?? '',
    ]
    return claimFrom(await place.change(scripts.claimScript, [`s:${session.tag}`], ...args))
  }

  async function taken(given: IdentityClaim, holder: string): Promise<ClaimResult> {
    const { tag, hash } = given.session
    const args = [hash, tag, given.newHash, identityText(given.identity), holder, given.isAllowed ? '1' : '']
    return claimFrom(await places.ofTag(tag).change(scripts.takenScript, [`s:${tag}`], ...args))
  }

  function change(script: RedisScript, key: string, ...args: readonly string[]): Promise<unknown> {
    return places.of(partitionOf(key)).change(script, [`u:${key}`, `e:${key}`, `x:${key}`], ...args)
  }

  async function identityOf(user: SettingsUser): Promise<SettingsIdentity | undefined> {
    const key = userKey(user)
    const place = places.of(partitionOf(key))
    const text = (await place.run(scripts.identityScript, [`u:${key}`])) as string | null
    return text === null ? undefined : identityFrom(text)
  }

  /** Takes an identity from the user who has it, for a session, where it `mayTake` one. A repeat tells of the first. */
  async function evict(
    { id, user }: StoredSession,
    identity: SettingsIdentity,
    key: string,
    mayTake: boolean,
  ): Promise<FormerUser | undefined> {
    const former = await returning.nameOf(identity, key)
    const records = [`u:${key}`, `e:${key}`, `x:${key}`, releaseOf(key, id)]
    const bound = mayTake ? identityText(identity) : ''
    const reply = await places.of(partitionOf(key)).change(scripts.evictScript, records, bound)
    if (reply === null) return undefined
    const [reservation, attempt] = reply as readonly [string, string]
    await release(user, identity, reservation, key)
    return { key, user: former, attempt, session: id }
  }

  async function settle(given: IdentityClaim): Promise<ClaimResult> {
    const verified = await claim(given)
    if (verified.outcome !== 'unbound' || !given.mayEstablish) return verified
    const { user } = verified.session
    const reserved = await reserve(user, given.identity)
    if (reserved.outcome === 'taken') return taken(given, reserved.holder)
    if (reserved.outcome === 'contended') return reserved
    const claimed = await claim(given, reserved)
    if (claimed.outcome !== 'activated') await release(user, given.identity, reserved.attempt)
    return claimed
  }

  return {
    returningUsers: returning.of,
    async claimIdentity(given) {
      const result = await settle(given)
      if (result.outcome === 'activated') await returning.remember(result.session.user, given.identity)
      return result
    },
    async confirmBinding(user, { identity, attempt }) {
      const key = userKey(user)
      const place = places.of(partitionOf(key))
      await place.change(scripts.confirmBindingScript, [`u:${key}`], identityText(identity), attempt)
    },
    async holdClaim({ tag, hash }, identity, claimant) {
      const place = places.ofTag(tag)
      const args = [hash, tag, identityText(identity), claimant]
      return readFrom(await place.change(scripts.holdClaimScript, [`s:${tag}`], ...args))
    },
    async answerClaim(sessionId, claimant, isAllowed) {
      const place = places.ofTag(sessionId)
      const answer = isAllowed ? 'allowed' : 'denied'
      return Number(await place.change(scripts.answerClaimScript, [`s:${sessionId}`], claimant, answer)) === 1
    },
    identityOf,
    async unlink(user, attempt = '') {
      const reply = (await change(scripts.unlinkScript, userKey(user), attempt)) as readonly [string, string] | null
      if (reply === null) return undefined
      const identity = identityFrom(reply[0])
      await release(user, identity, reply[1])
      return identity
    },
    async rebind(user, { identity, attempt }, replaced = '') {
      const reserved = await reserve(user, identity)
      if (reserved.outcome !== 'reserved') return { outcome: reserved.outcome }
      const args = [identityText(identity), attempt, reserved.attempt, reserved.at, replaced]
      const [outcome, text, reservation = '', by = ''] = (await change(
        scripts.rebindScript,
        userKey(user),
        ...args,
      )) as string[]
      if (outcome === 'contended') {
        await release(user, identity, reserved.attempt)
        return { outcome }
      }
      await returning.remember(user, identity)
      if (text === undefined) return { outcome: 'bound' }
      const former = { identity: identityFrom(text), attempt: by }
      await release(user, former.identity, reservation)
      return { outcome: 'bound', former }
    },
    async freeIdentity({ tag, hash }) {
      const reply = await places.ofTag(tag).change(scripts.releasedScript, [`s:${tag}`], hash, tag)
      const found = readFrom(reply)
      if (found.outcome === 'refused') return found
      const { session } = found
      const holder = (reply as readonly string[])[2] ?? ''
      if (session.claim === undefined || holder === '') return { outcome: 'freed', session }
      const mayTake = (await identityOf(session.user)) === undefined
      return { outcome: 'freed', session, former: await evict(session, session.claim.identity, holder, mayTake) }
    },
    async restoreIdentity(user, identity, { key, attempt, session }) {
      const reserved = await reserve(user, identity, key)
      if (reserved.outcome !== 'reserved') return false
      const args = [identityText(identity), attempt, reserved.attempt, reserved.at]
      const records = [`u:${key}`, releaseOf(key, session)]
      const reply = await places.of(partitionOf(key)).change(scripts.restoreScript, records, ...args)
      if (Number(reply) === 1) return true
      await release(user, identity, reserved.attempt, key)
      return false
    },
    async beginOAuth({ ref, session, isAgain, returnTo = '', ttlMs }) {
      const place = places.ofTag(ref.tag)
      const args = [ref.hash, session.tag, session.hash, returnTo, ttlMs, isAgain ? 1 : 0]
      await place.change(scripts.beginOAuthScript, [`o:${ref.tag}`], ...args)
    },
    async takeOAuth({ tag, hash }) {
      const place = places.ofTag(tag)
      const reply = await place.change(scripts.takeOAuthScript, [`o:${tag}`], hash)
      if (reply === null) return undefined
      const [tagOfSession, hashOfSession, returnTo, again] = reply as [string, string, string, string]
      const taken = { session: { tag: tagOfSession, hash: hashOfSession }, isAgain: again === '1' }
      return returnTo === '' ? taken : { ...taken, returnTo }
    },
    async useInitData(hash, device, ttlMs, ended) {
      const place = places.of(partitionOf(hash))
      const key = `t:${hash}`
      const use = await place.change(scripts.useInitDataScript, [key], device, ttlMs, ended ?? '')
      return use === 'replayed' ? use : Number(use)
    },
  }
}

function claimFrom(reply: unknown): ClaimResult {
  const [outcome, session, isFirst, ended] = reply as readonly [string, SessionReply, number, unknown]
  if (outcome === 'contended') return { outcome }
  if (outcome === 'unbound' || outcome === 'taken' || outcome === 'mismatch')
    return { outcome, session: sessionFrom(session) }
  if (outcome !== 'activated') return refusedFrom<SessionRefusal>(reply)
  return { outcome, session: sessionFrom(session), isFirst: Number(isFirst) === 1, ended: endedFrom(ended) }
}
