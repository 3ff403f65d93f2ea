import { randomBytes } from 'node:crypto'
import { partitionOf } from '@countersign/core/gate-kit'
import type { memorySessions } from '@countersign/settings-session'
import { userKey } from '../../../packages/settings-session/src/store/keys.js'
import { mintTag, mintToken } from '../../../packages/settings-session/src/tokens.js'

export type SettingsStore = ReturnType<typeof memorySessions>

const limits = { idleMs: 15 * 60_000, absoluteMs: 60 * 60_000, maxSessions: 10 }
/** A user's records all lie in one partition. */
const partition = (userId: string) => partitionOf(userKey({ platform: 'bench', userId }))
const contentOf = (userId: string) => ({ user: { platform: 'bench', userId }, kind: 'settings' })

/** The token of a session that platform data opened, without a link. */
export async function open(store: SettingsStore, userId: string): Promise<string> {
  const token = mintToken('s', mintTag(partition(userId)))
  const { outcome } = await store.openSession({ ref: token, content: contentOf(userId), state: 'active', limits })
  if (outcome !== 'found') throw new Error('the store opened no session')
  return token.text
}

/** The token of a session that its user's link opened, as the routes ask the store for it. */
export async function openFromLink(store: SettingsStore, userId: string): Promise<string> {
  const at = partition(userId)
  const [link, session] = [mintToken('l', mintTag(at)), mintToken('s', mintTag(at))]
  await store.issueLink({ ref: link, content: contentOf(userId), ttlMs: 600_000, epochTtlMs: 4_200_000 })
  const attempt = randomBytes(16).toString('base64url')
  const { outcome } = await store.exchange({ link, session, attempt, state: 'active', limits })
  if (outcome !== 'opened') throw new Error('the store opened no session')
  return session.text
}
