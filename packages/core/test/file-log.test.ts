import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FileLog, openFileLog } from '@countersign/core/file-log'
import { afterEach, beforeEach, expect, test } from '@jest/globals'

interface Added {
  readonly add: string
}

let folder: string
let file: string
const open: FileLog<Added>[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-log-'))
  file = join(folder, 'log')
})
afterEach(() => {
  for (const log of open.splice(0)) log.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A list of names that is kept in a log. */
function start(path = file, format = 'names/1') {
  const names: string[] = []
  const log = openFileLog<Added>({
    file: path,
    format,
    dependency: 'names_store',
    fsync: 'always',
    replay: ({ add }) => add !== undefined && names.push(add) > 0,
    state: () => names.map((add) => ({ add })),
  })
  open.push(log)
  const add = (name: string, durability: 'acknowledged' | 'lazy' = 'acknowledged') => {
    log.append([{ add: name }], durability)
    names.push(name)
  }
  return { log, names, add }
}

const codeOf = (work: () => unknown): unknown => {
  try {
    work()
    return undefined
  } catch (error) {
    return (error as { code?: string }).code
  }
}

/** Copies a log as a crash leaves it, with another content. */
function killed(content = readFileSync(file), head = readFileSync(`${file}.head`)): string {
  const copy = join(folder, `killed-${readdirSync(folder).length}`)
  writeFileSync(copy, content)
  writeFileSync(`${copy}.head`, head)
  return copy
}

test('what was appended is read back in its order, by every opening', () => {
  const first = start()
  for (const name of ['a', 'b', 'ü']) first.add(name)
  first.add('c', 'lazy')
  expect(start(killed()).names).toEqual(['a', 'b', 'ü', 'c'])
  first.log.close()
  const second = start()
  second.add('d')
  second.log.close()
  expect(start().names).toEqual(['a', 'b', 'ü', 'c', 'd'])
})

test('a log that is cut anywhere is an error, except in what nobody acknowledged', () => {
  const { add } = start()
  for (const name of ['a', 'b']) add(name)
  const acknowledged = statSync(file).size
  add('c', 'lazy')
  const whole = readFileSync(file)
  expect(whole.length).toBeGreaterThan(acknowledged + 20)
  for (let length = 0; length < whole.length; length += 1) {
    const copy = killed(whole.subarray(0, length))
    let names: string[] | undefined
    const code = codeOf(() => {
      names = start(copy).names
    })
    expect([length, code, names]).toEqual(
      length < acknowledged ? [length, 'ERR_COUNTERSIGN_LOG_INVALID', undefined] : [length, undefined, ['a', 'b']],
    )
  }
})

test('a changed byte is an error wherever it is', () => {
  const { add } = start()
  for (const name of ['a', 'b', 'c']) add(name)
  const whole = readFileSync(file)
  for (let at = 0; at < whole.length; at += 1) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] as number) ^ 1
    expect([at, codeOf(() => start(killed(damaged)))]).toEqual([at, 'ERR_COUNTERSIGN_LOG_INVALID'])
  }
})

