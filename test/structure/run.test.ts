import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type JestResults, readArguments, summarise } from '../support/jest-results.mjs'
import {
  findChromium,
  findNginx,
  findPostgres,
  findPrometheus,
  findRedisServer,
  missingParts,
  planInstall,
} from '../support/machine.mjs'
import { isSupportedNode, PNPM_VERSION, pnpm } from '../support/pnpm.mjs'
import { root } from './workspace.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-run-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a machine has that lacks nothing. */
const COMMANDS = ['redis-server', 'chromium', 'postgres', 'initdb', 'nginx', 'prometheus', 'promtool']

/** A folder for the PATH with these commands in it, each ending with 0. */
function pathWith(name: string, ...commands: string[]): string {
  const path = join(folder, name)
  mkdirSync(path)
  for (const command of commands) {
    writeFileSync(join(path, command), '#!/bin/sh\nexit 0\n')
    chmodSync(join(path, command), 0o755)
  }
  return path
}

const machine = (commands: string[], isRoot = false, hasSudo = false) => ({
  has: (command: string) => commands.includes(command),
  isRoot,
  hasSudo,
})

test.each([
  ['20.18.3', false],
  ['20.19.0', true],
  ['21.7.3', false],
  ['22.11.0', false],
  ['22.12.0', true],
  ['24.0.0', true],
  ['18.20.8', false],
])('Node %s is supported: %s', (version, supported) => {
  expect(isSupportedNode(version)).toBe(supported)
})

test('pnpm is a fixed version, and comes through npx without asking', () => {
  expect(PNPM_VERSION).toMatch(/^\d+\.\d+\.\d+$/)
  expect(pnpm(['install'])).toEqual({ command: 'npx', args: ['--yes', `pnpm@${PNPM_VERSION}`, 'install'] })
})

