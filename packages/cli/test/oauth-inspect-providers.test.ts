import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import * as presets from '@countersign/oauth-bearer/presets'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import {
  makeProviderKeys,
  type ProviderKeys,
  type ProviderSetting,
  tokensOf,
} from '../../../test/support/provider-tokens.js'
import { type TestIssuer, testIssuer } from '../../../test/support/test-issuer.js'
import { main } from '../src/main.js'
import { Output } from '../src/output.js'
import { countersign, refuse } from './command.js'

const AUDIENCE = 'https://mcp.example.com/mcp'

const guides = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'docs', 'guides')

/** The command lines of a guide. */
function commandsIn(page: string): string[] {
  const blocks = readFileSync(join(guides, page), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)
  return [...blocks].flatMap(([, block = '']) => block.trim().split('\n'))
}

let folder: string
let keysFile: string
let keys: ProviderKeys
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-inspect-'))
  keysFile = join(folder, 'keys.json')
  keys = makeProviderKeys()
  writeFileSync(keysFile, JSON.stringify(keys.jwks))
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await app?.close()
  await issuer?.stop()
})

let issuer: TestIssuer | undefined
let app: RunningServer | undefined

/** An API behind a gate, and the issuer of its tokens; both are made once. */
async function guarded() {
  issuer ??= await testIssuer({ resource: AUDIENCE })
  if (app === undefined) {
    const oauth = requireOAuthBearer({ resource: AUDIENCE, issuer: issuer.url, audit: recordedAudit().audit })
    app = await serve(express().use(oauth.metadata(), oauth, (_request, response) => void response.json({})))
  }
  return { issuer, url: app.url }
}

/** The command in this process: a hundred processes would take a minute. */
async function run(words: readonly string[], input: string) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const exitCode = await main(words, {
    env: {},
    stdin: Readable.from([Buffer.from(input)]),
    output: new Output(stdout, stderr, {}),
    signal: new AbortController().signal,
  })
  stdout.end()
  stderr.end()
  return { exitCode, stdout: await text(stdout), stderr: await text(stderr) }
}

/** A preset's options as words of a command line. */
function wordsOf(preset: string, { options = {} }: ProviderSetting): string[] {
  const {
    audience,
    clientIds = [],
    issuer,
    ...rest
  } = options as {
    audience?: string | string[]
    clientIds?: string[]
    issuer?: string
  } & Record<string, unknown>
  return [
    'oauth',
    'inspect',
    '--json',
    '--keys-file',
    keysFile,
    '--preset',
    preset,
    ...[audience ?? []].flat().flatMap((one) => ['--audience', one]),
    ...clientIds.flatMap((one) => ['--client-id', one]),
    ...(issuer === undefined ? [] : ['--issuer', issuer]),
    ...Object.entries(rest).flatMap(([name, value]) => ['--set', `${name}=${String(value)}`]),
  ]
}

