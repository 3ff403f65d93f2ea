import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEvent } from '@countersign/core'
import {
  createSettingsSessions,
  memorySessions,
  requireSettingsSession,
  type SettingsSessions,
  type SettingsSessionsOptions,
} from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'
import { Redis } from 'ioredis'
import { Provider } from 'oidc-provider'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { NginxServer } from '../../../test/support/nginx-server.js'
import { freePort, RedisServer } from '../../../test/support/redis-server.js'
import { checkSettings } from '../src/doctor/settings/check-settings.js'
import { countersign, refuse } from './command.js'

/** The beginning of a link, a session or a sign-in. */
const TOKEN = /[lst]1\.[\w-]{10}/
const SECRET = 'settings-client-secret-of-the-tests'

let folder: string
let redisServer: RedisServer
let redis: Redis
let upstream: RunningServer
let nginx: NginxServer
let providerServer: RunningServer
let issuer: string
let handler: Express
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  redisServer = await RedisServer.start('--appendonly', 'yes')
  redis = new Redis(redisServer.url)
  upstream = await serve((request, response) => handler(request, response))
  // Each takes its prefix off and rewrites Host; what else it does is its name.
  const location = (name: string, more = '', path = '/') =>
    `location /${name}/ { proxy_pass ${upstream.url}${path}; proxy_set_header Host internal.example.net; ${more} }`
  nginx = await NginxServer.start(
    [
      location('good'),
      location('elsewhere', '', '/somewhere-else/'),
      location('query', 'rewrite ^/query(/.*)$ $1? break;', ''),
      location('no-cookie', 'proxy_set_header Cookie "";'),
      location('cookie-path', 'proxy_cookie_path / /cookie-path/;'),
      location('cookie-flags', 'proxy_cookie_flags ~ nosecure nohttponly nosamesite;'),
      location('cookie-hidden', 'proxy_hide_header Set-Cookie;'),
      location('no-post', 'limit_except GET { deny all; }'),
      location('redirect', 'proxy_redirect / /redirect/;'),
      location('no-options', 'if ($request_method = OPTIONS) { return 405; }'),
    ].join('\n'),
  )
  const pathsOfProvider = express()
  providerServer = await serve(pathsOfProvider)
  // Its metadata is not at the root of its host, as with providers that serve many.
  issuer = `${providerServer.url}/realms/one`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'settings',
        client_secret: SECRET,
        redirect_uris: [`http://127.0.0.1:${nginx.port}/good/settings/oauth/callback`],
      },
    ],
  })
  pathsOfProvider.use('/realms/one', provider.callback())
}, 60_000)
afterAll(async () => {
  await nginx?.stop()
  await Promise.all([upstream, providerServer].map((server) => server?.close()))
  redis?.disconnect()
  await redisServer?.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Setup extends Partial<SettingsSessionsOptions> {
  /** The location of nginx. */
  readonly through?: string
  readonly mount?: (app: Express, settings: SettingsSessions) => unknown
}

const gated = (settings: SettingsSessions) => requireSettingsSession({ settings, audit: recordedAudit().audit })
const wellMounted = (app: Express, settings: SettingsSessions, ...first: RequestHandler[]) =>
  app.use('/settings', ...first, settings.routes(), gated(settings))

/** Serves an app behind nginx. What `called` holds are functions of the app, which `doctor` must not reach. */
function serveSettings({ through = 'good', mount = wellMounted, ...options }: Setup = {}) {
  const url = `http://127.0.0.1:${nginx.port}/${through}/settings`
  const { audit, events } = recordedAudit()
  const called: string[] = []
  const settings = createSettingsSessions({
    baseUrl: url,
    store: redisSessions(redis),
    audit,
    onOpen: () => void called.push('onOpen'),
    onNotMe: () => called.push('onNotMe'),
    ...options,
  })
  handler = express()
  mount(handler, settings)
  handler.use('/settings', (_request, response) => {
    called.push('page')
    response.send('a page')
  })
  return { url, events, called }
}

const oauth = (more: object = {}) => ({
  issuer,
  clientId: 'settings',
  clientSecret: SECRET,
  ...more,
})
const withProvider = (more?: object) => ({ oauth: oauth(more), firstClaim: 'trust-link' as const })

interface Found {
  readonly id: string
  readonly status: string
  readonly detail: string
}

async function doctor(url: string, words: readonly string[] = [], more: Record<string, string> = {}) {
  const env = { REDIS_URL: redisServer.url, ...more }
  const result = await countersign(['doctor', '--json', '--settings', url, ...words], { env })
  expect(result.stderr).toBe('')
  const { ok, checks } = JSON.parse(result.stdout) as { ok: boolean; checks: readonly Found[] }
  expect(result.exitCode).toBe(ok ? 0 : 1)
  expect(result.stdout).not.toMatch(TOKEN)
  const ids = (wanted: string) =>
    checks.filter(({ id, status }) => /^(settings-(?!oauth)|redis-)/.test(id) && status === wanted).map(({ id }) => id)
  const detailOf = (wanted: string) => checks.find(({ id, status }) => id === wanted && status !== 'pass')?.detail
  return { failed: ids('fail'), passed: ids('pass'), skipped: ids('skip'), detailOf }
}

/** The one check of a set-up that fails, and what it says. Without a process, which takes most of the time. */
async function faultOf(setup: Setup) {
  const { url, called } = serveSettings(setup)
  const context = {
    env: { REDIS_URL: redisServer.url },
    audit: recordedAudit().audit,
    signal: AbortSignal.timeout(60_000),
  }
  const checks = await checkSettings(context, new URL(url), {})
  const failed = checks.filter(({ status }) => status === 'fail')
  expect([failed.length, called.filter((name) => name !== 'page')]).toEqual([1, []])
  expect(JSON.stringify(checks)).not.toMatch(TOKEN)
  return `${failed[0]?.id}: ${failed[0]?.detail}`
}

const WELL = ['settings-mount', 'settings-store', 'settings-cookies', 'settings-host', 'settings-order']

describe('doctor --settings, behind an nginx that rewrites Host and takes a prefix off', () => {
  test('passes an app and its provider, calls nothing of the app, and leaves nothing that lives', async () => {
    await redis.flushall()
    const file = join(folder, 'audit.jsonl')
    const { url, events, called } = serveSettings(withProvider())
    const { failed, passed } = await doctor(url, [], { COUNTERSIGN_AUDIT_JSONL: file })
    expect({ failed, called }).toEqual({ failed: [], called: [] })
    expect(passed).toEqual(expect.arrayContaining([...WELL, 'settings-provider', 'redis-settings']))
    const recorded = readFileSync(file, 'utf8').trim().split('\n')
    const own = recorded.map((line) => JSON.parse(line) as AuditEvent)
    expect(own.map(({ type, principal }) => [type, principal?.id.split(':')[0]])).toEqual([
      ['settings.link.issued', 'countersign-doctor'],
      ['settings.link.delivered', undefined],
      ['settings.session.revoked', 'countersign-doctor'],
    ])
    expect(events.every(({ http }) => http?.userAgent === 'countersign-doctor')).toBe(true)
    expect(events.map(({ severity }) => severity)).not.toContain('critical')
    // Epoch and index are gone, so no link and no session of the person can be used; what is left ends by itself.
    const keys = await redis.keys('*')
    expect(keys.filter((key) => /:[exu]:/.test(key))).toEqual([])
    for (const key of keys) expect([key, await redis.pttl(key)]).not.toEqual([key, -1])
  })

  test('does not use the link up where no provider keeps it from opening the settings', async () => {
    const { url, called, events } = serveSettings()
    const { failed, passed, skipped } = await doctor(`${url}/`)
    expect({ failed, skipped, called }).toEqual({ failed: [], skipped: ['settings-provider'], called: [] })
    expect(passed).toEqual(expect.arrayContaining(WELL))
    expect(events.map(({ type }) => type)).not.toContain('settings.session.opened')
  })

  test('mount: finds another path, a baseUrl without the prefix, and requests that do not arrive', async () => {
    expect(await faultOf({ through: 'elsewhere' })).toMatch(/^settings-mount: there is nothing at .*\(404\)$/)
    const baseUrl = `http://127.0.0.1:${nginx.port}/settings`
    expect(await faultOf({ baseUrl })).toMatch(/^settings-mount: a link received .* leads on to \/settings\/open$/)
    expect(await faultOf({ baseUrl, through: 'redirect' })).toMatch(
      /^settings-mount: the form .* leads to \/settings\/open/,
    )
    expect(await faultOf({ through: 'query' })).toMatch(/^settings-mount: .* the query was lost$/)
    expect(await faultOf({ through: 'no-post' })).toMatch(/^settings-mount: the form .* got 403$/)
  })

  test('order: finds the gate before the routes, pages before the gate, and a parser that eats forms', async () => {
    const gateFirst: Setup['mount'] = (app, settings) => app.use('/settings', gated(settings), settings.routes())
    expect(await faultOf({ mount: gateFirst })).toMatch(/^settings-order: the gate refuses a link \(400\)/)
    const noGate: Setup['mount'] = (app, settings) => app.use('/settings', settings.routes())
    expect(await faultOf({ mount: noGate })).toMatch(/^settings-order: an unused page .* got 200/)
    const raw: Setup['mount'] = (app, settings) => wellMounted(app, settings, express.raw({ type: '*/*' }))
    expect(await faultOf({ mount: raw })).toMatch(/^settings-order: the app does not get the form/)
    const parsed: Setup['mount'] = (app, settings) => wellMounted(app, settings, express.urlencoded())
    const { url } = serveSettings({ mount: parsed })
    expect((await doctor(url)).failed).toEqual([])
  })

  test('Host: finds a baseUrl of another origin', async () => {
    const baseUrl = `http://localhost:${nginx.port}/good/settings`
    expect(await faultOf({ baseUrl })).toMatch(
      /^settings-host: the app does not accept http:\/\/127\.0\.0\.1:\d+ as its own origin/,
    )
  })

  test('cookies: finds a proxy that moves them, strips them, or keeps them back', async () => {
    expect(await faultOf({ through: 'cookie-path' })).toMatch(/^settings-cookies: .*: Path=\/cookie-path\/$/)
    expect(await faultOf({ through: 'cookie-flags' })).toMatch(
      /^settings-cookies: .*: no Secure, no HttpOnly, SameSite=$/,
    )
    expect(await faultOf({ through: 'cookie-hidden' })).toMatch(/^settings-cookies: .*: none arrives$/)
    expect(await faultOf({ through: 'no-cookie' })).toMatch(/^settings-cookies: the cookie does not come back/)
  })

  test('store: finds an app that keeps sessions elsewhere, and takes its namespace', async () => {
    expect(await faultOf({ store: memorySessions() })).toMatch(/^settings-store: the app does not know a link/)
    const store = redisSessions(redis, { namespace: 'other' })
    expect(await faultOf({ store })).toMatch(/^settings-store: /)
    const { url } = serveSettings({ store })
    expect((await doctor(url, ['--namespace', 'other'])).failed).toEqual([])
    const dead = new Redis(await freePort(), '127.0.0.1', { lazyConnect: true, retryStrategy: () => null })
    dead.on('error', () => undefined)
    expect(await faultOf({ store: redisSessions(dead) })).toMatch(
      /^settings-store: the app cannot reach its store \(503\)/,
    )
    dead.disconnect()
  })

  test('eviction: finds a Redis that evicts', async () => {
    const { url } = serveSettings()
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '100mb')
    try {
      // The store makes nothing that could be dropped, here and in the app.
      expect((await doctor(url)).failed).toEqual(['redis-evicts', 'settings-store'])
    } finally {
      await redis.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '0')
    }
  })

  test('provider: finds credentials that it does not accept, one that is down, and a proxy that keeps OPTIONS back', async () => {
    const wrong = await faultOf(withProvider({ clientSecret: 'a-client-secret-that-has-expired' }))
    expect(wrong).toMatch(/^settings-provider: http:\/\/127\.0\.0\.1:\d+ does not accept the app/)
    const down = `http://127.0.0.1:${await freePort()}`
    expect(await faultOf(withProvider({ issuer: down }))).toMatch(/^settings-provider: the app cannot send people/)
    const { url } = serveSettings({ through: 'no-options', ...withProvider() })
    expect((await doctor(url)).detailOf('settings-provider')).toMatch(/^not checked: OPTIONS does not reach the routes/)
  })
})

test('[cli-bad-inputs] an address that is none, is not https, or where nothing answers', async () => {
  await refuse(['doctor', '--settings', 'nonsense'], 2, /"nonsense" is not a URL/)
  expect((await doctor('http://app.example.com/settings')).detailOf('settings-url')).toMatch(/is not https/)
  const nowhere = await doctor(`http://127.0.0.1:${await freePort()}/settings`)
  expect(nowhere.detailOf('settings-url')).toMatch(/cannot be reached \(ECONNREFUSED\)/)
  const { url } = serveSettings()
  expect((await doctor(url, [], { REDIS_URL: '' })).failed).toContain('settings-store')
})
