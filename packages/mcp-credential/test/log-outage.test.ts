import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMcpCredentials, memoryCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { messageFrom } from '../../../test/support/child-messages.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { serve } from '../../../test/support/http-server.js'
import { agent, send } from './harness.js'

let folder: string
let file: string
let child: ChildProcess | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-log-'))
  file = join(folder, 'credentials')
})
afterEach(() => {
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const OUTAGE = { code: 'ERR_COUNTERSIGN_UNAVAILABLE', dependency: 'credential_store' }

test('a full disk is an outage: 503, nothing issued, nothing let in, and all is well when there is room again', async () => {
  const app = fork(fileURLToPath(new URL('support/log-process.ts', import.meta.url)), [file], {
    execArgv: ['--conditions=dev-source', '--import', 'tsx'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  child = app
  const port = await messageFrom(app, ({ port }) => port as number | undefined)
  const ask = async (message: object) => {
    app.send(message)
    return messageFrom(app, ({ answer }) => answer as { id: string; header: string; code?: string })
  }
  const status = async (header: string) => (await send(port, { authorization: header })).status
  const until = async (header: string, wanted: number) => {
    const seen = new Set<number>()
    const deadline = performance.now() + 60_000
    while (!seen.has(wanted) && performance.now() < deadline) seen.add(await status(header))
    return [...seen]
  }
  const used = await ask({ issue: 't1' })
  const ended = await ask({ issue: 't2' })
  expect([await status(used.header), await status(ended.header)]).toEqual([200, 200])

  await ask({ room: statSync(file).size + 20 })
  expect(await ask({ issue: 't3' })).toEqual({ code: OUTAGE.code })
  // Let in until its deadline is to be moved, and never refused.
  const seen = await until(used.header, 503)
  expect(seen.filter((status) => status !== 200)).toEqual([503])
  expect(await ask({ revoke: ended.id })).toEqual({ code: OUTAGE.code })
  expect(await status(ended.header)).toBe(401)

  await ask({ room: 'unlimited' })
  expect(await until(used.header, 200)).toEqual([200])
  expect(await ask({ revoke: ended.id })).toEqual({ revoked: true })
  expect(await ask({ revoke: ended.id })).toEqual({ revoked: false })
  const after = await ask({ issue: 't4' })
  expect(await status(after.header)).toBe(200)
  const gone = once(app, 'exit')
  app.kill('SIGKILL')
  await gone

  const store = memoryCredentials({ file })
  const credentials = createMcpCredentials({ store, audit: recordedAudit().audit })
  const standing = ({ id }: { id: string }) => (credentials.check(id) as { standing: string }).standing
  expect([standing(used), standing(ended), standing(after)]).toEqual(['live', 'revoked', 'live'])
  expect(await credentials.stats()).toEqual({ credentials: 2 })
  await credentials.close()
}, 120_000)

test('a log that was removed is an outage: a revocation counts and is reported, everything else is 503', async () => {
  const { audit, events } = recordedAudit()
  const clock = fakeClock()
  const store = memoryCredentials({ clock, file })
  const credentials = createMcpCredentials({ store, audit })
  const gate = requireMcpCredential({ credentials, audit, clock, bindSessions: false })
  const server = await serve(express().use(gate, (_request, response) => void response.json({})))
  const issued = await credentials.issue(agent)
  const other = await credentials.issue({ ...agent, threadId: 't2' })
  rmSync(folder, { recursive: true })
  await expect(issued.revoke()).rejects.toMatchObject(OUTAGE)
  await expect(credentials.issue({ ...agent, threadId: 't3' })).rejects.toMatchObject(OUTAGE)
  await expect(credentials.touch('t2')).rejects.toMatchObject(OUTAGE)
  await expect(credentials.list()).rejects.toMatchObject(OUTAGE)
  store.tick()
  for (const { authorizationHeader: authorization } of [issued, other]) {
    expect((await send(server.port, { authorization })).status).toBe(503)
    expect(events.at(-1)).toMatchObject({ type: 'access.unavailable', reason: 'credential_store' })
  }
  await server.close()
  await credentials.close()
})

test('a credential that a required sink did not record is revoked in the log, too', async () => {
  const { audit } = recordedAudit()
  audit.subscribe(
    () => {
      throw new Error('the sink is down')
    },
    { required: true },
  )
  const credentials = createMcpCredentials({ store: memoryCredentials({ file }), audit })
  await expect(credentials.issue(agent)).rejects.toMatchObject({ dependency: 'audit_sink' })
  await credentials.close()
  const again = createMcpCredentials({ store: memoryCredentials({ file }), audit: recordedAudit().audit })
  expect(await again.stats()).toEqual({ credentials: 0 })
  await again.close()
})

test('a start without a usable file fails, and says why', async () => {
  expect(() => memoryCredentials({ fsync: 'always' })).toThrow(/fsync applies to a file, and there is no file/)
  expect(() => memoryCredentials({ file: join(folder, 'none', 'credentials') })).toThrow(
    expect.objectContaining({ ...OUTAGE, message: expect.stringContaining('ENOENT') }),
  )
  // Nobody may write there, the superuser included.
  expect(() => memoryCredentials({ file: '/sys/credentials' })).toThrow(expect.objectContaining(OUTAGE))
  // A snapshot of an earlier build.
  writeFileSync(file, '{"format":"countersign-mcp-credentials","version":1,"entries":0,"retired":[]}\n')
  expect(() => memoryCredentials({ file })).toThrow(
    expect.objectContaining({ code: 'ERR_COUNTERSIGN_LOG_INVALID', message: expect.stringContaining('has no head') }),
  )
  expect(readFileSync(file, 'utf8')).toMatch(/^{"format":/)
  expect(readdirSync(folder)).not.toContain('credentials.lock')
  const first = memoryCredentials({ file: join(folder, 'other') })
  expect(() => memoryCredentials({ file: join(folder, 'other') })).toThrow(
    expect.objectContaining({ code: 'ERR_COUNTERSIGN_LOG_IN_USE' }),
  )
  await first.close?.()
})
