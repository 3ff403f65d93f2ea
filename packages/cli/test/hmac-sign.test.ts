import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEvent } from '@countersign/audit'
import { memorySecrets, requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { freePort } from '../../../test/support/redis-server.js'
import { countersign, refuse, spawnCountersign, succeed, succeedJson } from './command.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const OLD_KEY = 'the-old-shared-key'
const AUDIENCE = 'billing.example.com'
const env = { COUNTERSIGN_HMAC_SECRET_SCHEDULER_V3: SECRET }

const { audit, events } = recordedAudit()
const slow = new EventEmitter()
let server: RunningServer
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  const secrets = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }])
  const legacy = { headers: ['x-service-key'], keys: { scheduler: [OLD_KEY] } }
  const compatible = xHeaders({ prefix: 'x-kh', bindQuery: false, bindAudience: false })
  const app = express()
  const echo: express.RequestHandler = (request, response) => {
    response.json({ method: request.method, url: request.originalUrl, body: request.rawBody?.toString() ?? '' })
  }
  app.use('/rfc9421', requireHmac({ secrets, audience: AUDIENCE, audit }), echo)
  app.use('/x-headers', requireHmac({ secrets, audience: AUDIENCE, formats: [xHeaders()], audit }), echo)
  app.use('/compatible', requireHmac({ secrets, formats: [compatible], audit }), echo)
  app.use(
    '/nonce',
    requireHmac({ secrets, audience: AUDIENCE, formats: [xHeaders({ singleUse: 'nonce' })], audit }),
    echo,
  )
  const required = { requiredFields: ['idempotency-key'] }
  app.use(
    '/required',
    requireHmac({ secrets, audience: AUDIENCE, formats: [rfc9421(required), xHeaders(required)], audit }),
    echo,
  )
  app.use('/tagged', requireHmac({ secrets, audience: AUDIENCE, formats: [rfc9421({ tag: 'other' })], audit }), echo)
  app.use('/legacy', requireHmac({ secrets, audience: AUDIENCE, legacy, audit }), echo)
  app.get('/moved', (_request, response) => response.redirect('/rfc9421'))
  app.get('/slow', () => void slow.emit('request'))
  server = await serve((request, response) => {
    if (request.url === '/late') response.setHeader('Date', new Date(Date.now() - 90_000).toUTCString())
    app(request, response)
  })
})
beforeEach(() => void events.splice(0))
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

const curl = (method: string, path: string, ...words: string[]) => [
  'hmac',
  'curl',
  method,
  `${server.url}${path}`,
  '--caller',
  'scheduler',
  '--audience',
  AUDIENCE,
  ...words,
]
const lastEvent = () => events.at(-1) as AuditEvent

