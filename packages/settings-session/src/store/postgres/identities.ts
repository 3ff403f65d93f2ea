import type { PostgresRunner } from '@countersign/postgres/store'
import type { SettingsUser } from '../../principal.js'
import { claimKey, identityFrom, identityText, placeKey, userKey } from '../keys.js'
import type { ClaimResult, IdentityStore, TakenSignIn } from '../port.js'
import { ENDED_MS, MAX_DATA_SESSIONS, RELEASE_MS } from '../rules.js'
import { type FunctionReply, readInReply, refusalInReply, sessionInReply, userFrom } from './reply.js'

/** A user's key in the tables. It begins with that of the platform and team, among whose users an identity has one. */
export function tableKey(user: SettingsUser): string {
  return `${placeKey(user)}.${userKey(user)}`
}

const userText = ({ platform, team, userId }: SettingsUser): string => JSON.stringify({ platform, team, userId })

/** The part of the PostgreSQL store that keeps identities. Each operation is one transaction. */
export function postgresIdentities({ run, change }: PostgresRunner): IdentityStore {
  return {
    async claimIdentity({ session: { tag, hash }, newHash, identity, mayEstablish, isAllowed }): Promise<ClaimResult> {
      const times = { endedMs: ENDED_MS, releaseMs: RELEASE_MS }
      const what = { identity: identityText(identity), claimKey: claimKey(identity), mayEstablish, isAllowed, ...times }
      const reply = (await change('countersign_settings_claim', { tag, hash, newHash, ...what })) as FunctionReply & {
        readonly isFirst?: boolean
      }
      const { outcome, session, isFirst = false, ended } = reply
      if (session === undefined) return refusalInReply(reply)
      if (outcome === 'activated') return { outcome, session: sessionInReply(session), isFirst, ended }
      return { outcome: outcome as 'unbound' | 'taken' | 'mismatch', session: sessionInReply(session) }
    },
    async confirmBinding(user, { identity, attempt }) {
      const what = { user: tableKey(user), identity: identityText(identity), by: attempt }
      await change('countersign_settings_confirm_binding', what)
    },
    async holdClaim({ tag, hash }, identity, key) {
      const what = { tag, hash, identity: identityText(identity), key }
      return readInReply((await change('countersign_settings_hold_claim', what)) as FunctionReply)
    },
    async answerClaim(sessionId, key, isAllowed) {
      const what = { tag: sessionId, key, answer: isAllowed ? 'allowed' : 'denied' }
      return (await change('countersign_settings_answer_claim', what)) === true
    },
    async identityOf(user) {
      const text = (await run('countersign_settings_identity_of', { user: tableKey(user) })) as string | null
      return text === null ? undefined : identityFrom(text)
    },
    async returningUsers(identity) {
      const texts = await run('countersign_settings_returning', { claimKey: claimKey(identity) })
      return (texts as readonly string[]).map(userFrom)
    },
    async unlink(user, attempt) {
      const what = { user: tableKey(user), by: attempt }
      const text = (await change('countersign_settings_unlink', what)) as string | null
      return text === null ? undefined : identityFrom(text)
    },
    async rebind(user, { identity, attempt }, replaced) {
      const to = { identity: identityText(identity), claimKey: claimKey(identity), by: attempt }
      const what = { user: tableKey(user), userText: userText(user), ...to, replaced }
      const reply = (await change('countersign_settings_rebind', what)) as {
        readonly outcome: 'bound' | 'taken' | 'contended'
        readonly identity?: string | null
        readonly attempt?: string | null
      }
      if (reply.outcome !== 'bound') return { outcome: reply.outcome }
      if (reply.identity == null || reply.attempt == null) return { outcome: 'bound' }
      return { outcome: 'bound', former: { identity: identityFrom(reply.identity), attempt: reply.attempt } }
    },
    async freeIdentity({ tag, hash }) {
      const reply = (await change('countersign_settings_free', { tag, hash })) as FunctionReply & {
        readonly released?: { readonly user: string; readonly attempt: string } | null
      }
      const found = readInReply(reply)
      if (found.outcome === 'refused') return found
      const { session } = found
      if (reply.released == null) return { outcome: 'freed', session }
      const user = userFrom(reply.released.user)
      const former = { key: userKey(user), user, attempt: reply.released.attempt, session: session.id }
      return { outcome: 'freed', session, former }
    },
    // Both are of one platform and team.
    async restoreIdentity(_by, identity, { user, attempt, session }) {
      if (user === undefined) return false
      const to = { identity: identityText(identity), claimKey: claimKey(identity), by: attempt }
      const what = { user: tableKey(user), userText: userText(user), session, ...to }
      return (await change('countersign_settings_restore', what)) === true
    },
    async beginOAuth({ ref, session: { tag, hash }, isAgain, returnTo, ttlMs }) {
      const content = JSON.stringify({ session: { tag, hash }, isAgain, returnTo })
      await change('countersign_settings_begin_oauth', { name: `o${ref.tag}`, hash: ref.hash, content, ttl: ttlMs })
    },
    async takeOAuth({ tag, hash }) {
      const text = (await change('countersign_settings_take_oauth', { name: `o${tag}`, hash })) as string | null
      return text === null ? undefined : (JSON.parse(text) as TakenSignIn)
    },
    async useInitData(hash, device, ttlMs, ended) {
      const what = { name: `t${hash}`, device, ttl: ttlMs, ended, most: MAX_DATA_SESSIONS }
      const use = Number(await change('countersign_settings_use_data', what))
      return use === -1 ? 'replayed' : use
    },
  }
}