describe('the parts that the machine must have', () => {
  test('are looked for on the PATH, and where a variable says', () => {
    const PATH = pathWith('all', ...COMMANDS)
    expect(missingParts({ PATH })).toEqual([])
    expect(findRedisServer({ PATH })).toBe(join(PATH, 'redis-server'))
    expect(findChromium({ PATH: '', CHROMIUM: join(PATH, 'chromium') })).toBe(join(PATH, 'chromium'))
    expect(findChromium({ PATH: '' }, [join(PATH, 'absent'), join(PATH, 'chromium')])).toBe(join(PATH, 'chromium'))
    expect(findPostgres({ PATH })).toBe(PATH)
    expect(findPostgres({ PATH: '', POSTGRES_BIN: PATH })).toBe(PATH)
    expect(findNginx({ PATH: '', NGINX: join(PATH, 'nginx') })).toBe(join(PATH, 'nginx'))
    expect(findPrometheus({ PATH })).toBe(PATH)
    expect(findPrometheus({ PATH: '', PROMETHEUS_BIN: PATH })).toBe(PATH)
    expect(findNginx({ PATH: '' }, [join(PATH, 'absent'), join(PATH, 'nginx')])).toBe(join(PATH, 'nginx'))
  })

  test('are found in the newest of the folders that packages make for PostgreSQL', () => {
    mkdirSync(join(folder, 'postgresql'))
    for (const version of ['9.6', '15', '14']) {
      mkdirSync(join(folder, 'postgresql', version))
      pathWith(join('postgresql', version, 'bin'), 'postgres', 'initdb')
    }
    pathWith(join('postgresql', 'bin'), 'postgres')
    const place = join(folder, 'postgresql')
    expect(findPostgres({ PATH: '' }, [join(folder, 'absent'), place])).toBe(join(place, '15', 'bin'))
    expect(findPostgres({ PATH: '', POSTGRES_BIN: join(place, 'bin') }, [place])).toBeUndefined()
  })

  test('are missing when a variable names what is not there, whatever the PATH has', () => {
    const PATH = pathWith('named', ...COMMANDS)
    expect(missingParts({ PATH, REDIS_SERVER: '/nowhere/redis-server' })).toEqual(['redis'])
    expect(missingParts({ PATH, CHROMIUM: '/nowhere/chromium' })).toEqual(['chromium'])
    expect(missingParts({ PATH, POSTGRES_BIN: '/nowhere' })).toEqual(['postgres'])
    expect(missingParts({ PATH, NGINX: '/nowhere/nginx' })).toEqual(['nginx'])
    expect(missingParts({ PATH, PROMETHEUS_BIN: '/nowhere' })).toEqual(['prometheus'])
  })

  test('are missing without promtool, which tests the alert rules', () => {
    const PATH = pathWith('no-promtool', ...COMMANDS.filter((command) => command !== 'promtool'))
    expect(missingParts({ PATH })).toEqual(['prometheus'])
  })

  test('are installed by root, or through a sudo that asks no password', () => {
    expect(planInstall(['redis', 'chromium'], machine(['apt-get'], true)).commands).toEqual([
      ['apt-get', 'update', '-qq'],
      ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'redis-server', 'chromium'],
    ])
    expect(planInstall(['postgres'], machine(['apt-get'], true)).commands?.at(-1)).toEqual([
      ...['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'postgresql'],
    ])
    expect(planInstall(['nginx'], machine(['apt-get'], true)).commands?.at(-1)).toEqual([
      ...['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'nginx-light'],
    ])
    expect(planInstall(['prometheus'], machine(['apt-get'], true)).commands?.at(-1)).toEqual([
      ...['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'prometheus'],
    ])
    expect(planInstall(['redis'], machine(['dnf'], false, true)).commands).toEqual([
      ['sudo', 'dnf', 'install', '-y', 'redis'],
    ])
    expect(planInstall(['chromium'], machine(['apk'], true)).commands).toEqual([
      ['apk', 'add', '--no-cache', 'chromium'],
    ])
    expect(planInstall(['redis'], machine(['brew'])).commands).toEqual([['brew', 'install', 'redis']])
  })

  test('are named with the command to run when nobody may install them', () => {
    expect(planInstall(['redis'], machine(['apt-get'])).message).toBe(
      'Run this, then npm test again:\n\n  sudo apt-get update -qq && ' +
        'sudo apt-get install -y -qq --no-install-recommends redis-server\n',
    )
    expect(planInstall(['redis', 'chromium'], machine([])).message).toBe(
      'Install redis and chromium so that it is found on the PATH, and run npm test again.',
    )
  })

  test('fail npm test before anything else is done when they cannot be installed', () => {
    const path = join(folder, 'bare')
    mkdirSync(path)
    symlinkSync(process.execPath, join(path, 'node'))
    const done = spawnSync(process.execPath, [join(root, 'test/run.mjs')], {
      encoding: 'utf8',
      env: { PATH: path, CHROMIUM: '/nowhere/chromium', POSTGRES_BIN: '/nowhere', NGINX: '/nowhere' },
    })
    expect(done.status).toBe(1)
    expect(done.stderr).toContain('the machine lacks: redis, chromium, postgres, nginx, prometheus')
    expect(done.stderr).toContain('Install redis and chromium and postgres and nginx and prometheus')
    expect(done.stdout).not.toContain('Install\n')
    expect(done.stdout).not.toMatch(/passed/)
  })
})

describe('what Jest reports', () => {
  const results: JestResults = {
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    numRuntimeErrorTestSuites: 0,
    testResults: [
      { name: 'a', startTime: 0, endTime: 1_000 },
      { name: 'b', startTime: 0, endTime: 2_500 },
    ],
  }

  test('becomes one line, and the files by the time they took', () => {
    expect(summarise(results)).toEqual({
      passed: 3,
      failed: 0,
      skipped: 0,
      problem: undefined,
      slowest: [
        { name: 'b', seconds: 2.5 },
        { name: 'a', seconds: 1 },
      ],
      line: '3 passed, 0 failed',
    })
  })

  test('counts a file that could not be run as a failure', () => {
    expect(summarise({ ...results, numFailedTests: 1, numRuntimeErrorTestSuites: 2 }).line).toBe('3 passed, 3 failed')
  })

  test('is not a success with a skipped test, unless tests were picked by their titles', () => {
    const skipping = { ...results, numPendingTests: 1, numTodoTests: 1 }
    expect(summarise(skipping).problem).toBe('2 skipped: a test that does not run proves nothing')
    expect(summarise(skipping, { filtered: true }).problem).toBeUndefined()
  })

  test('is not a success when nothing ran', () => {
    expect(summarise({ ...results, numPassedTests: 0 }).problem).toBe('no test was run')
  })
})

test.each([
  [[], { namesFiles: false, filtered: false, setsConfig: false, setsWorkers: false }],
  [['packages/core'], { namesFiles: true, filtered: false, setsConfig: false, setsWorkers: false }],
  [['-t', 'a title', '--maxWorkers', '1'], { namesFiles: false, filtered: true, setsConfig: false, setsWorkers: true }],
  [['-c', 'a.json', 'a.test.ts'], { namesFiles: true, filtered: false, setsConfig: true, setsWorkers: false }],
  [
    ['--testNamePattern=x', '-i', 'a.test.ts'],
    { namesFiles: true, filtered: true, setsConfig: false, setsWorkers: true },
  ],
])('the arguments %j are understood', (args, expected) => {
  expect(readArguments(args)).toEqual(expected)
})

test('a failing test fails the command, and the line says so', () => {
  const config = join(folder, 'jest.config.json')
  writeFileSync(config, JSON.stringify({ rootDir: folder, testMatch: ['**/*.check.cjs'] }))
  writeFileSync(join(folder, 'a.check.cjs'), "test('good', () => {})\ntest('bad', () => { throw new Error('no') })\n")
  const args = [join(root, 'test/run.mjs'), '--quick', '-c', config, '-i', 'a.check']
  const done = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
  expect(done.status).toBe(1)
  expect(done.stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 1 failed')
})
