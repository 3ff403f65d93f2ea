import { randomBytes } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import type { ScriptRunner } from '@countersign/redis'
import { addressOf } from '../../token.js'
import type { CredentialLife, IssueOutcome, NewCredential } from '../port.js'
import { issueScript } from './issue-script.js'
import type { KeyLayout } from './keys.js'
import type { Lister } from './list.js'

/** What {@link createIssuer} needs. */
export interface IssuerParts {
  readonly run: ScriptRunner['run']
  readonly layout: KeyLayout
  readonly maxPerThread: number
  readonly lister: Lister
}

type IssueReply = ['issued', string, string, string, string[], string[]] | ['retired' | 'crowded' | 'again' | 'taken']

/** Old tokens that one issue may carry: each is two keys of the script. */
const MAX_CARRIED = 100
const MOST_ROUNDS = 10

/** Makes the `issue` of a store: tries again when another process issued for the thread meanwhile. */
export function createIssuer({
  run,
  layout,
  maxPerThread,
  lister,
}: IssuerParts): (credential: NewCredential, life: CredentialLife) => Promise<IssueOutcome> {
  async function attempt(credential: NewCredential, life: CredentialLife): Promise<IssueReply> {
    const { thread, provider } = addressOf(credential.id)
    if (credential.onExisting !== 'carry') return send(credential, life, '', [])
    const { generation, ids } = await lister.ofProvider(thread, provider)
    return send(credential, life, generation, ids.slice(-MAX_CARRIED))
  }

  async function send(
    credential: NewCredential,
    life: CredentialLife,
    generation: string,
    old: readonly string[],
  ): Promise<IssueReply> {
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
      ...old.flatMap((one) => [keys.record(one), keys.session(addressOf(one).session)]),
    ]
    const subject = [threadId, providerInstanceId, providerSessionId, JSON.stringify(credential.capabilities)]
    const { idleTimeoutMs, coalesceMs, maximumLifetimeMs, absoluteLifetimeMs = '', retentionMs, slidesOnTouch } = life
    return (await run(issueScript, keys.tag, names, [
      id,
      credential.digest.toString('hex'),
      ...subject,
      thread,
      provider,
      randomBytes(12).toString('base64url'),
      onExisting,
      generation,
      idleTimeoutMs,
      coalesceMs,
      maximumLifetimeMs,
      absoluteLifetimeMs,
      retentionMs,
      overlapMs,
      maxPerThread,
      slidesOnTouch ? 1 : 0,
      ...old,
    ])) as IssueReply
  }

  return async function issue(credential: NewCredential, life: CredentialLife): Promise<IssueOutcome> {
    let isPruned = false
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const reply = await attempt(credential, life)
      if (reply[0] === 'issued') return issuedFrom(credential, reply)
      if (reply[0] === 'retired') return { outcome: 'retired' }
      if (reply[0] === 'taken') break
      if (reply[0] === 'crowded') {
        if (isPruned) return { outcome: 'full', limit: 'maxPerThread' }
        await lister.prune(addressOf(credential.id).thread, life)
        isPruned = true
      }
    }
    throw new UnavailableError('credential_store', 'other processes issued for the thread again and again')
  }
}

function issuedFrom(credential: NewCredential, reply: Extract<IssueReply, ['issued', ...unknown[]]>): IssueOutcome {
  const [, issuedAt, expiresAt, idleAt, superseded, carried] = reply
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
