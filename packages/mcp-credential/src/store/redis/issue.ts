import { randomBytes } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import { isUnavailable, systemClock } from '@countersign/core/gate-kit'
import type { ScriptRunner } from '@countersign/redis/store'
import { addressOf } from '../../token.js'
import type { AcceptIssue, CredentialLife, IssueOutcome, McpCredentialStore, NewCredential, Replaced } from '../port.js'
import { confirmScript, issueScript } from './issue-script.js'
import type { KeyLayout } from './keys.js'
import type { Lister } from './list.js'

/** What {@link createIssuer} needs. */
export interface IssuerParts {
  readonly change: ScriptRunner['change']
  readonly layout: KeyLayout
  readonly maxPerThread: number
  /** On which it is told what was superseded. */
  readonly channel: string
  readonly lister: Lister
}

type IssueReply = Issued | ['retired' | 'crowded' | 'ended' | 'taken']
/** When, until when, and idle from when; its epochs and its generation. */
type Issued = ['issued', string, string, string, string, string]
type ConfirmReply = ['done', string[], string[]] | ['gone' | 'again' | 'crowded']

/** An issue whose first step was acknowledged. */
interface Issue {
  readonly credential: NewCredential
  readonly life: CredentialLife
  readonly issued: Issued
  /** When it was asked for, on the running clock. */
  readonly issuedMs: number
}

const running = () => systemClock.monotonic()
/** Before what a revocation leaves is forgotten, an issue stops to write its credential again. */
const FORGETTING_MARGIN_MS = 60_000

/** Old tokens that one issue may read: each is two keys of the script. */
const MAX_READ = 100
const NOT_READ = { generation: '', ids: [] as string[] }
const MOST_ROUNDS = 10
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5000
const NOTHING: Replaced = { superseded: [], carried: [] }

/**
 * Makes the `issue` of a store, in two steps, so that no late reply cuts a holder off: the new credential first, which dies
 * by itself when nobody learns of it, and then, when it is acknowledged and accepted, what becomes of the others. Of the
 * second step an unknown outcome is `pending`, and tried until it is known.
 */
