// Changes what its file stores hold as fast as it can, until it is killed. What was acknowledged is in the report.
import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createAudit } from '@countersign/core'
import { fileReplay, fileStores, fileUsage } from '@countersign/core/file'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { fileCredentials } from '@countersign/mcp-credential/file'
import { fileSessions } from '@countersign/settings-session/file'

const [, , folder = '', report = '', fsync = ''] = process.argv
const files = fileStores(folder, { fsync: fsync === 'always' ? 'always' : 'never' })
const replay = fileReplay(files)
const usage = fileUsage(files)
const sessions = fileSessions(files, { maxEntries: 1_000_000 })
const credentials = createMcpCredentials({ store: fileCredentials(files), audit: createAudit() })

const say = (...what: string[]) => appendFileSync(report, `${what.join(' ')}\n`)
const newRef = () => ({ tag: `0${randomBytes(12).toString('base64url')}`, hash: randomBytes(32).toString('base64url') })
const HOUR = 3_600_000
const limits = { idleMs: HOUR, absoluteMs: HOUR, maxSessions: 5 }
process.send?.({ ready: true })

for (;;) {
  const name = randomBytes(12).toString('hex')
  if ((await replay.claim(name, HOUR)) === 'fresh') say('claimed', name)
  await usage.add([{ caller: 'old', accepted: 1, refused: 0, lastSeenAt: Date.now() }])
  say('counted', 'old')

  const user = { platform: 'slack', userId: name }
  const [link, session] = [newRef(), newRef()]
  await sessions.issueLink({ ref: link, content: { user, kind: 'k' }, ttlMs: HOUR, epochTtlMs: 2 * HOUR })
  await sessions.exchange({ link, session, attempt: name, state: 'awaiting_identity', limits })
  const hash = randomBytes(32).toString('base64url')
  const identity = { issuer: 'https://id.example.com', subject: name }
  await sessions.claimIdentity({ session, newHash: hash, identity, mayEstablish: true })
  say('bound', name, session.tag, hash)
  await sessions.read({ tag: session.tag, hash })
  const { credentialId, token } = await credentials.issue({ threadId: name, providerInstanceId: 'p' })
  say('issued', name, token)
  // What may be ended and is not told yet is neither.
  if (name > '8') {
    say('ending', name)
    await sessions.revokeAll(user)
    await credentials.revoke(credentialId)
    say('ended', name)
  }
  await new Promise(setImmediate)
}