describe('hmac curl', () => {
  test('signs and sends a request, its path unchanged, in the chosen format', async () => {
    const json = ['-H', 'content-type: application/json', '-d', '{"a":1}']
    const sent = await succeed(curl('POST', '/rfc9421/a/../b?x=%2e', ...json), { env })
    expect(JSON.parse(sent)).toEqual({ method: 'POST', url: '/rfc9421/a/../b?x=%2e', body: '{"a":1}' })
    const x = await succeed(curl('PUT', '/x-headers?q=1', '--format', 'x-headers', '--data-file', '-'), {
      env,
      input: 'from standard input',
    })
    expect(JSON.parse(x)).toEqual({ method: 'PUT', url: '/x-headers?q=1', body: 'from standard input' })
    const compatible = ['--format', 'x-headers', '--prefix', 'x-kh', '--no-bind-query', '--no-bind-audience']
    await succeed(curl('GET', '/compatible?q=1', ...compatible), { env })
    expect(lastEvent()).toMatchObject({ type: 'access.granted', credential: { id: 'scheduler/3' } })
  })

  test('signs with a nonce where it is told to', async () => {
    for (const _ of [1, 2]) await succeed(curl('POST', '/nonce', '--format', 'x-headers', '--nonce'), { env })
    await countersign(curl('POST', '/nonce', '--format', 'x-headers'), { env })
    expect(lastEvent()).toMatchObject({ reason: 'malformed', attributes: { part: 'x-countersign-nonce' } })
    const words = ['POST', 'https://host/', '--caller', 'scheduler', '--format', 'x-headers', '--nonce']
    expect(await succeed(['hmac', 'explain', ...words], { env })).toMatch(/"nonce=[\w-]{22}"\n/)
  })

  test('signs the fields that the verifier requires', async () => {
    const named = ['--require-field', 'Idempotency-Key']
    const words = [...named, '-H', 'idempotency-key: 1']
    for (const format of ['rfc9421', 'x-headers']) {
      await succeed(curl('GET', '/required', '--format', format, ...words), { env })
      await refuse(curl('GET', '/required', '--format', format, ...named), 2, /has no "idempotency-key"/, { env })
    }
    const { stdout: input } = await countersign(curl('GET', '/required', '-i'), { env })
    const told = await countersign(['hmac', 'explain', ...curl('GET', '/required').slice(2), '--refusal', '-'], {
      env,
      input,
    })
    expect(told.stdout).toContain('✗ The signature does not cover idempotency-key.')
    expect(told.stdout).toContain('--require-field signs a header field')
  })

  test('explain shows the field of the old key and not the key', async () => {
    const withOldKey = { env: { ...env, COUNTERSIGN_HMAC_LEGACY_SCHEDULER: OLD_KEY } }
    for (const [field, ...words] of [['x-service-key'], ['authorization'], ['authorization', '--json']] as const) {
      const call = ['GET', 'https://host/', '--caller', 'scheduler', '--legacy', field, ...words]
      const text = await succeed(['hmac', 'explain', ...call], withOldKey)
      expect(text).toContain('<redacted>')
      expect(text).not.toContain(OLD_KEY)
    }
  })

  test('takes the secret from a file or standard input, and sends the old key beside the signature', async () => {
    const file = join(folder, 'secret')
    writeFileSync(file, `${SECRET}\n`)
    await succeed(curl('GET', '/rfc9421', '--secret-file', file, '--key-version', '3'))
    await succeed(curl('GET', '/rfc9421', '--secret-file', '-', '--key-version', '3'), { input: SECRET })
    const withOldKey = { ...env, COUNTERSIGN_HMAC_LEGACY_SCHEDULER: OLD_KEY }
    await succeed(curl('GET', '/legacy', '--legacy', 'x-service-key'), { env: withOldKey })
    await refuse(curl('GET', '/legacy', '--legacy', 'x-service-key'), 2, /COUNTERSIGN_HMAC_LEGACY_SCHEDULER is not/, {
      env,
    })
  })

  test('ends with 1 for a refusal, and prints its head on request, or JSON', async () => {
    const other = { COUNTERSIGN_HMAC_SECRET_SCHEDULER_V3: `${SECRET}!` }
    const refused = await countersign(curl('GET', '/rfc9421', '-i'), { env: other })
    expect(refused.exitCode).toBe(1)
    expect(refused.stdout).toMatch(/^HTTP\/1\.1 401 Unauthorized\n(?:.+\n)*www-authenticate: Countersign-HMAC\n/)
    expect(refused.stderr).toMatch(/^countersign: the server answered 401: it refused the signature: [^\n]+\n$/)
    const json = await countersign(curl('GET', '/rfc9421', '--json'), { env: other })
    expect(JSON.parse(json.stdout)).toMatchObject({ status: 401, headers: { 'cache-control': 'no-store' } })
    const moved = await countersign(curl('GET', '/moved'), { env })
    expect(moved).toEqual({
      exitCode: 1,
      stdout: 'Found. Redirecting to /rfc9421',
      stderr: 'countersign: the server answered 302: redirects are not followed: sign a request for its target\n',
    })
  })
})

