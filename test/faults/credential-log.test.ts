import { fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createAudit } from '@countersign/core'
import { createMcpCredentials, memoryCredentials } from '@countersign/mcp-credential'
import { expect, test } from '@jest/globals'
import { messageFrom } from '../support/child-messages.js'
import { isLong } from '../support/run-length.js'
import { Acknowledged } from './credential-log.js'

const ROUNDS = isLong ? 200 : 4

test('a process that is killed at a random moment loses no credential, and revives none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-killed-'))
  const [file, report] = [join(folder, 'log', 'credentials'), (round: number) => join(folder, `report-${round}`)]
  mkdirSync(join(folder, 'log'))
  const acknowledged = new Acknowledged()
  const figures = { rounds: 0, steps: 0, live: 0, ended: 0, bytes: 0 }
  for (let round = 0; round < ROUNDS; round += 1) {
    const child = fork(
      fileURLToPath(new URL('credential-log-process.ts', import.meta.url)),
      [file, report(round), String(round), round % 2 === 0 ? 'never' : 'always'],
      { execArgv: ['--conditions=dev-source', '--import', 'tsx'], env: { ...process.env, NODE_OPTIONS: '' } },
    )
    // Some are killed while they open the log.
    if (round % 4 === 3) await sleep(randomInt(1500))
    else {
      await messageFrom(child, ({ ready }) => ready)
      await sleep(randomInt(50, 600))
    }
    const ended = once(child, 'exit')
    expect(child.kill('SIGKILL')).toBe(true)
    await ended
    if (existsSync(report(round))) acknowledged.read(report(round))
    const store = memoryCredentials({ file, fsync: 'never', maxCredentials: 1_000_000 })
    const credentials = createMcpCredentials({ store, audit: createAudit() })
    const { wrong, ...found } = await acknowledged.compare(credentials)
    expect([round, wrong]).toEqual([round, []])
    await credentials.close()
    expect(readdirSync(join(folder, 'log')).sort()).toEqual(['credentials', 'credentials.head'])
    Object.assign(figures, found, { rounds: round + 1, steps: acknowledged.steps, bytes: statSync(file).size })
  }
  console.log('killed', figures)
  expect(figures.live).toBeGreaterThan(20)
  expect(figures.ended).toBeGreaterThan(20)
  rmSync(folder, { recursive: true })
}, 1_800_000)
