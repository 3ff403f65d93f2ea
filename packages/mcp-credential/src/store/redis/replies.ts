import { timingSafeEqual } from 'node:crypto'
import type { CredentialRecord, FoundCredential, Standing, WrongSecret } from '../port.js'
import { IS_NOT_PLAIN } from './decide-script.js'
import { EPOCHS_AT, WIDTH } from './lua.js'

/**
 * `[standing, digest in hex, t, p, s, c, i, expires, idle]`, and now of one that is expired or idle, or of a live one an
 * empty text and its aliases: until when they stay, and their ids.
 */
export type FoundReply = [Standing, string, string, string, string, string, string, string, string, string?, string?]

/** Of a secret that is not the credential's. */
export type WrongReply = ['wrong']

const WRONG: WrongReply = ['wrong']

/** The lines of the resolve script's answer. */
export function linesOf(answer: unknown): null | WrongReply | ['alias', string] | FoundReply {
  if (answer === null) return null
  // A client with stringNumbers gives a text.
  if (answer === 1 || answer === '1') return WRONG
  return String(answer).split('\n') as ['alias', string] | FoundReply
}

/** What the resolve script found for a secret; it is compared once more, in constant time. */
export function provenFrom(
  reply: FoundReply | WrongReply | null,
  holder: string,
  digest: Buffer,
): FoundCredential | WrongSecret | undefined {
  if (reply === null) return undefined
  if (reply[0] === 'wrong') return { isProven: false }
  const stored = Buffer.from(reply[1], 'hex')
  return { ...foundFrom(reply, holder), isProven: stored.length === digest.length && timingSafeEqual(stored, digest) }
}

/** What the resolve script found, without a secret. */
export function foundFrom(reply: FoundReply, holder: string): FoundCredential {
  const [standing, , , , , , , expiresAt, idleAt, now] = reply
  const found = { standing, isProven: false, credential: recordFrom(reply, holder) }
  return now === undefined || now === ''
    ? found
    : { ...found, lateMs: Number(now) - Number(standing === 'expired' ? expiresAt : idleAt) }
}

/** Most credentials have one of few lists; to parse it costs more than all else in an answer. */
function capabilitiesFrom(text: string): readonly string[] {
  let known = lists.get(text)
  if (known === undefined) {
    known = Object.freeze(JSON.parse(text) as string[])
    if (lists.size === MOST_LISTS) lists.clear()
    lists.set(text, known)
  }
  return known
}

const MOST_LISTS = 1000
const lists = new Map<string, readonly string[]>()

/** The credential in an answer. */
export function recordFrom(reply: FoundReply, id: string): CredentialRecord {
  const [, , threadId, providerInstanceId, session, capabilities, issuedAt, expiresAt, idleAt] = reply
  return {
    credentialId: id,
    threadId,
    providerInstanceId,
    providerSessionId: session === '' ? undefined : session,
    capabilities: capabilitiesFrom(capabilities),
    issuedAt: Number(issuedAt),
    expiresAt: Number(expiresAt),
    idleAt: Number(idleAt),
  }
}

/** Whether the decide script has decided. A client with stringNumbers gives texts. */
export function isPlain(answer: unknown): answer is string | 1 | null {
  return answer !== IS_NOT_PLAIN && answer !== String(IS_NOT_PLAIN)
}

/** What the decide script found: a live credential is its packed record. */
export function plainFrom(answer: string | 1 | null, id: string): FoundCredential | WrongSecret | undefined {
  if (answer === null) return undefined
  if (answer === 1 || answer === '1') return { isProven: false }
  const number = (index: number) => Number(answer.slice(index * WIDTH, (index + 1) * WIDTH))
  const [, threadId = '', providerInstanceId = '', session, capabilities = ''] = answer.slice(EPOCHS_AT - 1).split('\n')
  return {
    standing: 'live',
    isProven: true,
    credential: {
      credentialId: id,
      threadId,
      providerInstanceId,
      providerSessionId: session === '' ? undefined : session,
      capabilities: capabilitiesFrom(capabilities),
      issuedAt: number(2),
      expiresAt: number(0),
      idleAt: number(1),
    },
  }
}
