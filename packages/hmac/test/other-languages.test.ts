import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { systemClock } from '@countersign/core/gate-kit'
import { rfc9421, xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { AUDIENCE, type Harness, hmacApp, SECRET } from './harness.js'

const run = promisify(execFile)
const guide = readFileSync(new URL('../../../docs/guides/hmac.md', import.meta.url), 'utf8')

/** The signers of the guide: of each section the one for RFC 9421 comes first. */
function signersOf(section: string, language: string): string[] {
  const text = guide.split(`\n## ${section}\n`)[1]?.split('\n## ')[0] ?? ''
  return text
    .split(`\`\`\`${language}\n`)
    .slice(1)
    .map((part) => part.split('```')[0] ?? '')
}

interface Vector {
  readonly method: string
  readonly target: string
  readonly body: string
  readonly caller: string
  readonly version?: number
  readonly audience: string
  readonly timestamp: number
  readonly nonce?: string
  readonly signed: Record<string, string>
}

function firstVector(file: string): Vector & { readonly secret: string } {
  const text = readFileSync(new URL(`vectors/${file}.json`, import.meta.url), 'utf8')
  const { secret, vectors } = JSON.parse(text) as { secret: string; vectors: [Vector] }
  return { secret, ...vectors[0] }
}

let app: Harness
let strict: Harness
let recorder: RunningServer
let seen: IncomingHttpHeaders = {}
beforeAll(async () => {
  app = await hmacApp({ clock: systemClock, formats: [rfc9421(), xHeaders()] }, { clock: systemClock })
  const required = { requiredFields: ['idempotency-key'] }
  const formats = [rfc9421(required), xHeaders({ ...required, singleUse: 'nonce' })]
  strict = await hmacApp({ clock: systemClock, formats }, { clock: systemClock })
  recorder = await serve((request, response) => {
    seen = request.headers
    request.resume().on('end', () => response.end())
  })
})
afterAll(async () => {
  await app.close()
  await strict.close()
  await recorder.close()
})

const signers = [
  ['a shell with curl and openssl', 'sh', signersOf('Signing from a shell', 'sh')],
  ['Python on its standard library', 'python3', signersOf('Signing from Python', 'python')],
] as const

describe.each(signers)('%s', (_what, command, [signature = '', headers = '']) => {
  const sign = (script: string, words: string[], env: Record<string, string>) => {
    const args = command === 'sh' ? ['-c', script, 'sign', ...words] : ['-c', script, ...words]
    return run(command, args, { env: { PATH: process.env.PATH ?? '', ...env } })
  }

  test.each([
    ['rfc9421', signature, 'rfc9421'],
    ['xHeaders', headers, 'xHeaders'],
  ])('signs in %s as the guide says', async (_format, script, format) => {
    const env = { HMAC_SECRET: SECRET, HMAC_AUDIENCE: AUDIENCE, HMAC_CALLER: 'scheduler', HMAC_VERSION: '3' }
    for (const target of ['/jobs?from=a&x=%2e', '/jobs/../jobs']) {
      const { stdout } = await sign(script, ['POST', app.url, target, `{"a": "ü", "command": "${command}"}`], env)
      expect([stdout, app.events.at(-1)?.attributes?.format]).toEqual(['200', format])
    }
  })

  test.each([
    ['rfc9421', signature, 'rfc9421'],
    ['xHeaders', headers, 'xHeaders'],
  ])('signs a nonce and a required field in %s', async (_format, script, format) => {
    const env = { HMAC_SECRET: SECRET, HMAC_AUDIENCE: AUDIENCE, HMAC_CALLER: 'scheduler', HMAC_VERSION: '3' }
    const now = String(Math.floor(Date.now() / 1000))
    const words = ['POST', strict.url, '/jobs', '{}']
    for (const key of ['"a=1", b', 'k-2']) {
      const { stdout } = await sign(script, words, { ...env, HMAC_NOW: now, HMAC_IDEMPOTENCY_KEY: key })
      expect([stdout, strict.events.at(-1)?.attributes?.format]).toEqual(['200', format])
    }
    await sign(script, words, env).catch(() => undefined)
    expect(strict.events.at(-1)).toMatchObject({ reason: 'malformed', attributes: { part: 'idempotency-key' } })
  })

  test.each([
    ['rfc9421', signature, 'rfc9421'],
    ['xHeaders', headers, 'x-headers-bound'],
    ['xHeaders with a nonce', headers, 'x-headers-nonce'],
  ])('[hmac-known-answers] gives the known answer in %s', async (_format, script, file) => {
    const {
      secret,
      method,
      target,
      body,
      caller,
      version = 1,
      audience,
      timestamp,
      nonce = '',
      signed,
    } = firstVector(file)
    await sign(script, [method, recorder.url, target, body], {
      HMAC_SECRET: secret,
      HMAC_AUDIENCE: audience,
      HMAC_CALLER: caller,
      HMAC_VERSION: String(version),
      HMAC_NOW: String(timestamp),
      HMAC_NONCE: nonce,
    })
    for (const [name, value] of Object.entries(signed)) expect(seen[name.toLowerCase()]).toBe(value)
    expect(seen['x-countersign-nonce']).toBe(signed['x-countersign-nonce'])
  })
})
