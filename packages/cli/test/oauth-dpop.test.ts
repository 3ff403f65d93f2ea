import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type DpopKey, type DpopProofOptions, dpopKey, dpopProof } from '../../../test/support/dpop-proof.js'
import { type TestIssuer, testIssuer } from '../../../test/support/test-issuer.js'
import { countersign, refuse } from './command.js'
import { serveApp, smoke } from './smoke-harness.js'

const nonce = { secret: 'a secret of 32 bytes or more, for the nonces of the tests' }
let folder: string
let key: DpopKey
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  key = await dpopKey()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

const ok: RequestHandler = (_request, response) => void response.json({})

describe('oauth smoke --dpop', () => {
  /** An API behind this gate, and what the command says of it with a bound token. */
  async function check(dpop: RequireOAuthBearerOptions['dpop'], boundTo: DpopKey | undefined = key, handler = ok) {
    let issuer: TestIssuer | undefined
    const { audit } = recordedAudit()
    const running = await serveApp((url) => {
      const app = express()
      void testIssuer({ algorithm: 'ES256', resource: url }).then((made) => {
        issuer = made
        const gate = requireOAuthBearer({ resource: url, issuer: made.url, audit, dpop })
        app.use(gate.metadata())
        app.get('/', handler === ok ? gate : (_request, _response, next) => next(), handler)
      })
      return app
    })
    while (issuer === undefined) await new Promise((resolve) => setImmediate(resolve))
    try {
      const token = file('token', await issuer.token({ boundTo }))
      const words = ['--api', '--token-file', token, '--dpop', file('key.json', JSON.stringify(key.privateJwk))]
      const report = await smoke([running.url, ...words])
      // The test's issuer is no whole authorization server.
      const ours = (ids: string[]) => ids.filter((id) => !id.startsWith('server-'))
      return { ...report, failed: ours(report.failed), warned: ours(report.warned) }
    } finally {
      await issuer.stop()
      await running.close()
    }
  }

  test('[cli-smoke-dpop] does what a client does, and what a thief of the token would', async () => {
    const { failed, warned, passed, checks } = await check({ mode: 'required', nonce })
    expect([failed, warned]).toEqual([[], []])
    expect(passed).toEqual(
      expect.arrayContaining([
        'metadata-dpop',
        'dpop-binding',
        'dpop-nonce',
        'dpop',
        'dpop-other-key',
        'dpop-as-bearer',
        'dpop-replay',
        'token',
      ]),
    )
    expect(checks.find(({ id }) => id === 'challenge')?.detail).toBe('the challenge is DPoP, without an error')
  })

  test('[cli-smoke-dpop] works without a nonce, beside bearer tokens', async () => {
    const { failed, passed } = await check('accepted')
    expect(failed).toEqual([])
    expect(passed).not.toContain('dpop-nonce')
    expect(passed).toContain('dpop-replay')
  })

  test('[cli-smoke-dpop] says what a server does not check, and which token is bound to no key, or to another', async () => {
    const { failed, warned } = await check('accepted', key, (request, response) =>
      request.headers.authorization === undefined
        ? response.status(401).set('WWW-Authenticate', 'DPoP algs="ES256"').end()
        : response.end(),
    )
    expect(failed).toEqual(expect.arrayContaining(['made-up-token', 'dpop-other-key', 'dpop-as-bearer']))
    expect(warned).toContain('dpop-replay')
    expect((await check('accepted', await dpopKey())).failed).toContain('dpop-binding')
  })

  test('wants a private key, and a token', async () => {
    const url = 'https://mcp.example.com/mcp'
    const publicKey = file('public.json', JSON.stringify(key.publicJwk))
    const token = file('any', 'any')
    await refuse(['oauth', 'smoke', url, '--token-file', token, '--dpop', publicKey], 2, /no private key/)
    await refuse(['oauth', 'smoke', url, '--dpop', publicKey], 2, /also pass the token/)
  })
})

describe('oauth inspect --proof', () => {
  const url = 'https://api.example.com/files'
  let issuer: TestIssuer
  beforeAll(async () => {
    issuer = await testIssuer({ algorithm: 'ES256', resource: 'https://api.example.com' })
  })
  afterAll(() => issuer.stop())

  async function inspect(options: Partial<DpopProofOptions> = {}, ...words: string[]) {
    const token = options.token ?? (await issuer.token({ boundTo: key }))
    const proof = file('proof', `DPoP: ${await dpopProof({ key, url, ...options, token })}`)
    const command = ['oauth', 'inspect', '--proof', proof, '--url', `${url}?a=b`, '--json', ...words]
    const { exitCode, stdout } = await countersign(command, { input: token })
    const { checks, proof: shown } = JSON.parse(stdout) as {
      checks: { id: string; status: string; detail: string }[]
      proof?: { claims: { htu: string } }
    }
    return { exitCode, shown, checks: checks.map(({ id, status, detail }) => `${id} ${status}: ${detail}`) }
  }

  test('[cli-inspect-proof] says whether a proof is for this request, this token and its key', async () => {
    expect(await inspect()).toMatchObject({
      exitCode: 0,
      shown: { claims: { htu: url } },
      checks: ['proof pass: it is for this request, this token and the key in its cnf'],
    })
    expect((await inspect({ defect: 'other_key' })).checks).toEqual(['proof fail: its jkt is wrong'])
    expect((await inspect({ defect: 'wrong_url' })).checks).toEqual(['proof fail: its htu is wrong (hint=path)'])
    expect((await inspect({ defect: 'expired' })).checks[0]).toMatch(
      /^proof fail: its iat is wrong \(late_by_seconds=36\d\d/,
    )
    const bearer = await inspect({ token: await issuer.token() })
    expect([bearer.exitCode, bearer.checks]).toEqual([1, ['proof fail: the token is bound to no key']])
  })

  test('[cli-inspect-proof] with its issuer, decides on both', async () => {
    const verified = ['--issuer', issuer.url, '--audience', issuer.resource, '--method', 'POST']
    const good = await inspect({ method: 'POST' }, ...verified)
    expect(good.exitCode).toBe(0)
    expect(good.checks.slice(-3)).toEqual([
      expect.stringMatching(/^audience pass/),
      'binding pass: it is bound to a key',
      'proof pass: the proof is for this request, this token and its key',
    ])
    const bad = await inspect({}, ...verified)
    expect([bad.exitCode, bad.checks.at(-1)]).toEqual([1, expect.stringMatching(/^proof fail: .*part="htm"/)])
  })

  test('wants the URL of the request', async () => {
    const proof = file('proof', 'x')
    await refuse(['oauth', 'inspect', '--proof', proof], 2, /--proof is for one request/, {
      input: await issuer.token(),
    })
  })
})
