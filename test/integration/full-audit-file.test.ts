import { symlinkSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonl } from '@countersign/audit/jsonl'
import { createAudit } from '@countersign/core'
import { memorySecrets } from '@countersign/hmac'
import { createMcpCredentials, memoryCredentials } from '@countersign/mcp-credential'
import { createSettingsSessions } from '@countersign/settings-session'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { UNRECORDED } from '../support/required-audit.js'

const USER = { platform: 'telegram', userId: 'u1' }
const AGENT = { threadId: 't1', providerInstanceId: 'p1', capabilities: [] }
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const IDENTITY = { issuer: 'https://login.example.com', subject: 's1' }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'full-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** All that keeps state, on one emitter whose file is required. */
function world() {
  const path = join(folder, 'audit.jsonl')
  const audit = createAudit()
  audit.subscribe(jsonl(path), { required: true })
  const secrets = memorySecrets([], { audit })
  const credentials = createMcpCredentials({ audit, store: memoryCredentials() })
  const settings = createSettingsSessions({ baseUrl: 'http://127.0.0.1:1/settings', audit })
  return { path, audit, secrets, credentials, settings }
}

test('a required audit file on a full disk lets nothing be granted, and everything be taken away', async () => {
  const { path, audit, secrets, credentials, settings } = world()
  const kept = await credentials.issue(AGENT)
  await secrets.insert({ caller: 'scheduler', version: 1, secret: SECRET })
  expect(await settings.rebind(USER, IDENTITY)).toBe('bound')
  await audit.flush()
  const types = (await readFile(path, 'utf8')).trimEnd().split('\n')
  expect(types.map((line) => JSON.parse(line).type)).toEqual([
    'mcp.credential.issued',
    'hmac.secret.added',
    'settings.identity.claimed',
    'settings.session.revoked',
  ])
  // Every write to it fails as one to a full disk does.
  await rm(path)
  symlinkSync('/dev/full', path)
  await expect(credentials.issue(AGENT)).rejects.toMatchObject(UNRECORDED)
  await expect((async () => secrets.rotate('scheduler'))()).rejects.toMatchObject(UNRECORDED)
  await expect(settings.issueLink(USER)).rejects.toMatchObject(UNRECORDED)
  expect((await credentials.resolve(kept.token)).standing).toBe('live')
  expect(secrets.versions('scheduler').map(({ revokedAt }) => revokedAt === undefined)).toEqual([false, true])
  expect(await kept.revoke()).toBe(true)
  expect(secrets.revoke('scheduler', 1)).toBe(true)
  expect(await settings.unlink(USER)).toBe(true)
  // There is room again.
  await rm(path)
  const issued = await credentials.issue(AGENT)
  expect((await credentials.resolve(issued.token)).standing).toBe('live')
  await audit.close()
  expect(await readFile(path, 'utf8')).toContain(issued.credentialId)
})