export function createIssuer({
  change,
  layout,
  maxPerThread,
  channel,
  lister,
}: IssuerParts): McpCredentialStore['issue'] {
  async function write(credential: NewCredential, life: CredentialLife, before?: Issued): Promise<IssueReply> {
    const { id, onExisting, overlapMs, threadId, providerInstanceId, providerSessionId = '' } = credential
    const { thread, provider, session } = addressOf(id)
    const keys = layout.of(thread)
    const names = [
      keys.record(id),
      keys.thread(thread),
      keys.provider(provider),
      keys.session(session),
      keys.all,
      keys.retired(thread),
      keys.names,
      keys.deadlines,
    ]
    const subject = [threadId, providerInstanceId, providerSessionId, JSON.stringify(credential.capabilities)]
    const { idleTimeoutMs, coalesceMs, maximumLifetimeMs, absoluteLifetimeMs = '', retentionMs } = life
    const args = [
      id,
      credential.digest.toString('hex'),
      ...subject,
      thread,
      provider,
      randomBytes(12).toString('base64url'),
      onExisting === 'supersede' && overlapMs === 0 ? 1 : 0,
      idleTimeoutMs,
      coalesceMs,
      maximumLifetimeMs,
      absoluteLifetimeMs,
      retentionMs,
      maxPerThread,
      before?.[4] ?? '',
      before?.[5] ?? '',
    ]
    return (await change(issueScript, keys.tag, names, args)) as IssueReply
  }

  /** Makes room, once, when the thread has too many. */
  async function writeWithRoom(credential: NewCredential, life: CredentialLife): Promise<IssueReply> {
    const reply = await write(credential, life)
    if (reply[0] !== 'crowded') return reply
    await lister.prune(addressOf(credential.id).thread, life)
    return write(credential, life)
  }

  /** Undefined when the thread has too many. One that is held, its holder keeps: it counts, whatever the limit is. */
  async function confirm(issue: Issue, isHeld: boolean): Promise<Replaced | undefined> {
    const { credential, life, issued, issuedMs } = issue
    const { id, onExisting, overlapMs } = credential
    const { thread, provider, session } = addressOf(id)
    const keys = layout.of(thread)
    const names = [
      keys.record(id),
      keys.thread(thread),
      keys.provider(provider),
      keys.session(session),
      keys.all,
      keys.names,
      keys.deadlines,
    ]
    let readsOld = onExisting === 'carry'
    let isPruned = false
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const { generation, ids } = readsOld ? await lister.ofProvider(thread, provider) : NOT_READ
      const old = ids.filter((one) => one !== id).slice(-MAX_READ)
      const pairs = old.flatMap((one) => [keys.record(one), keys.session(addressOf(one).session)])
      const { maximumLifetimeMs, retentionMs, slidesOnTouch } = life
      const terms = [
        maximumLifetimeMs,
        retentionMs,
        overlapMs,
        slidesOnTouch ? 1 : 0,
        isHeld ? '' : maxPerThread,
        channel,
      ]
      const args = [id, thread, provider, onExisting, generation, ...terms, ...old]
      const reply = (await change(confirmScript, keys.tag, [...names, ...pairs], args)) as ConfirmReply
      if (reply[0] === 'done') return { superseded: reply[1], carried: reply[2] }
      if (reply[0] === 'again') {
        readsOld = true
      } else if (reply[0] === 'crowded') {
        if (isPruned) return undefined
        isPruned = true
        await lister.prune(thread, life)
      } else {
        // An outage was longer than its probation. Its holder has it, so it is written again, unless it was ended meanwhile.
        // For as long as that is known: what a revocation leaves is forgotten after the retention.
        if (running() - issuedMs > life.retentionMs - FORGETTING_MARGIN_MS) return NOTHING
        if ((await write(credential, life, issued))[0] !== 'issued') return NOTHING
      }
    }
    throw new UnavailableError('credential_store', 'other processes issued for the thread again and again')
  }

  async function untilKnown(issue: Issue): Promise<Replaced> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
      try {
        return (await confirm(issue, true)) ?? NOTHING
      } catch (error) {
        if (!isUnavailable(error)) throw error
      }
    }
  }

  return async function issue(
    credential: NewCredential,
    life: CredentialLife,
    accept?: AcceptIssue,
  ): Promise<IssueOutcome> {
    const issuedMs = running()
    const reply = await writeWithRoom(credential, life)
    if (reply[0] !== 'issued') return refused(reply[0])
    const acknowledged = { credential, life, issued: reply, issuedMs }
    await accept?.(issuedFrom(credential, reply, NOTHING).credential)
    try {
      const replaced = await confirm(acknowledged, false)
      if (replaced !== undefined) return issuedFrom(credential, reply, replaced)
      // Others of this moment took the room that there was.
      return refused('crowded')
    } catch (error) {
      if (!isUnavailable(error)) throw error
      return { ...issuedFrom(credential, reply, NOTHING), pending: untilKnown(acknowledged) }
    }
  }
}

function refused(why: Exclude<IssueReply[0], 'issued'>): IssueOutcome {
  if (why === 'retired') return { outcome: 'retired' }
  if (why === 'crowded') return { outcome: 'full', limit: 'maxPerThread' }
  throw new UnavailableError('credential_store', 'the id of the credential is taken')
}

function issuedFrom(
  credential: NewCredential,
  [, issuedAt, expiresAt, idleAt]: Issued,
  { superseded, carried }: Replaced,
): Extract<IssueOutcome, { outcome: 'issued' }> {
  return {
    outcome: 'issued',
    credential: {
      credentialId: credential.id,
      threadId: credential.threadId,
      providerInstanceId: credential.providerInstanceId,
      providerSessionId: credential.providerSessionId,
      capabilities: credential.capabilities,
      issuedAt: Number(issuedAt),
      expiresAt: Number(expiresAt),
      idleAt: Number(idleAt),
    },
    superseded,
    carried,
  }
}
