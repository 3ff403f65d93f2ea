import { fork } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
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
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OptionError } from '@countersign/core'
import { type FileStores, type FileStoresOptions, fileReplay, fileStores, fileUsage } from '@countersign/core/file'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { messageFrom } from '../../../test/support/child-messages.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { replayStoreContract } from '../../../test/support/replay-contract.js'

const OUTAGE = { code: 'ERR_COUNTERSIGN_UNAVAILABLE' }
let root: string
const open: FileStores[] = []
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'countersign-files-'))
})
afterEach(() => {
  for (const files of open.splice(0)) files.close()
  rmSync(root, { recursive: true, force: true })
})

let folders = 0
const newFolder = () => join(root, 'deep', `f${folders++}`)

function start(folder = newFolder(), options: FileStoresOptions = {}) {
  const files = fileStores(folder, options)
  open.push(files)
  return { folder, files }
}

/** The folder as it is when its process is killed now. */
function killed(folder: string): string {
  const copy = start().folder
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.lock')) copyFileSync(join(folder, name), join(copy, name))
  }
  return copy
}

describe('the file replay store', () => {
  test.each(replayStoreContract(() => fileReplay(start().files)))('[core-replay-contract] $title', ({ run }) => run())

  test('[core-file-replay] refuses after a restart what was used before it, for as long as its time lasts', () => {
    const clock = fakeClock()
    const { folder, files } = start(newFolder(), { clock })
    const store = fileReplay(files)
    expect([store.claim('a', 60_000), store.claim('b', 10_000)]).toEqual(['fresh', 'fresh'])
    const after = fileReplay(start(killed(folder), { clock }).files)
    expect([after.claim('a', 60_000), after.claim('b', 10_000)]).toEqual(['seen', 'seen'])
    clock.advance(10_000)
    const later = fileReplay(start(killed(folder), { clock }).files)
    expect([later.claim('a', 60_000), later.claim('b', 10_000)]).toEqual(['seen', 'fresh'])
    clock.advance(49_999)
    expect(later.claim('a', 60_000)).toBe('seen')
    clock.advance(1)
    expect(later.claim('a', 60_000)).toBe('fresh')
  })

  test('[core-file-replay] remembers for as long when the wall clock jumps, and longer when it is set back', () => {
    const clock = fakeClock()
    const { folder, files } = start(newFolder(), { clock })
    const store = fileReplay(files)
    store.claim('a', 60_000)
    clock.jump(3_600_000)
    expect(store.claim('a', 60_000)).toBe('seen')
    clock.jump(-7_200_000)
    expect(store.claim('a', 60_000)).toBe('seen')
    const after = fileReplay(start(killed(folder), { clock }).files)
    clock.advance(60_000)
    expect(after.claim('a', 60_000)).toBe('seen')
  })

  test('[core-file-replay] full, it is unavailable and writes nothing, also when it is opened with less room', () => {
    const clock = fakeClock()
    const { folder, files } = start(newFolder(), { clock })
    const store = fileReplay(files, { maxEntries: 2 })
    store.claim('a', 1000)
    store.claim('b', 2000)
    const { size } = statSync(join(folder, 'replay'))
    expect(() => store.claim('c', 1000)).toThrow(expect.objectContaining({ ...OUTAGE, dependency: 'replay_store' }))
    expect(statSync(join(folder, 'replay')).size).toBe(size)
    expect(() => fileReplay(start(killed(folder), { clock }).files, { maxEntries: 1 })).toThrow(
      expect.objectContaining(OUTAGE),
    )
    clock.advance(1000)
    expect(store.claim('c', 1000)).toBe('fresh')
    expect(store.claim('b', 1000)).toBe('seen')
  })

  test('[core-file-replay] a log that was removed is an outage, for what was used before, too', () => {
    const { folder, files } = start()
    const store = fileReplay(files)
    store.claim('a', 60_000)
    rmSync(folder, { recursive: true })
    expect(() => store.claim('b', 60_000)).toThrow(expect.objectContaining(OUTAGE))
    expect(() => store.claim('a', 60_000)).toThrow(expect.objectContaining(OUTAGE))
  })
})

