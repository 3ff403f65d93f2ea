import type { TokenRef } from '../../tokens.js'
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
import { MAX_WRONG_CODES, REPEAT_MS, TOMBSTONE_MS } from '../rules.js'
import {
  createSession,
  dropSession,
  type LinkRow,
  type MemoryState,
  ownCopy,
  ownerOf,
  refusalOf,
  rowContent,
  type SessionRow,
  viewOf,
} from './state.js'

/** The part of the memory store that keeps links. */
export function memoryLinks(state: MemoryState): LinkStore {
  const { clock, links, sessions } = state
  const endOf = (link: LinkRow) => link.expiresAt - TOMBSTONE_MS

  /** Reasons in the order in which the store finds them. */
  function refusal(link: LinkRow | undefined): LinkRefusal | undefined {
    if (link === undefined) return 'unknown'
    if (link.spentAt !== undefined) return 'spent'
    if (clock.now() >= endOf(link)) return 'expired'
    return link.owner.isRevoked ? 'revoked' : undefined
  }

  function refused<R extends LinkRefusal>(link: LinkRow | undefined, reason: R): StoreRefusal<R> {
    if (reason !== 'expired' || link === undefined) return { outcome: 'refused', reason }
    return { outcome: 'refused', reason, lateMs: clock.now() - endOf(link) }
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
      state.assertRoom(links)
      const expiresAt = clock.now() + ttlMs
      links.add({
        key: ownCopy(ref.tag),
        expiresAt: expiresAt + TOMBSTONE_MS,
        place: 0,
        hash: ref.hash,
        owner: ownerOf(state, content.user, epochTtlMs),
        content: rowContent(content),
        codeHash,
        wrongCodes: 0,
        spentAt: undefined,
        attempt: undefined,
        holder: undefined,
      })
      return { expiresAt }
    },

    peekLink(ref): PeekedLink {
      const link = find(ref)
      const reason = refusal(link)
      if (reason !== undefined) return refused(link, reason)
      const { content, owner, codeHash } = link as LinkRow
      const expiresAt = endOf(link as LinkRow)
      return {
        outcome: 'open',
        content: { user: owner.user, ...content },
        expiresAt,
        needsCode: codeHash !== undefined,
      }
    },

    voidLink(ref) {
      const link = find(ref)
      if (link === undefined || refusal(link) !== undefined) return false
      link.spentAt = clock.now()
      if (link.holder?.state === 'awaiting_identity') dropSession(state, link.holder)
      return true
    },

    exchange(exchange: Exchange): ExchangeResult {
      const link = find(exchange.link)
      const first = link === undefined ? undefined : repeated(link, exchange)
      if (first !== undefined) return { outcome: 'opened', session: viewOf(state, first), isRepeat: true }
      const reason = refusal(link)
      if (link === undefined || reason !== undefined) return refused(link, reason ?? 'unknown')
      if (link.codeHash !== undefined && link.codeHash !== exchange.codeHash) {
        link.wrongCodes += 1
        if (link.wrongCodes < MAX_WRONG_CODES) return { outcome: 'refused', reason: 'wrong_code' }
        link.spentAt = clock.now()
        return { outcome: 'refused', reason: 'spent', isVoided: true }
      }
      const { session: ref, limits, state: sessionState } = exchange
      const owner = ownerOf(state, link.owner.user, limits.absoluteMs)
      const { holder, content } = link
      const { row, ended } = createSession(state, { ref, owner, content, link, state: sessionState, limits })
      const isReplaced = holder !== undefined && sessions.peek(holder.key) === holder && holder.state !== 'ended'
      const replaced: EndedSession[] = isReplaced ? [{ id: holder.key, cause: 'link_opened_again' }] : []
      if (isReplaced) dropSession(state, holder)
      link.holder = row
      link.attempt = ownCopy(exchange.attempt)
      if (sessionState === 'active') link.spentAt = clock.now()
      return { outcome: 'opened', session: viewOf(state, row), isRepeat: false, ended: [...ended, ...replaced] }
    },
  }
}
