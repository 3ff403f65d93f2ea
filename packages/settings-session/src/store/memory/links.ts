import type { TokenRef } from '../../tokens.js'
import { userKey } from '../keys.js'
import type {
  EndedSession,
  Exchange,
  ExchangeResult,
  LinkRefusal,
  LinkStore,
  NewLink,
  PeekedLink,
  StoreRefusal,
} from '../port.js'
import { MAX_WRONG_CODES, REPEAT_MS, REPLACED_MS, TOMBSTONE_MS } from '../rules.js'
import { createSession, epochOf, type LinkRow, type MemoryState, refusalOf, type SessionRow, viewOf } from './state.js'

/** The part of the memory store that keeps links. */
export function memoryLinks(state: MemoryState): LinkStore {
  const { clock, links, sessions } = state

  /** Reasons in the order in which the store finds them. */
  function refusal(link: LinkRow | undefined): LinkRefusal | undefined {
    if (link === undefined) return 'unknown'
    if (link.spentAt !== undefined) return 'spent'
    if (clock.now() >= link.expiresAt) return 'expired'
    return state.epochs.get(link.userKey) === link.epoch ? undefined : 'revoked'
  }

  function refused<R extends LinkRefusal>(link: LinkRow | undefined, reason: R): StoreRefusal<R> {
    if (reason !== 'expired' || link === undefined) return { outcome: 'refused', reason }
    return { outcome: 'refused', reason, lateMs: clock.now() - link.expiresAt }
  }

  function find({ tag, hash }: TokenRef): LinkRow | undefined {
    const link = links.get(tag)
    return link?.hash === hash ? link : undefined
  }

  function repeated(link: LinkRow, { attempt, session }: Exchange): SessionRow | undefined {
    if (link.attempt !== attempt) return undefined
    if (link.spentAt !== undefined && clock.now() >= link.spentAt + REPEAT_MS) return undefined
    const row = sessions.get(session.tag)
    return refusalOf(state, row, session.hash) === undefined ? row : undefined
  }

  return {
    issueLink({ ref, content, ttlMs, epochTtlMs, codeHash }: NewLink) {
      const key = userKey(content.user)
      state.assertRoom(links)
      const epoch = epochOf(state, key, epochTtlMs)
      const expiresAt = clock.now() + ttlMs
      const row: LinkRow = {
        hash: ref.hash,
        content,
        userKey: key,
        epoch,
        expiresAt,
        codeHash,
        wrongCodes: 0,
        spentAt: undefined,
        attempt: undefined,
        holder: undefined,
      }
      links.set(ref.tag, row, expiresAt + TOMBSTONE_MS)
      return { expiresAt }
    },

    peekLink(ref): PeekedLink {
      const link = find(ref)
      const reason = refusal(link)
      if (reason !== undefined) return refused(link, reason)
      const { content, expiresAt, codeHash } = link as LinkRow
      return { outcome: 'open', content, expiresAt, needsCode: codeHash !== undefined }
    },

    exchange(exchange: Exchange): ExchangeResult {
      const link = find(exchange.link)
      const first = link === undefined ? undefined : repeated(link, exchange)
      if (first !== undefined) return { outcome: 'opened', session: viewOf(first, clock.now()), isRepeat: true }
      const reason = refusal(link)
      if (link === undefined || reason !== undefined) return refused(link, reason ?? 'unknown')
      if (link.codeHash !== undefined && link.codeHash !== exchange.codeHash) {
        link.wrongCodes += 1
        if (link.wrongCodes < MAX_WRONG_CODES) return { outcome: 'refused', reason: 'wrong_code' }
        link.spentAt = clock.now()
        return { outcome: 'refused', reason: 'spent', isVoided: true }
      }
      const { session: ref, limits, state: sessionState } = exchange
      const created = { ref, content: link.content, state: sessionState, limits }
      const { row, ended } = createSession(state, created, exchange.link.tag)
      const holder = link.holder === undefined ? undefined : sessions.get(link.holder)
      const isReplaced = holder !== undefined && holder !== row && holder.state !== 'ended'
      const replaced: EndedSession[] = isReplaced ? [{ id: holder.id, cause: 'link_opened_again' }] : []
      if (isReplaced) {
        holder.state = 'ended'
        sessions.set(holder.id, holder, Math.min(clock.now() + REPLACED_MS, holder.expiresAt + TOMBSTONE_MS))
      }
      link.holder = row.id
      link.attempt = exchange.attempt
      if (sessionState === 'active') link.spentAt = clock.now()
      return { outcome: 'opened', session: viewOf(row, clock.now()), isRepeat: false, ended: [...ended, ...replaced] }
    },
  }
}
