import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { requireHmac, secretsFromEnv } from '@countersign/hmac'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterEach, expect, test } from '@jest/globals'
import express from 'express'
import { serve } from '../../../test/support/http-server.js'
import { refuse, spawnCountersign } from './command.js'

let child: ReturnType<typeof spawnCountersign> | undefined
afterEach(() => void child?.kill('SIGKILL'))

/** Runs `dev`, and collects what it prints. */
function start(words: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const running = spawnCountersign(['dev', '--port', '0', ...words], env)
  child = running
  let printed = ''
  running.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  running.stderr.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  /** The text when it has what is looked for. Rejects when the command ends without it. */
  const until = async (wanted: Pick<RegExp, 'test'>) => {
    const ended = once(running, 'close').then(() => true)
    while (!wanted.test(printed)) {
      const hasEnded = await Promise.race([once(running.stdout, 'data').then(() => false), ended])
      if (hasEnded && !wanted.test(printed)) throw new Error(`dev ended without ${wanted}: ${printed}`)
    }
    return printed
  }
  return { running, until, pasted: () => printed.split('\n').flatMap((line) => (line.startsWith('  ') ? [line] : [])) }
}

/** Pastes a line into a shell. */
function paste(line: string | undefined): string {
  const { stdout, status } = spawnSync('sh', ['-c', line ?? 'false'], { encoding: 'utf8' })
  expect([line, status]).toEqual([line, 0])
  return stdout
}