describe('hmac sign and explain', () => {
  test('print the header fields that the gate accepts, and the signed text', async () => {
    const words = [
      'POST',
      `${server.url}/x-headers?q=1`,
      '--caller',
      'scheduler',
      '--audience',
      AUDIENCE,
      '-d',
      'hello',
    ]
    const headers = await succeedJson<Record<string, string>>(['hmac', 'sign', ...words, '--format', 'x-headers'], {
      env,
    })
    const response = await fetch(`${server.url}/x-headers?q=1`, { method: 'POST', headers, body: 'hello' })
    expect(response.status).toBe(200)
    const plain = await succeed(['hmac', 'sign', ...words], { env })
    expect(plain).toMatch(
      /^Content-Digest: sha-256=:.+:\nSignature-Input: sig1=\(.+;keyid="scheduler\/3".+\nSignature: sig1=:.+:\n$/,
    )
    const text = await succeed(['hmac', 'explain', ...words, '--format', 'x-headers'], { env })
    expect(text).toContain(
      [
        '  "POST\\n"',
        '  "/x-headers?q=1\\n"',
        '  "scheduler\\n"',
        '  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\\n"',
      ].join('\n'),
    )
    expect(text).toContain(`  "${AUDIENCE}"\n`)
    expect(text).not.toContain(SECRET)
  })

  const explain = (path: string, ...words: string[]) => ['hmac', 'explain', ...curl('GET', path, ...words).slice(2)]

  test("report what the gate's own code says about the request", async () => {
    const good = await countersign(explain('/rfc9421', '--json'), { env })
    expect(good.exitCode).toBe(0)
    expect(JSON.parse(good.stdout)).toMatchObject({
      verdict: 'granted',
      steps: ['form', 'caller', 'window', 'key', 'signature', 'audience', 'body', 'replay'].map((step) => ({
        step,
        outcome: 'passed',
      })),
    })
    const text = await succeed(explain('/x-headers', '--format', 'x-headers'), { env })
    expect(text).toContain('\ngate      accepts it with this secret\n')
    const doubled = await countersign(explain('/rfc9421', '-H', 'content-digest: sha-256=:AA==:'), { env })
    expect(doubled).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('\ngate      refuses it: The request has a header field twice'),
    })
  })

  test("report what a refusal's header fields reveal", async () => {
    const answer = async (path: string, ...words: string[]) =>
      (await countersign(curl('GET', path, '-i', ...words), { env })).stdout
    const differences = async (input: string, ...words: string[]) => {
      const result = await countersign(explain('/rfc9421', '--refusal', '-', '--json', ...words), { env, input })
      const { differences: list } = JSON.parse(result.stdout) as { differences: { what: string }[] }
      return [result.exitCode, ...list.map(({ what }) => what)]
    }
    expect(await differences(await answer('/tagged'))).toEqual([
      1,
      'The server wants the tag "other", but "countersign" was sent.',
    ])
    expect(await differences(await answer('/x-headers'))).toEqual([
      1,
      'The server sends no Accept-Signature: it does not accept rfc9421.',
    ])
    expect(await differences(await answer('/rfc9421', '--audience', 'elsewhere.example.com'))).toEqual([
      0,
      'The secret differs, or the method, path, query, audience or body was changed on the way.',
    ])
    const old = `HTTP/1.1 401 Unauthorized\r\ndate: ${new Date(Date.now() + 400_000).toUTCString()}\r\n\r\n`
    expect(await differences(old, '--format', 'x-headers')).toEqual([
      1,
      'The challenge is not from a gate for signed requests.',
      expect.stringMatching(/^The server's clock is \d+ s ahead of this signature\.$/),
    ])
    const elsewhere = 'HTTP/1.1 503 Service Unavailable\n\n'
    expect(await differences(elsewhere)).toEqual([1, 'The verifier answered 503: it could not decide.'])
    await refuse(explain('/rfc9421', '--refusal', '-'), 2, /--refusal must be an HTTP answer/, { env, input: 'what?' })
  })

  test("report what the verifier's own audit event knows", async () => {
    await countersign(
      curl('GET', '/rfc9421', '--audience', 'elsewhere.example.com', '-H', 'host: elsewhere.example.com'),
      {
        env,
      },
    )
    const input = JSON.stringify(lastEvent())
    const result = await countersign(explain('/rfc9421', '--format', 'x-headers', '--refusal', '-'), { env, input })
    expect(result.exitCode).toBe(1)
    expect(result.stdout).toContain('✗ The signature is for the Host, which is not an audience of the verifier.')
    expect(result.stdout).toContain('✗ format: rfc9421 there, xHeaders here')
    const attributes = { format: 'rfc9421', part: 'created', hint: 'milliseconds' }
    const milliseconds = JSON.stringify({ ...lastEvent(), reason: 'malformed', attributes })
    expect((await countersign(explain('/rfc9421', '--refusal', '-'), { env, input: milliseconds })).stdout).toContain(
      '✗ The time of the signature is in milliseconds: send seconds since the epoch.\n' +
        '      In JavaScript: Math.floor(Date.now() / 1000).\n',
    )
  })
})

