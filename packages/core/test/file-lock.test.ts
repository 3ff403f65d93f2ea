import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openFileLog } from '@countersign/core/file-log'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { messageFrom } from '../../../test/support/child-messages.js'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-lock-'))
  file = join(folder, 'log')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = () =>
  openFileLog<{ add: string }>({
    file,
    format: 'names/1',
    dependency: 'names_store',
    fsync: 'never',
    replay: () => true,
    state: () => [],
  })

async function startOther(): Promise<{ child: ChildProcess; ready: unknown }> {
  const child = fork(fileURLToPath(new URL('log-process.ts', import.meta.url)), [file], {
    execArgv: ['--conditions=dev-source', '--import', 'tsx'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  return { child, ready: await messageFrom(child, ({ ready }) => ready) }
}

test('the second opening of a log is refused, in one process and in two, until the first has ended', async () => {
  const first = open()
  expect(open).toThrow(/is already open in this process/)
  expect((await startOther()).ready).toBe('ERR_COUNTERSIGN_LOG_IN_USE')
  first.append([{ add: 'a' }], 'acknowledged')
  first.close()
  first.close()
  expect(existsSync(`${file}.lock`)).toBe(false)

  const { child, ready } = await startOther()
  expect(ready).toBe('yes')
  expect(open).toThrow(`is already open in the process ${child.pid}.`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(existsSync(`${file}.lock`)).toBe(true)
  open().close()
}, 120_000)

test('of processes that start at once on the lock of a killed one, one can append', async () => {
  open().close()
  writeFileSync(`${file}.lock`, '999999999 1\n')
  const others = await Promise.all([startOther(), startOther(), startOther()])
  const answers: unknown[] = []
  for (const { child, ready } of others) {
    if (ready === 'yes') child.send({})
    answers.push(ready === 'yes' ? await messageFrom(child, ({ appended }) => appended) : ready)
  }
  expect(answers.filter((answer) => answer === 'yes').length).toBe(1)
  for (const answer of answers) expect(String(answer)).toMatch(/^(?:yes|ERR_COUNTERSIGN_(?:LOG_IN_USE|UNAVAILABLE))$/)
  const ended = others.map(({ child }) => child.exitCode ?? child.signalCode ?? once(child, 'exit'))
  for (const { child } of others) child.kill('SIGKILL')
  await Promise.all(ended)
}, 120_000)

test('a lock whose process has ended, or whose number is another process’s by now, holds nothing', () => {
  open().close()
  const started = readFileSync(`/proc/${process.pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[19]
  for (const text of ['', 'not a number', '999999999 123', `${process.pid} 1`, `1 ${started}`, '999999999']) {
    writeFileSync(`${file}.lock`, text)
    open().close()
  }
  // Where the system does not say when a process was started, its number counts.
  for (const text of [`${process.pid} ${started}`, `${process.pid}`]) {
    writeFileSync(`${file}.lock`, text)
    expect(open).toThrow(/is already open/)
  }
})

test('who takes the log over has every acknowledged change; the other one is refused from then on', () => {
  const first = open()
  first.append([{ add: 'a' }], 'acknowledged')
  rmSync(`${file}.lock`)
  const names: unknown[] = []
  const second = openFileLog<{ add: string }>({
    file,
    format: 'names/1',
    dependency: 'names_store',
    fsync: 'never',
    replay: ({ add }) => names.push(add) > 0,
    state: () => [],
  })
  expect(names).toEqual(['a'])
  const outage = expect.objectContaining({ code: 'ERR_COUNTERSIGN_UNAVAILABLE', dependency: 'names_store' })
  const refused = (work: () => void) => {
    let error: unknown
    try {
      work()
    } catch (one) {
      error = one
    }
    expect(error).toEqual(outage)
  }
  first.assertHeld()
  refused(() => first.compact())
  refused(() => first.assertHeld())
  refused(() => first.append([{ add: 'b' }], 'acknowledged'))
  first.close()
  second.append([{ add: 'c' }], 'acknowledged')
  second.close()
  expect(readFileSync(file, 'utf8')).not.toContain('"b"')
  expect(existsSync(`${file}.lock`)).toBe(false)
})

test('a log whose files were removed is an outage', () => {
  const log = open()
  rmSync(file)
  expect(() => log.append([{ add: 'a' }], 'acknowledged')).toThrow(
    /was closed, removed, or taken over by another process/,
  )
  log.close()
})