describe('the file usage store', () => {
  test('adds up what was counted, and has it after a restart', async () => {
    const { folder, files } = start()
    const store = fileUsage(files)
    await store.add([{ caller: 'b', accepted: 2, refused: 0, lastSeenAt: 20 }])
    await store.add([
      { caller: 'a', accepted: 1, refused: 0, lastSeenAt: 5 },
      { caller: 'b', accepted: 1, refused: 1, lastSeenAt: 10 },
    ])
    const counted = [
      { caller: 'a', accepted: 1, refused: 0, lastSeenAt: 5 },
      { caller: 'b', accepted: 3, refused: 1, lastSeenAt: 20 },
    ]
    expect(await store.read()).toEqual(counted)
    // The first one reads what was appended, the second one what the first one wrote again.
    const again = start(killed(folder))
    expect(await fileUsage(again.files).read()).toEqual(counted)
    again.files.close()
    expect(await fileUsage(start(again.folder).files).read()).toEqual(counted)
    expect(await fileUsage(files, { name: 'other' }).read()).toEqual([])
  })

  test('a log that was removed is an outage', async () => {
    const { folder, files } = start()
    const store = fileUsage(files)
    rmSync(folder, { recursive: true })
    const use = { caller: 'a', accepted: 1, refused: 0, lastSeenAt: 1 }
    await expect(store.add([use])).rejects.toMatchObject({ ...OUTAGE, dependency: 'usage_store' })
    await expect(store.read()).rejects.toMatchObject(OUTAGE)
  })
})

describe('a folder of stores', () => {
  test('opens what is asked for, once, private, and closes it', async () => {
    const { folder, files } = start()
    expect(readdirSync(folder)).toEqual([])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(fileReplay(files)).toBe(fileReplay(files))
    fileReplay(files).claim('a', 60_000)
    expect(readdirSync(folder).sort()).toEqual(['replay', 'replay.head', 'replay.lock'])
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    expect(() => fileReplay(start(folder).files)).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_LOG_IN_USE' }),
    )
    files.close()
    files.close()
    expect(readdirSync(folder).sort()).toEqual(['replay', 'replay.head'])
    expect(fileReplay(start(folder).files).claim('a', 60_000)).toBe('seen')
  })

  test.each(['replay', 'usage-hmac'])('a %s that is damaged, short or a link is refused', async (name) => {
    const { folder, files } = start()
    const make = (one: FileStores) => (name === 'replay' ? fileReplay(one) : fileUsage(one))
    make(files)
    fileReplay(files).claim('a', 60_000)
    await fileUsage(files).add([{ caller: 'a', accepted: 1, refused: 0, lastSeenAt: 1 }])
    const short = killed(folder)
    truncateSync(join(short, name), readFileSync(join(short, name)).lastIndexOf('\n', -2) + 1)
    expect(() => make(start(short).files)).toThrow(/lacks 1 of its lines/)
    const linked = start()
    symlinkSync(join(folder, name), join(linked.folder, name))
    copyFileSync(join(folder, `${name}.head`), join(linked.folder, `${name}.head`))
    expect(() => make(linked.files)).toThrow(/ELOOP/)
    const strange = killed(folder)
    const other = name === 'replay' ? 'usage-hmac' : 'replay'
    for (const part of ['', '.head']) copyFileSync(join(folder, other + part), join(strange, name + part))
    expect(() => make(start(strange).files)).toThrow(/is a log of countersign-/)
  })

  test('[core-file-replay] its folders are on disk before a claim, and what a failing head refused is not done', async () => {
    const folder = newFolder()
    const child = fork(fileURLToPath(new URL('disk-process.ts', import.meta.url)), [folder], {
      execArgv: ['--conditions=dev-source', '--import', 'tsx'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    const ended = once(child, 'exit')
    const said = await messageFrom(child, (message) => message as { folders: string[]; claims: string[] })
    expect(said.folders.sort()).toEqual([root, dirname(folder), folder].sort())
    expect(said.claims).toEqual([OUTAGE.code, 'fresh'])
    await ended
    const after = fileReplay(start(folder).files)
    expect([after.claim('a', 60_000), after.claim('b', 60_000)]).toEqual(['fresh', 'seen'])
  })

  test('a head that is damaged is an error without its log, too', () => {
    const { folder } = start()
    for (const [text, outcome] of [
      ['damaged', 'ERR_COUNTERSIGN_LOG_INVALID'],
      ['\0'.repeat(49), 'fresh'],
    ] as const) {
      writeFileSync(join(folder, 'replay.head'), text)
      const claim = () => {
        try {
          return fileReplay(start(folder).files).claim('a', 60_000)
        } catch (error) {
          return (error as { code?: string }).code
        }
      }
      expect(claim()).toBe(outcome)
    }
  })

  test('a folder that cannot be made, and wrong options, are told', () => {
    expect(() => fileStores('/sys/countersign')).toThrow(expect.objectContaining(OUTAGE))
    expect(() => fileStores(newFolder(), { fsync: 'sometimes' as 'never' })).toThrow(OptionError)
    expect(() => fileReplay(start().files, { maxEntries: 0 })).toThrow(OptionError)
    expect(() => fileUsage(start().files, { name: '../x' })).toThrow(OptionError)
  })
})