test('a line that is missing, repeated or elsewhere is an error', () => {
  const { add } = start()
  for (const name of ['a', 'b', 'c']) add(name)
  add('d', 'lazy')
  const lines = readFileSync(file, 'utf8').split(/(?<=\n)/)
  const [a, b] = [lines.at(-4), lines.at(-3)] as [string, string]
  expect([a.slice(17), b.slice(17)]).toEqual(['{"add":"a"}\n', '{"add":"b"}\n'])
  const at = lines.indexOf(a)
  const [before, after] = [lines.slice(0, at), lines.slice(at + 2)]
  expect(start(killed(Buffer.from([...before, a, b, ...after].join('')))).names).toEqual(['a', 'b', 'c', 'd'])
  for (const middle of [[a], [b], [b, a], [a, a, b], [a, b, b], []]) {
    const text = Buffer.from([...before, ...middle, ...after].join(''))
    expect(codeOf(() => start(killed(text)))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  }
})

test('an old copy, another log, a log without its head and a head without its log are errors', () => {
  const { add, log } = start()
  add('a')
  const [old, oldHead] = [readFileSync(file), readFileSync(`${file}.head`)]
  add('b')
  expect(codeOf(() => start(killed(old)))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  log.close()
  // Compacted since.
  start().log.close()
  expect(codeOf(() => start(killed(old)))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  expect(codeOf(() => start(killed(undefined, oldHead)))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  const other = start(join(folder, 'other'))
  other.log.close()
  start(join(folder, 'other')).log.close()
  expect(codeOf(() => start(killed(readFileSync(join(folder, 'other')))))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  for (const head of ['', 'x', oldHead.toString().slice(1)]) {
    expect(codeOf(() => start(killed(undefined, Buffer.from(head))))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  }
  const copy = killed()
  rmSync(copy)
  expect(codeOf(() => start(copy))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  rmSync(`${copy}.head`)
  expect(start(copy).names).toEqual([])
})

test('what is no log, or one of another version, is refused and left as it is', () => {
  start().log.close()
  expect(() => start(file, 'names/2')).toThrow('is a log of names/1, not of names/2')
  const before = readFileSync(file)
  for (const text of ['{"format":"countersign-mcp-credentials","version":1,"entries":0,"retired":[]}\n', '\n', 'x']) {
    writeFileSync(file, text)
    expect(codeOf(() => start())).toBe('ERR_COUNTERSIGN_LOG_INVALID')
    expect(readFileSync(file, 'utf8')).toBe(text)
  }
  writeFileSync(file, before)
  expect(start().names).toEqual([])
})

test('a log is read in parts, however large it is', () => {
  const { add, names } = start()
  // Of 2 bytes each: a part ends in the midst of one.
  for (const length of [1, 400_000, 700_001, 30, 1_300_000]) add('é'.repeat(length))
  const content = readFileSync(file)
  expect(start(killed(content)).names).toEqual(names)
  expect(() => start(killed(content.subarray(0, -1)))).toThrow('lacks 1 of its lines')
  const huge = killed()
  truncateSync(huge, 0)
  truncateSync(huge, 2 ** 31 + 1)
  expect(codeOf(() => start(huge))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
})

test('a log that grew fourfold is written again, without what is over', () => {
  const { add, names, log } = start()
  const large = 'x'.repeat(10_000)
  for (let index = 0; index < 120; index += 1) add(`${index} ${large}`, 'lazy')
  names.splice(0, 119)
  log.compact()
  expect(statSync(file).size).toBeLessThan(11_000)
  add('last')
  const expected = [`119 ${large}`, 'last']
  expect(start(killed()).names).toEqual(expected)
  log.compact()
  expect(readFileSync(file, 'utf8')).toMatch(/ {"add":"last"}\n$/)
})

test('a crash anywhere in a compaction loses nothing, and leaves no file behind', () => {
  const { add, log } = start()
  add('a')
  add('b', 'lazy')
  const [old, oldHead] = [readFileSync(file), readFileSync(`${file}.head`)]
  const lazy = killed()
  writeFileSync(`${lazy}.new`, 'half of a log')
  expect(start(lazy).names).toEqual(['a', 'b'])
  expect(existsSync(`${lazy}.new`)).toBe(false)
  log.close()
  // An opening reads, notes in the head what it read, and compacts: the new log is there before its head.
  const copy = killed(old, oldHead)
  start(copy).log.close()
  const noted = `${oldHead.toString().slice(0, 15)} ${String(old.toString().split('\n').length - 1).padStart(15, '0')}`
  const chain = old.toString().split('\n').at(-2)?.slice(0, 16)
  const between = killed(readFileSync(copy), Buffer.from(`${noted} ${chain}\n`))
  const cut = killed(readFileSync(copy).subarray(0, -10), Buffer.from(`${noted} ${chain}\n`))
  expect(codeOf(() => start(cut))).toBe('ERR_COUNTERSIGN_LOG_INVALID')
  expect(start(between).names).toEqual(['a', 'b'])
})

test('all files are private, whatever the mask and the mode before, and after the end there are two', () => {
  const mask = process.umask(0)
  try {
    const { add, log } = start()
    add('a')
    expect(readdirSync(folder).sort()).toEqual(['log', 'log.head', 'log.lock'])
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600])
    log.close()
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o666)
    start().log.close()
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600])
    expect(readdirSync(folder).sort()).toEqual(['log', 'log.head'])
  } finally {
    process.umask(mask)
  }
})

test('no link is followed: what it points to stays as it is', () => {
  const victim = join(folder, 'victim')
  start().log.close()
  const [log, head] = [readFileSync(file), readFileSync(`${file}.head`)]
  for (const [part, content] of [
    ['', log],
    ['.head', head],
    ['.lock', 'not a lock'],
    ['.new', 'x'],
  ] as const) {
    const own = join(folder, `linked${part}`)
    copyFileSync(file, own)
    copyFileSync(`${file}.head`, `${own}.head`)
    writeFileSync(victim, content)
    rmSync(own + part, { force: true })
    symlinkSync(victim, own + part)
    const code = codeOf(() => start(own).log.close())
    // A leftover of a compaction is removed; the link, not what it points to.
    expect([part, code]).toEqual([part, part === '.new' ? undefined : 'ERR_COUNTERSIGN_UNAVAILABLE'])
    expect(readFileSync(victim).equals(Buffer.from(content))).toBe(true)
    rmSync(own + part, { force: true })
  }
})

test('a folder in its place, and a folder that is not there, are outages', () => {
  mkdirSync(file)
  expect(codeOf(() => start())).toBe('ERR_COUNTERSIGN_UNAVAILABLE')
  expect(codeOf(() => start(join(folder, 'none', 'log')))).toBe('ERR_COUNTERSIGN_UNAVAILABLE')
  expect(readdirSync(folder).filter((name) => name.endsWith('.lock'))).toEqual([])
})
