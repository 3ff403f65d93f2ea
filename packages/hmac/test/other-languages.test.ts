import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { systemClock } from '@countersign/core'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { AUDIENCE, type Harness, hmacApp, SECRET } from './harness.js'

const run = promisify(execFile)
const guide = readFileSync(new URL('../../../docs/guides/hmac.md', import.meta.url), 'utf8')
const snippet = (language: string) => guide.split(`\`\`\`${language}\n`)[1]?.split('```')[0] ?? ''
const env = { ...process.env, HMAC_SECRET: SECRET, HMAC_AUDIENCE: AUDIENCE }

let app: Harness
beforeAll(async () => {
  app = await hmacApp({ clock: systemClock }, { clock: systemClock })
})
afterAll(() => app.close())

test.each([
  ['a shell with curl and openssl', 'sh', (text: string) => ['-c', text, 'sign']],
  ['Python on its standard library', 'python3', (text: string) => ['-c', text]],
])('%s signs as the guide says', async (_what, command, argumentsFor) => {
  const text = snippet(command === 'sh' ? 'sh' : 'python')
  const target = `/jobs?from=${command}&x=%2e`
  const { stdout } = await run(command, [...argumentsFor(text), 'POST', app.url, target, '{"a": 1}'], { env })
  expect(stdout).toBe('200')
})