describe('hmac doctor', () => {
  test('passes good keys and a clock that agrees', async () => {
    const good = { COUNTERSIGN_HMAC_SECRET_SCHEDULER_V3: randomBytes(48).toString('base64') }
    const report = await succeed(['hmac', 'doctor', '--url', server.url], { env: good })
    expect(report).toContain('✓ hmac-secret-scheduler: version 3 of "scheduler": 64 bytes\n')
    expect(report).toMatch(/✓ clock: the server is \d\.\d s (ahead|behind)/)
  })

  test('finds a wrong clock, a damaged secret, a malformed ring, and a database that is down', async () => {
    const port = await freePort()
    const result = await countersign(['hmac', 'doctor', '--json', '--url', `${server.url}/late`], {
      env: {
        COUNTERSIGN_HMAC_SECRET_SCHEDULER: `"${SECRET}"`,
        COUNTERSIGN_HMAC_SECRET_BILLING: 'short',
        COUNTERSIGN_HMAC_KEKS: 'none',
        DATABASE_URL: `postgres://127.0.0.1:${port}/x`,
      },
    })
    expect(result.exitCode).toBe(1)
    const { checks } = JSON.parse(result.stdout) as { checks: { id: string; status: string; detail: string }[] }
    expect(checks.map(({ id, status }) => [id, status])).toEqual([
      ['hmac-secret-billing', 'fail'],
      ['hmac-secret-scheduler', 'warn'],
      ['hmac-keks', 'fail'],
      ['clock', 'fail'],
      ['hmac-store', 'fail'],
      ['redis', 'skip'],
    ])
    expect(result.stdout).not.toContain(SECRET)
  })
})

test('a command that waits is ended by Ctrl+C, with 130', async () => {
  const child = spawnCountersign(curl('GET', '/slow'), env)
  await once(slow, 'request')
  child.kill('SIGINT')
  expect(await once(child, 'exit')).toEqual([130, null])
})

describe('errors are reported in one line', () => {
  test.each([
    [['sign', 'GET', '/relative', '--caller', 'scheduler'], 2, /"\/relative" is not a URL: it must be absolute/],
    [['sign', 'GET', 'https://user:pw@host/', '--caller', 'scheduler'], 2, /holds a user or a password/],
    [
      ['sign', 'GET', 'https://host/', '--caller', 'nobody'],
      4,
      /no secret of "nobody" is given: set COUNTERSIGN_HMAC_SECRET_NOBODY/,
    ],
    [
      ['sign', 'GET', 'https://host/', '--caller', 'scheduler', '--key-version', '9'],
      4,
      /version 9 of "scheduler" is not set/,
    ],
    [['sign', 'GET', 'https://host/', '--caller', 'scheduler', '--secret', SECRET], 2, /unknown option '--secret'/],
    [
      ['sign', 'GET', 'https://host/', '--caller', 'scheduler', `--secret=${SECRET}'${SECRET}`],
      2,
      /unknown option '--secret'\. Secrets are not taken/,
    ],
    [['sign', 'GET', 'https://host/', '--caller', 'scheduler', `--sercet=${SECRET}`], 2, /unknown option '--sercet'$/m],
    [['sign', 'GET', 'https://host/', '--caller', 'scheduler', '--prefix', 'x-kh'], 2, /belong to --format x-headers/],
    [['sign', 'GET', 'https://host/', '--caller', 'scheduler', '--nonce'], 2, /rfc9421 has a nonce in any case/],
    [['sign', 'GET', 'https://host/', '--caller', 'scheduler', '-H', 'nonsense'], 2, /--header must be "name: value"/],
    [['sign', 'GET', 'https://host/', '--caller', 'scheduler', '-H', 'a: \u20ac'], 2, /no HTTP message can hold/],
    [
      ['sign', 'GET', 'https://host/', '--caller', 'scheduler', '--secret-file', '/nowhere'],
      2,
      /cannot be read \(ENOENT\)/,
    ],
    [['sign', 'GET', 'https://host/'], 2, /required option '--caller <name>' not specified/],
    [['doctor', '--url', 'nonsense'], 2, /"nonsense" is not a URL/],
  ] as const)('[cli-bad-inputs] hmac %j', async (words, exitCode, message) => {
    await refuse(['hmac', ...words], exitCode, message, { env })
  })

  test('[cli-bad-inputs] for a server that is down, or does not answer', async () => {
    const port = await freePort()
    const words = ['hmac', 'curl', 'GET', `http://127.0.0.1:${port}/`, '--caller', 'scheduler']
    await refuse(words, 3, /cannot be reached \(ECONNREFUSED\): check the URL/, { env })
    await refuse(curl('GET', '/slow', '--max-time', '1s'), 3, /no answer within 1 s/, { env })
  })
})