test('[cli-dev] each line that dev prints is 200 when it is pasted, and each decision is told', async () => {
  const { running, until, pasted } = start()
  await until(/Each decision/)
  const [signed, bearer, token, agent, link = ''] = pasted()
  expect(paste(signed)).toMatch(/^HTTP\/1\.1 200 [\s\S]*{"granted":"hmac","id":"dev"}$/)
  expect(paste(signed)).toMatch(/^HTTP\/1\.1 401 /)
  expect(paste(bearer)).toMatch(/^HTTP\/1\.1 200 [\s\S]*{"granted":"oauth-bearer"/)
  expect(paste(agent)).toMatch(/^HTTP\/1\.1 200 [\s\S]*{"granted":"mcp-credential"/)
  const { access_token: another } = JSON.parse(paste(token)) as { access_token: string }
  expect(paste(bearer?.replace(/Bearer [^']*/, `Bearer ${another}`))).toMatch(/^HTTP\/1\.1 200 /)
  expect(await openLink(link.trim())).toEqual([200, expect.objectContaining({ granted: 'settings-session' })])
  const printed = await until(/access\.granted settings-session/)
  expect(printed).toMatch(/access\.granted hmac GET \/signed /)
  expect(printed).toMatch(/access\.denied hmac GET \/signed status=401 reason=replayed/)
  expect(printed).toMatch(/access\.granted oauth-bearer GET \/oauth /)
  expect(printed).toMatch(/access\.granted mcp-credential GET \/agent /)

  running.stdin.write('\n')
  await until(/(?:A person with a link[\s\S]*){2}settings\?s=/)
  const again = pasted().slice(5)
  expect(paste(again[0])).toMatch(/^HTTP\/1\.1 200 /)
  const ended = once(running, 'close')
  running.kill('SIGINT')
  expect(await ended).toEqual([0, null])
})

test('[cli-dev] what it prints for your own app is what that app needs', async () => {
  const own = express()
  const server = await serve(own)
  const url = `http://localhost:${server.port}`
  const { until, pasted } = start(['--app', url])
  await until(/Each decision/)
  const [secretLine = '', hmacLine, signed, oauthLine = '', bearer] = pasted().slice(5)
  const [, name = '', secret = ''] = /export ([A-Z_]+)='([^']+)'/.exec(secretLine) ?? []
  const audience = `localhost:${server.port}`
  expect(hmacLine?.trim()).toBe(
    `requireHmac({ secrets: secretsFromEnv(process.env, { callers: ['dev'] }), audience: '${audience}' })`,
  )
  const [, issuer = ''] = /issuer: '([^']+)', resource: '([^']+)'/.exec(oauthLine) ?? []
  expect(oauthLine.trim()).toBe(`requireOAuthBearer({ issuer: '${issuer}', resource: '${url}' })`)
  const services = requireHmac({ secrets: secretsFromEnv({ [name]: secret }, { callers: ['dev'] }), audience })
  const people = requireOAuthBearer({ issuer, resource: url })
  own.get('/', (request, response, next) =>
    (request.headers.authorization === undefined ? services : people)(request, response, next),
  )
  own.get('/', ({ principal }, response) => void response.json({ kind: principal?.kind }))
  const results = await Promise.all([signed, bearer].map((line) => pasteBeside(line ?? '')))
  expect(results).toEqual([
    expect.stringMatching(/^HTTP\/1\.1 200 [\s\S]*{"kind":"hmac"}$/),
    expect.stringMatching(/^HTTP\/1\.1 200 [\s\S]*{"kind":"oauth-bearer"}$/),
  ])
  await server.close()
})

test('[cli-dev] an address and a secret with a quote are one word of the shell, and a fragment is no part of them', async () => {
  const secret = "it's a secret; it has 32 bytes, or some more"
  const address = "http://localhost:9/it's;exit?x=1"
  const { until, pasted } = start(['--app', `${address}#top`], { COUNTERSIGN_HMAC_SECRET_DEV: secret })
  await until(/Each decision/)
  const [secretLine = '', , signed = '', oauthLine = '', bearer = ''] = pasted().slice(5)
  expect(paste(`${secretLine}; printf %s "$COUNTERSIGN_HMAC_SECRET_DEV"`)).toBe(secret)
  for (const line of [signed, bearer]) expect(paste(`curl() { printf %s "$2"; }; ${line}`)).toBe(address)
  expect(oauthLine).toContain(`resource: '${address.replace("'", "\\'")}' })`)
})

test('[cli-dev] Enter prints new ones as often as it is pressed', async () => {
  const { running, until, pasted } = start()
  await until(/Each decision/)
  running.stdin.write('\n'.repeat(110))
  await until({ test: (text) => text.split('settings?s=').length > 111 })
  const agents = pasted().filter((line) => line.includes('/agent'))
  expect(paste(agents.at(-1))).toMatch(/^HTTP\/1\.1 200 /)
})

test('[cli-dev] the issuer refuses what it does not know, and says what it knows', async () => {
  const { until, pasted } = start()
  await until(/Each decision/)
  const token = pasted()[2] ?? ''
  const refused = (line: string) => JSON.parse(paste(line)) as { error: string; error_description: string }
  expect(refused(token.replace(/dev:[^']+/, 'dev:wrong'))).toMatchObject({ error: 'invalid_client' })
  expect(refused(token.replace('client_credentials', 'password'))).toMatchObject({ error: 'unsupported_grant_type' })
  expect(refused(token.replace('scope=read', 'scope=admin'))).toMatchObject({ error: 'invalid_scope' })
  expect(refused(token.replace('-d scope=read', '-d resource=https://elsewhere.example'))).toEqual({
    error: 'invalid_target',
    error_description: expect.stringMatching(/^resource is one of http:\/\/localhost:\d+\/oauth; --app adds one$/),
  })
})

test('[cli-dev] a port in use, a wrong address and production are one line each', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await refuse(['dev', '--port', String(port)], 2, `port ${port} is in use: choose another one with --port`)
  taken.close()
  await refuse(['dev', '--port', '70000'], 2, /0 to 65535/)
  await refuse(['dev', '--app', 'localhost:3000'], 2, /is not a URL/)
  await refuse(['dev', '--port', '0'], 2, /not for production/, { env: { NODE_ENV: 'production' } })
})

/** Pastes while this process answers. */
async function pasteBeside(line: string): Promise<string> {
  const shell = spawn('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  shell.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(shell, 'close')
  return text
}

/** Opens a link as a browser does: the page, its button, and the page behind it. */
async function openLink(link: string): Promise<readonly [number, unknown]> {
  const jar = new Map<string, string>()
  const visit = async (url: string | URL, init: RequestInit = {}) => {
    const cookie = Array.from(jar, ([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      jar.set(name, value)
    }
    return response
  }
  const { headers } = await visit(link)
  const page = new URL(headers.get('location') ?? '', link)
  const form = await (await visit(page)).text()
  const [, value = ''] = /name="token" value="([^"]+)"/.exec(form) ?? []
  const pressed = await visit(page, {
    method: 'POST',
    body: new URLSearchParams({ token: value }),
    headers: { origin: page.origin, 'sec-fetch-site': 'same-origin' },
  })
  const opened = await visit(new URL(pressed.headers.get('location') ?? '/settings', page))
  return [opened.status, await opened.json()]
}
