import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { memoryReplay } from '@countersign/core'
import { memorySecrets } from '@countersign/hmac'
import { memoryCredentials } from '@countersign/mcp-credential'
import { memorySessions } from '@countersign/settings-session'
import {
  credentialStoreContract,
  gateContract,
  replayStoreContract,
  secretStoreContract,
  settingsStoreContract,
} from '@countersign/testing'
import { expect, test } from '@jest/globals'
import { keyContract } from './key-gate.js'

const here = dirname(fileURLToPath(import.meta.url))
const cases =
  gateContract(keyContract).length +
  replayStoreContract(() => memoryReplay()).length +
  secretStoreContract(() => memorySecrets([])).length +
  credentialStoreContract(() => memoryCredentials()).length +
  settingsStoreContract(() => memorySessions()).length

async function run(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd: here,
    env: { ...process.env, NODE_OPTIONS: '', VITEST: '', JEST_WORKER_ID: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  await once(child, 'close')
  return output
}

test('[testing-runners] the contracts run under node:test, and fail there for a store that forgets', async () => {
  const file = join('runners', 'contracts.node.ts')
  const output = await run('--conditions=dev-source', '--import', 'tsx', '--test', '--test-reporter=tap', file)
  expect(output).toContain(`# pass ${cases}\n`)
  expect(output).toContain('# fail 1\n')
  expect(output).toContain('not ok 1 - a key is fresh once, then seen')
}, 60_000)

test('[testing-runners] the contracts run under Vitest, and fail there for a store that forgets', async () => {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
  const output = await run(vitest, 'run', '--config', join('runners', 'vitest.config.ts'))
  const results = JSON.parse(output.slice(output.indexOf('{"num'), output.lastIndexOf('}') + 1)) as {
    numPassedTests: number
    numFailedTests: number
    testResults: { assertionResults: { status: string; fullName: string }[] }[]
  }
  expect([results.numPassedTests, results.numFailedTests]).toEqual([cases, 1])
  const failed = results.testResults.flatMap(({ assertionResults }) => assertionResults)
  expect(failed.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName)).toEqual([
    'a store that forgets a key is fresh once, then seen',
  ])
}, 60_000)
