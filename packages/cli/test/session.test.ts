import { createSettingsSessions, type SettingsSessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { freePort, RedisServer } from '../../../test/support/redis-server.js'
import { countersign, refuse, succeed, succeedJson } from './command.js'

let redisServer: RedisServer
let redis: Redis
let settings: SettingsSessions
let app: RunningServer
let env: Record<string, string>
let baseUrl: string
beforeAll(async () => {
  redisServer = await RedisServer.start()
  redis = new Redis(redisServer.url)
  env = { REDIS_URL: redisServer.url }
  const handler = express()
  app = await serve(handler)
  baseUrl = `http://localhost:${app.port}/settings`
  settings = createSettingsSessions({ baseUrl, store: redisSessions(redis), audit: recordedAudit().audit })
  handler.use('/settings', settings.routes())
}, 30_000)
afterAll(async () => {
  await app.close()
  redis.disconnect()
  await redisServer.stop()
})

/** Opens a link as a browser without script does: follows it, and confirms. */
async function open(link: string): Promise<number> {
  const cookies = new Map<string, string>()
  const browse = async (url: URL, init: RequestInit = {}) => {
    const cookie = Array.from(cookies, (pair) => pair.join('=')).join('; ')
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { accept: 'text/html', cookie, ...init.headers },
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    return response
  }
  const first = await browse(new URL(link))
  const page = new URL(first.headers.get('location') ?? '', link)
  const html = await (await browse(page)).text()
  const fields = Array.from(html.matchAll(/<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"/g), ([, ...pair]) => pair)
  const headers = { origin: page.origin, 'sec-fetch-site': 'same-origin' }
  const confirmed = await browse(page, { method: 'POST', headers, body: new URLSearchParams(fields) })
  return confirmed.status
}

test('[cli-real-stores] a printed link opens a session, which is listed and revoked', async () => {
  const words = ['session', 'link', 'demo', 'you', '--base-url', baseUrl, '--agent', 'agent-1']
  const link = (await succeed(words, { env })).trim()
  expect(link).toMatch(/^http:\/\/localhost:\d+\/settings\?s=l1\./)
  expect(await open(link)).toBe(303)
  const [listed] = await succeedJson<{ id: string }[]>(['session', 'list', 'demo', 'you'], { env })
  expect(listed).toMatchObject({ user: 'demo:you', agentId: 'agent-1', kind: 'settings' })
  expect(await succeed(['session', 'list', 'demo', 'you'], { env })).toMatch(
    /^session +kind +user +identity +created +seen +expires\n\S+ +settings +demo:you +- +\S+Z +\d+ s ago +in \d+ min\n$/,
  )
  const id = listed?.id as string
  expect(await succeed(['session', 'revoke', id], { env })).toBe(`revoked ${id}\n`)
  expect(await settings.list({ platform: 'demo', userId: 'you' })).toEqual([])
  await refuse(['session', 'revoke', id], 4, /there is no such session/, { env })
})

test('all sessions and links of a person are revoked, and of nobody else', async () => {
  const user = ['slack', 'U1', '--team', 'T1']
  const links = await Promise.all(
    [user, user, ['slack', 'U1', '--team', 'T2']].map(async (words) =>
      (await succeed(['session', 'link', ...words, '--base-url', baseUrl], { env })).trim(),
    ),
  )
  const [spent, unused, others] = links as [string, string, string]
  expect([await open(spent), await open(others)]).toEqual([303, 303])
  expect(await succeed(['session', 'revoke-all', ...user], { env })).toBe('revoked 1 session and every link\n')
  expect(await open(unused)).not.toBe(303)
  expect(await settings.list({ platform: 'slack', team: 'T2', userId: 'U1' })).toHaveLength(1)
  expect(await succeedJson(['session', 'revoke-all', ...user], { env })).toMatchObject({ revoked: 0 })
})

test('a link with digits prints them on stderr, and ids that start with "-" go after "--"', async () => {
  const words = ['session', 'link', '--base-url', baseUrl, '--confirm-code', '--', 'telegram', '-100123']
  const made = await countersign(words, { env })
  expect(made).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^The page asks for \d{6}\.\n$/) })
  expect(await open(made.stdout.trim())).not.toBe(303)
  const ended = await succeed(['session', 'revoke-all', '--json', '--', 'telegram', '-100123'], { env })
  expect(JSON.parse(ended)).toEqual({ platform: 'telegram', userId: '-100123', revoked: 0 })
})

test('[cli-bad-inputs] errors are reported in one line', async () => {
  const link = ['session', 'link', 'demo', 'you', '--base-url']
  await refuse([...link, 'https://app.example.com/settings'], 2, /for development only/, { env })
  await refuse([...link, baseUrl], 2, /for development only/, { env: { ...env, NODE_ENV: 'production' } })
  expect(await succeed([...link, 'http://127.0.0.2:3000/settings'], { env })).toMatch(/^http:\/\/127\.0\.0\.2:3000\//)
  await refuse([...link, 'nonsense'], 2, /"nonsense" is not a URL/, { env })
  await refuse([...link, baseUrl, '--return-to', 'https://evil.example.com/'], 2, /"returnTo" must be a path below/, {
    env,
  })
  await refuse(['session', 'revoke', 'nonsense'], 4, /there is no such session/, { env })
  await refuse(['session', 'list', 'demo'], 2, /missing required argument 'user-id'/, { env })
  await refuse(['session', 'list', 'demo', 'you'], 2, /REDIS_URL is not set/)
  const gone = { env: { REDIS_URL: `redis://127.0.0.1:${await freePort()}` } }
  await refuse(['session', 'revoke-all', 'demo', 'you'], 3, /Redis cannot be reached \(ECONNREFUSED\)/, gone)
})

test('the start of a session id is enough, when its person is named', async () => {
  const link = (await succeed(['session', 'link', 'demo', 'her', '--base-url', baseUrl], { env })).trim()
  await open(link)
  const [session] = await settings.list({ platform: 'demo', userId: 'her' })
  const start = session?.id.slice(0, 6) ?? ''
  await refuse(['session', 'revoke', start, 'demo', 'him'], 4, /there is no such session/, { env })
  await refuse(['session', 'revoke', start], 4, /or the id is wrong or incomplete/, { env })
  await refuse(['session', 'revoke', start, 'demo'], 2, /name the person by platform and user id/, { env })
  expect(await succeed(['session', 'revoke', start, 'demo', 'her'], { env })).toBe(`revoked ${session?.id}\n`)
  expect(await settings.list({ platform: 'demo', userId: 'her' })).toEqual([])
})