describe('oauth inspect and the tokens of providers', () => {
  test.each(tokensOf('preset'))('[oauth-providers] $title: $token.expect', async ({ provider, setting, token }) => {
    const words = wordsOf(provider.preset ?? '', setting)
    const { exitCode, stdout, stderr } = await run(words, keys.sign(token, Date.now()))
    expect(stderr).toBe('')
    const { ok, reason, claims } = JSON.parse(stdout) as { ok: boolean; reason?: string; claims?: object }
    // Okta's subject is the login.
    expect(JSON.stringify({ ...claims, sub: undefined })).not.toMatch(/someone@|192\.0\.2\.1/)
    const isGranted = token.expect === 'granted'
    expect([exitCode, ok, reason]).toEqual(isGranted ? [0, true, undefined] : [1, false, token.expect])
  })

  test('every preset can be named', async () => {
    for (const name of Object.keys(presets)) {
      const { exitCode, stderr } = await run(['oauth', 'inspect', '--preset', name], 'a.b.c')
      expect([name, exitCode, stderr]).toEqual([name, 2, expect.stringMatching(/: option "|set "audience"/)])
    }
  })

  test('says what was seen, what is expected, and what to do', async () => {
    const rows = tokensOf('preset')
    const row = rows.find(({ title }) => title === 'auth0, an API: an ID token')
    const token = keys.sign((row as (typeof rows)[number]).token, Date.now())
    const words = ['oauth', 'inspect', '--keys-file', keysFile, '--set', 'domain=example.eu.auth0.com']
    const { exitCode, stdout } = await countersign([...words, '--preset', 'auth0', '--audience', AUDIENCE], {
      input: token,
    })
    expect(exitCode).toBe(1)
    expect(stdout).toContain(
      '✗ type: it is not an access token that the preset auth0 knows (token_type="JWT")\n' +
        '    ID and refresh tokens are for the client: send the access token for this resource.\n',
    )
    const plain = ['oauth', 'inspect', '--keys-file', keysFile, '--issuer', 'https://example.eu.auth0.com/']
    const relaxed = await countersign([...plain, '--profile', 'relaxed'], { input: token })
    expect(relaxed.stdout).toContain('✗ type: it is another kind of token (token_type="JWT" claim="nonce")\n')
  })

  test('prints what the guide shows, for a token without an audience mapper', async () => {
    const guide = readFileSync(join(guides, 'why-is-my-token-refused.md'), 'utf8')
    const [, shown = ''] = /```text\n([\s\S]*?)```/.exec(guide) ?? []
    const rows = tokensOf('preset')
    const row = rows.find(({ title }) => title.endsWith('an access token without an audience mapper'))
    const input = keys.sign((row as (typeof rows)[number]).token, Date.now())
    const line = /^countersign (oauth inspect --token-file token --preset keycloak .*)$/m.exec(guide)?.[1] ?? ''
    const words = line.split(' ').map((word) => (word === 'token' ? '-' : word))
    const { exitCode, stdout } = await run([...words, '--keys-file', keysFile], input)
    expect([exitCode, stdout.slice(-shown.length)]).toEqual([1, shown])
  })

  test.each(commandsIn('why-is-my-token-refused.md'))('the guide shows a command that runs: %s', async (line) => {
    const { issuer, url } = await guarded()
    const file = join(folder, 'token')
    writeFileSync(file, await issuer.token())
    const words = line.split(' ').slice(1)
    const given = words.map((word) => (word === 'token' ? file : word))
    // The servers of the examples are not there. What they are replaced by has the same path.
    const isSmoke = words[1] === 'smoke'
    if (isSmoke) given[2] = `${url}${new URL(words[2] ?? '').pathname}`
    const { exitCode, stdout, stderr } = await run(given, '')
    expect([exitCode, stderr]).toEqual([expect.any(Number), expect.not.stringMatching(/^countersign: /)])
    expect(stdout).toMatch(isSmoke ? /✓ challenge: |✓ token: / : /✗ issuer: its "iss" is another issuer/)
  })

  test('[cli-bad-inputs] words that contradict each other are named', async () => {
    const inspect = ['oauth', 'inspect']
    const input = { input: 'a.b.c' }
    await refuse([...inspect, '--set', 'domain=example.eu.auth0.com'], 2, '--set needs --preset', input)
    await refuse([...inspect, '--client-id', 'c1'], 2, '--client-id needs --issuer or --preset', input)
    await refuse([...inspect, '--keys-file', 'k'], 2, '--keys-file needs --issuer or --preset', input)
    const auth0 = [...inspect, '--preset', 'auth0']
    await refuse([...auth0, '--profile', 'relaxed'], 2, '--preset has a profile: remove --profile', input)
    await refuse([...auth0, '--set', 'domain'], 2, '--set "domain" must be name=value', input)
    await refuse([...auth0, '--set', 'domain=x.example.com'], 2, /auth0: set "audience" .* or "clientIds"/, input)
    await refuse(
      [...auth0, '--audience', 'a', '--issuer', 'https://a.example.com'],
      2,
      /unknown option "issuer"/,
      input,
    )
    const good = [...auth0, '--set', 'domain=example.eu.auth0.com', '--audience', AUDIENCE, '--keys-file']
    await refuse([...good, join(folder, 'none')], 2, /none, cannot be read \(ENOENT\)/, input)
    const [notJson, notKeys] = ['not-json', 'not-keys'].map((name) => join(folder, name)) as [string, string]
    writeFileSync(notJson, '<html>')
    writeFileSync(notKeys, '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')
    await refuse([...good, notJson], 2, /is not JSON: it must be a JWK set/, input)
    await refuse([...good, notKeys], 2, /option "issuer.jwks" has no usable key/, input)
  })
})
