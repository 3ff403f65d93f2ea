import { timingSafeEqual } from 'node:crypto'
import type { CredentialRecord, FoundCredential, Standing } from '../port.js'

/**
 * `[standing, digest in hex, t, p, s, c, i, expires, idle]`, and now of one that is expired or idle, or of a live one an
 * empty text and its aliases: until when they stay, and their ids.
 */
export type FoundReply = [Standing, string, string, string, string, string, string, string, string, string?, string?]

/** The lines of the resolve script's answer. */
export function linesOf(answer: unknown): null | ['alias', string] | FoundReply {
  return answer === null ? null : (String(answer).split('\n') as ['alias', string] | FoundReply)
}

const DUMMY = Buffer.alloc(32)

/** What the resolve script found. The secret is compared in constant time, also when there is nothing to compare. */
export function foundFrom(
  reply: FoundReply | null,
  holder: string,
  digest: Buffer | undefined,
): FoundCredential | undefined {
  const stored = reply === null ? DUMMY : Buffer.from(reply[1], 'hex')
  const isEqual = digest !== undefined && stored.length === 32 && timingSafeEqual(stored, digest)
  if (reply === null) return undefined
  const [standing, , , , , , , expiresAt, idleAt, now] = reply
  const found = { standing, isProven: isEqual, credential: recordFrom(reply, holder) }
  return now === undefined || now === ''
    ? found
    : { ...found, lateMs: Number(now) - Number(standing === 'expired' ? expiresAt : idleAt) }
}

/** The credential in an answer. */
export function recordFrom(reply: FoundReply, id: string): CredentialRecord {
  const [, , threadId, providerInstanceId, session, capabilities, issuedAt, expiresAt, idleAt] = reply
  return {
    credentialId: id,
    threadId,
    providerInstanceId,
    providerSessionId: session === '' ? undefined : session,
    capabilities: Object.freeze(JSON.parse(capabilities) as string[]),
    issuedAt: Number(issuedAt),
    expiresAt: Number(expiresAt),
    idleAt: Number(idleAt),
  }
}
