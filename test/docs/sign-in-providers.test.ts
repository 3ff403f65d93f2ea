import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSettingsSessions, settingsOAuthFromEnv } from '@countersign/settings-session'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { PRESET_NAMES } from '../../packages/settings-session/src/oauth/presets.js'
import { fencesOf, readPages } from './markdown.js'

const environments = readPages()
  .filter(({ path }) => path === 'docs/recipes/sign-in-providers.md')
  .flatMap(fencesOf)
  .filter(({ language, code }) => language === 'sh' && code.startsWith('SETTINGS_OAUTH_'))
  .map(({ code }) => Object.fromEntries(code.split('\n').map((line) => line.split('=') as [string, string])))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-sign-in-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What stands in the place of a secret that the page names. */
function fileOf(variable: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const isKey = variable.includes('PRIVATE_KEY')
  const file = join(folder, variable)
  writeFileSync(file, isKey ? privateKey.export({ type: 'pkcs8', format: 'pem' }) : 'a-secret-of-the-tests')
  return file
}

test('the page has each preset, and one provider without', () => {
  expect(environments.map((env) => env.SETTINGS_OAUTH_PRESET)).toEqual([...PRESET_NAMES, undefined])
})

const named = environments.map((env) => [env.SETTINGS_OAUTH_PRESET ?? 'any other', env] as const)

test.each(named)('the environment for %s is complete', (_name, env) => {
  const given = Object.entries(env).map(([name, value]) => [name, name.endsWith('_FILE') ? fileOf(name) : value])
  const oauth = settingsOAuthFromEnv(Object.fromEntries(given), { required: true })
  const baseUrl = 'https://app.example.com/settings'
  expect(() => createSettingsSessions({ baseUrl, oauth, confirmCode: true })).not.toThrow()
})
