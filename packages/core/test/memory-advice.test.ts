import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const PROGRAM = fileURLToPath(new URL('memory-process.ts', import.meta.url))
const DENIED = ['NODE_ENV', 'pm_id', 'instances', 'NODE_APP_INSTANCE', 'AWS_LAMBDA_FUNCTION_NAME']

/** What a process with this environment prints as warnings: code and message of each. */
function warningsOf(env: NodeJS.ProcessEnv, ...args: readonly string[]): string[] {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !DENIED.includes(name)))
  const done = spawnSync(process.execPath, ['--conditions=dev-source', '--import', 'tsx', PROGRAM, ...args], {
    encoding: 'utf8',
    env: { ...clean, NODE_OPTIONS: '', ...env },
  })
  expect([done.status, done.stdout]).toEqual([0, ''])
  return Array.from(
    done.stderr.matchAll(/^\(node:\d+\) \[(\w+)\] Warning: (.*)$/gm),
    ([, code, text]) => `${code}: ${text}`,
  )
}

const KEPT = 'memoryReplay() keeps used signatures and proofs only in this process'
const PAGES = 'https://countersign.example/errors'
const RESTART = `COUNTERSIGN_MEMORY_LOST_AT_RESTART: ${KEPT}, and after a restart, they can be used again while their time window lasts. See ${PAGES}/COUNTERSIGN_MEMORY_LOST_AT_RESTART`
const under = (what: string) =>
  `COUNTERSIGN_MEMORY_UNDER_WORKERS: ${KEPT}, and this is ${what}: the others do not see it. See ${PAGES}/COUNTERSIGN_MEMORY_UNDER_WORKERS`

test('in production a memory replay store is told of once, because a restart forgets what was used', () => {
  expect(warningsOf({ NODE_ENV: 'production' })).toEqual([RESTART])
})

test('each worker of node:cluster says once that the others do not have what is in its memory', () => {
  const worker = under('a worker of node:cluster')
  expect(warningsOf({ NODE_ENV: 'production' }, 'cluster')).toEqual([worker, worker])
})

test('outside production nothing is said, under workers neither', () => {
  expect(warningsOf({ NODE_ENV: 'development' }, 'cluster')).toEqual([])
  expect(warningsOf({})).toEqual([])
})

// The variables are those that PM2 7 sets.
test.each([
  ['one process', { pm_id: '0', instances: '1', NODE_APP_INSTANCE: '0' }, RESTART],
  [
    'the first of two',
    { pm_id: '0', instances: '2', NODE_APP_INSTANCE: '0' },
    under('one of several processes of PM2'),
  ],
  [
    'one that was added',
    { pm_id: '4', instances: '1', NODE_APP_INSTANCE: '1' },
    under('one of several processes of PM2'),
  ],
])('under PM2, %s', (_case, env, expected) => {
  expect(warningsOf({ NODE_ENV: 'production', ...env })).toEqual([expected])
})

test('a single process that PM2 runs as a worker of node:cluster is not one of several', () => {
  expect(warningsOf({ NODE_ENV: 'production', pm_id: '0', instances: '1', NODE_APP_INSTANCE: '0' }, 'cluster')).toEqual(
    [RESTART, RESTART],
  )
})

test('AWS Lambda, which sets no NODE_ENV, is production with several instances', () => {
  const lambda = under('an instance of an AWS Lambda function')
  expect(warningsOf({ AWS_LAMBDA_FUNCTION_NAME: 'orders' })).toEqual([lambda])
  expect(warningsOf({ AWS_LAMBDA_FUNCTION_NAME: 'orders', NODE_ENV: 'test' })).toEqual([])
})
