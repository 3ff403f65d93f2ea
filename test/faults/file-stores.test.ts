import { fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createAudit } from '@countersign/core'
import { fileReplay, fileStores, fileUsage } from '@countersign/core/file'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { fileCredentials } from '@countersign/mcp-credential/file'
import { fileSessions } from '@countersign/settings-session/file'
import { expect, test } from '@jest/globals'
import { messageFrom } from '../support/child-messages.js'
import { isLong } from '../support/run-length.js'

const ROUNDS = isLong ? 100 : 3

test('file stores of a process that is killed under load have what was acknowledged, and revive nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-killed-'))
  const [stores, report] = [join(folder, 'stores'), join(folder, 'report')]
  let counted = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const child = fork(
      fileURLToPath(new URL('file-stores-process.ts', import.meta.url)),
      [stores, report, round % 2 === 0 ? 'never' : 'always'],
      { execArgv: ['--conditions=dev-source', '--import', 'tsx'], env: { ...process.env, NODE_OPTIONS: '' } },
    )
    await messageFrom(child, ({ ready }) => ready)
    await sleep(randomInt(50, 600))
    const ended = once(child, 'exit')
    expect(child.kill('SIGKILL')).toBe(true)
    await ended
    const wrong = await compare(stores, readFileSync(report, 'utf8'))
    expect({ round, wrong: wrong.slice(0, 5) }).toEqual({ round, wrong: [] })
    counted = readFileSync(report, 'utf8').split('\n').length
  }
  console.log('killed', { rounds: ROUNDS, steps: counted })
  expect(counted).toBeGreaterThan(50)
  rmSync(folder, { recursive: true })
}, 1_800_000)

/** What a process that starts now finds otherwise than it was acknowledged. */
async function compare(folder: string, report: string): Promise<string[]> {
  const files = fileStores(folder, { fsync: 'never' })
  const replay = fileReplay(files)
  const sessions = fileSessions(files, { maxEntries: 1_000_000 })
  const credentials = createMcpCredentials({ store: fileCredentials(files), audit: createAudit() })
  // The last line may have been cut off.
  const lines = report
    .slice(0, report.lastIndexOf('\n'))
    .split('\n')
    .map((line) => line.split(' '))
  const [ending, ended] = ['ending', 'ended'].map(
    (what) => new Set(lines.filter(([is]) => is === what).map((l) => l[1])),
  )
  const wrong: string[] = []
  const check = (isRight: boolean, what: string) => {
    if (!isRight) wrong.push(what)
  }
  let counts = 0
  for (const [is, name = '', ...rest] of lines) {
    if (is === 'counted') counts += 1
    if (is === 'claimed') check((await replay.claim(name, 3_600_000)) === 'seen', `${name} can be used once more`)
    const isWanted = !ending?.has(name) || (ended?.has(name) ? false : undefined)
    if (is === 'bound') {
      const [tag = '', hash = ''] = rest
      const { outcome } = await sessions.read({ tag, hash })
      check(isWanted === undefined || (outcome === 'found') === isWanted, `the session of ${name} is ${outcome}`)
      const identity = await sessions.identityOf({ platform: 'slack', userId: name })
      check(identity?.subject === name, `${name} is bound to ${identity?.subject}`)
    }
    if (is === 'issued') {
      const found = await credentials.resolve(rest[0] ?? '')
      const standing = 'standing' in found ? found.standing : 'unknown'
      check(isWanted === undefined || (standing === 'live') === isWanted, `the credential of ${name} is ${standing}`)
    }
  }
  const [usage] = await fileUsage(files).read()
  // One may be added that was not told.
  check((usage?.accepted ?? 0) >= counts, `${usage?.accepted} uses are counted of ${counts}`)
  await credentials.close()
  files.close()
  return wrong
}
