import { UnavailableError } from '@countersign/core'
import { isUnavailable, systemClock } from '@countersign/core/gate-kit'
import { newAttempt, type PostgresRunner } from '@countersign/postgres/store'
import type { CredentialLife, IssueOutcome, McpCredentialStore, NewCredential, Replaced } from '../port.js'
import { lifeOf, subjectText } from './replies.js'

type Issued = readonly [
  outcome: 'issued',
  issuedAt: number,
  expiresAt: number,
  idleAt: number,
  absoluteAt: number | null,
  generation: number,
]
type IssueReply = Issued | readonly ['retired' | 'crowded' | 'taken']
type ConfirmReply = readonly ['done', string[], string[]] | readonly ['crowded']

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5000
/** What has ended a credential is remembered for so long at least, and its row for the retention. */
const REMEMBERED_MS = 86_400_000
/** Before that is forgotten, an issue stops to write its credential again. */
const FORGETTING_MARGIN_MS = 60_000
const NOTHING: Replaced = { superseded: [], carried: [] }
const running = () => systemClock.monotonic()

/**
 * Makes the `issue` of a store, in two steps, so that no lost answer cuts a holder off: the new credential first, which dies
 * by itself when nobody learns of it, and then, when it is acknowledged and accepted, what becomes of the others. Of the
 * second step an unknown outcome is `pending`, and tried until it is known.
 */
export function issueInTwoSteps(change: PostgresRunner['change'], maxPerThread: number): McpCredentialStore['issue'] {
  async function untilKnown(what: object, life: CredentialLife, issuedMs: number): Promise<Replaced> {
    const rememberedMs = Math.min(life.retentionMs, REMEMBERED_MS) - FORGETTING_MARGIN_MS
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
      if (running() - issuedMs > rememberedMs) return NOTHING
      try {
        // One that is held, its holder keeps: it counts, whatever the limit is.
        return (
          replacedFrom((await change('countersign_mcp_confirm', { ...what, most: null })) as ConfirmReply) ?? NOTHING
        )
      } catch (error) {
        if (!isUnavailable(error)) throw error
      }
    }
  }

  return async (credential, life, accept) => {
    const { id, digest, onExisting, overlapMs } = credential
    const issuedMs = running()
    const what = {
      ...lifeOf(life),
      id,
      digest: digest.toString('hex'),
      subject: subjectText(credential),
      most: maxPerThread,
      endsOthers: onExisting === 'supersede' && overlapMs === 0,
    }
    const reply = (await change('countersign_mcp_issue', what, { attempt: newAttempt() })) as IssueReply
    if (reply[0] !== 'issued') return refused(reply[0])
    await accept?.(issuedFrom(credential, reply, NOTHING).credential)
    const [, issuedAt, expiresAt, idleAt, absoluteAt, generation] = reply
    const confirmed = { ...what, onExisting, overlap: overlapMs, issuedAt, expiresAt, idleAt, absoluteAt, generation }
    try {
      const replaced = replacedFrom((await change('countersign_mcp_confirm', confirmed)) as ConfirmReply)
      // Others of this moment took the room that there was.
      return replaced === undefined ? refused('crowded') : issuedFrom(credential, reply, replaced)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      return { ...issuedFrom(credential, reply, NOTHING), pending: untilKnown(confirmed, life, issuedMs) }
    }
  }
}

/** Undefined when the thread has too many. */
function replacedFrom(reply: ConfirmReply): Replaced | undefined {
  return reply[0] === 'done' ? { superseded: reply[1], carried: reply[2] } : undefined
}

function refused(why: Exclude<IssueReply[0], 'issued'>): IssueOutcome {
  if (why === 'retired') return { outcome: 'retired' }
  if (why === 'crowded') return { outcome: 'full', limit: 'maxPerThread' }
  throw new UnavailableError('credential_store', 'the id of the credential is taken')
}

function issuedFrom(
  { id, threadId, providerInstanceId, providerSessionId, capabilities }: NewCredential,
  [, issuedAt, expiresAt, idleAt]: Issued,
  replaced: Replaced,
): Extract<IssueOutcome, { outcome: 'issued' }> {
  const subject = { threadId, providerInstanceId, providerSessionId, capabilities }
  return { outcome: 'issued', credential: { credentialId: id, ...subject, issuedAt, expiresAt, idleAt }, ...replaced }
}
