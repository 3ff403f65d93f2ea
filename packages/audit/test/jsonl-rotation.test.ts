import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AuditEvent, createAudit } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import { settled } from '../../../test/support/audit-events.js'
import { jsonl, verifyJsonl } from '../src/jsonl.js'
import { decision, inFolder, linesOf, reasonsOf, write } from './harness.js'

/** A required file in a folder of its own, and what a gate asks of it. */
const withFile = (work: (path: string, emit: (reason: string) => Promise<boolean>, folder: string) => Promise<void>) =>
  inFolder(async (folder) => {
    const path = join(folder, 'audit.jsonl')
    const audit = createAudit()
    audit.subscribe(jsonl(path), { required: true, deadlineMs: 60_000 })
    const emit = async (reason: string) => audit.emit(decision({ type: 'access.granted', reason }))
    await work(path, emit, folder)
    await audit.close()
  })

describe('a file that is rotated', () => {
  test('[audit-jsonl-rotation] by renaming it, as logrotate does, is begun again at its path', () =>
    withFile(async (path, emit) => {
      expect(await emit('a')).toBe(true)
      renameSync(path, `${path}.1`)
      expect([await emit('b'), await emit('c')]).toEqual([true, true])
      renameSync(path, `${path}.2`)
      // logrotate's `create` makes the new file itself.
      writeFileSync(path, '', { mode: 0o640 })
      expect(await emit('d')).toBe(true)
      expect([reasonsOf(`${path}.1`), reasonsOf(`${path}.2`), reasonsOf(path)]).toEqual([['a'], ['b', 'c'], ['d']])
      expect(statSync(path).mode & 0o777).toBe(0o640)
      const [first, second, third] = await Promise.all(
        [`${path}.1`, `${path}.2`, path].map((file) => verifyJsonl(file)),
      )
      expect([first, second, third]).toMatchObject([{ isIntact: true }, { isIntact: true }, { isIntact: true }])
      // Each file says which line it continues.
      expect([second?.chains[0]?.after, third?.chains[0]?.after]).toEqual([first?.head, second?.head])
      expect(await verifyJsonl(path, { expect: second?.head as string })).toMatchObject({ isIntact: true })
    }))

  test('[audit-jsonl-rotation] by copytruncate is begun again, with a chain that names the last line of the copy', () =>
    withFile(async (path, emit) => {
      for (const reason of ['a', 'b', 'c']) expect(await emit(reason)).toBe(true)
      copyFileSync(path, `${path}.1`)
      truncateSync(path, 0)
      for (const reason of ['d', 'e']) expect(await emit(reason)).toBe(true)
      expect([reasonsOf(`${path}.1`), reasonsOf(path)]).toEqual([
        ['a', 'b', 'c'],
        ['d', 'e'],
      ])
      const [copy, now] = [await verifyJsonl(`${path}.1`), await verifyJsonl(path)]
      expect([copy.isIntact, now.isIntact, now.chains[0]?.after]).toEqual([true, true, copy.head])
    }))

  test('[audit-jsonl-rotation] by copytruncate is noticed although another process made it longer since', () =>
    withFile(async (path, emit) => {
      expect(await emit('a')).toBe(true)
      truncateSync(path, 0)
      const other = createAudit({ sinks: [jsonl(path)] })
      for (let count = 0; count < 50; count += 1) other.emit(decision({ type: 'access.granted', reason: 'other' }))
      await other.close()
      expect(await emit('b')).toBe(true)
      const result = await verifyJsonl(path)
      expect(result).toMatchObject({ isIntact: true, lines: 51, chains: [{ lines: 50 }, { lines: 1 }] })
      expect(reasonsOf(path).at(-1)).toBe('b')
    }))

  test(
    '[audit-jsonl-rotation] by truncating it before a write that is under way is intact, and names what it continues',
    () =>
      withFile(async (path, emit) => {
        const idsOf = () => linesOf(path).map((line) => (JSON.parse(line) as AuditEvent).id)
        let turns = 0
        do {
          turns = (turns + 1) % 20
          const emitted = Array.from({ length: 20 }, async (_, index) => {
            for (let turn = 0; turn < index; turn += 1) await settled()
            return emit(`r${index}`)
          })
          for (let turn = 0; turn < turns; turn += 1) await settled()
          truncateSync(path, 0)
          expect(new Set(await Promise.all(emitted))).toEqual(new Set([true]))
          expect(await verifyJsonl(path)).toMatchObject({ isIntact: true })
        } while (new Set(idsOf()).size === idsOf().length)

        // Without the chain that names what they follow, lines before them were taken out.
        const lines = linesOf(path)
        writeFileSync(
          path,
          lines
            .slice(
              0,
              lines.findIndex((line) => line.includes('"after"')),
            )
            .join('\n'),
        )
        expect(await verifyJsonl(path)).toMatchObject({ isIntact: false, lines: 0, altered: { line: 1 } })
      }),
    60_000,
  )

  test('[audit-jsonl-rotation] that was deleted is made again: nothing is granted into a file that nobody has', () =>
    withFile(async (path, emit) => {
      expect(await emit('a')).toBe(true)
      rmSync(path)
      expect(await emit('b')).toBe(true)
      expect(reasonsOf(path)).toEqual(['b'])
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 1 })
    }))

  test(
    '[audit-jsonl-rotation] while events come has every one of them, in the files that it was rotated to',
    () =>
      inFolder(async (folder) => {
        const path = join(folder, 'audit.jsonl')
        const audit = createAudit({ sinks: [jsonl(path)] })
        const names = Array.from({ length: 8_000 }, (_, index) => `r${index}`)
        const files = [path]
        for (const [index, reason] of names.entries()) {
          audit.emit(decision({ type: 'access.granted', reason }))
          if (index % 20 === 0) await new Promise(setImmediate)
          if (index % 1_000 === 999) {
            const rotated = `${path}.${index}`
            files.push(rotated)
            renameSync(path, rotated)
            // The path is a file again before it is moved once more.
            await audit.flush(60_000)
            audit.emit(decision({ type: 'access.granted', reason: 'between' }))
            await audit.flush(60_000)
          }
        }
        await audit.close()
        const found = files.flatMap((file) => reasonsOf(file)).filter((reason) => reason !== 'between')
        expect(new Set(found)).toEqual(new Set(names))
        expect(found).toHaveLength(names.length)
        for (const file of files) expect(await verifyJsonl(file)).toMatchObject({ isIntact: true })
      }),
    60_000,
  )

  test('[audit-jsonl-rotation] to a place where none can be made, or that holds something else, is unavailable', () =>
    withFile(async (path, emit, folder) => {
      expect(await emit('a')).toBe(true)
      renameSync(path, `${path}.1`)
      mkdirSync(path)
      expect([await emit('b'), await emit('c')]).toEqual([false, false])
      rmSync(path, { recursive: true })
      writeFileSync(path, 'something else\n')
      expect(await emit('d')).toBe(false)
      expect(readFileSync(path, 'utf8')).toBe('something else\n')
      rmSync(path)
      expect(await emit('e')).toBe(true)
      renameSync(folder, `${folder}-moved`)
      expect(await emit('f')).toBe(false)
      renameSync(`${folder}-moved`, folder)
      expect(await emit('g')).toBe(true)
      expect(reasonsOf(path)).toEqual(['e', 'g'])
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 2 })
      // Whatever failed meanwhile, it says which line it continues.
      const { head } = await verifyJsonl(`${path}.1`)
      expect(await verifyJsonl(path, { expect: head })).toMatchObject({ isIntact: true, chains: [{ after: head }, {}] })
    }))
})

describe('several processes', () => {
  test(
    '[audit-jsonl-chains] write one file, each a chain of its own that names what it follows',
    () =>
      inFolder(async (folder) => {
        const path = join(folder, 'audit.jsonl')
        const script = join(dirname(fileURLToPath(import.meta.url)), 'jsonl-process.ts')
        const start = () =>
          spawn(process.execPath, ['--conditions=dev-source', '--import', 'tsx', script, path, '2000'], {
            env: { ...process.env, NODE_OPTIONS: '' },
            stdio: ['ignore', 'ignore', 'inherit'],
          })
        const codes = await Promise.all(
          [start(), start()].map(async (child) => ((await once(child, 'close')) as [number])[0]),
        )
        expect(codes).toEqual([0, 0])
        const result = await verifyJsonl(path)
        expect(result).toMatchObject({
          isIntact: true,
          lines: 4_000,
          torn: [],
          chains: [{ lines: 2_000 }, { lines: 2_000 }],
        })

        // One line of either chain is enough to be found.
        const lines = readFileSync(path, 'utf8').split('\n')
        for (const { id } of result.chains) {
          const index = lines.findLastIndex((line) => line.includes(`"chain":"${id}"`)) - 1
          const changed = lines.map((line, at) => (at === index ? line.replace('"info"', '"warning"') : line))
          writeFileSync(join(folder, 'changed'), changed.join('\n'))
          expect(await verifyJsonl(join(folder, 'changed'))).toMatchObject({
            isIntact: false,
            altered: { line: index + 1 },
          })
        }
      }),
    60_000,
  )

  test('[audit-jsonl-chains] a chain that was taken out is missed by the one that started after it', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a', 'b')
      await write(path, 'c')
      writeFileSync(path, linesOf(path).slice(2).join('\n'))
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: false, lines: 0, altered: { line: 1 } })
    }))

  test('[audit-jsonl-chains] of one that was idle follows what others wrote since it opened the file', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a')
      const idle = createAudit({ sinks: [jsonl(path)] })
      await write(path, 'b', 'c')
      const { head } = await verifyJsonl(path)
      idle.emit(decision({ reason: 'd' }))
      await idle.close()
      expect(linesOf(path).at(-1)).toContain(`"previous":"${head}"`)
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, chains: [{}, {}, { lines: 1 }] })
    }))

  test('[audit-jsonl-chains] go on after a line that another one left unfinished', () =>
    withFile(async (path, emit) => {
      expect(await emit('a')).toBe(true)
      appendFileSync(path, '{"chain":"0123456789abcdef","prev')
      expect(await emit('b')).toBe(true)
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 2, torn: [2] })
    }))
})

describe('the last hash', () => {
  test('[audit-jsonl-head] is published before another file is begun and at the end, and is what the file must hold', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      const heads: string[] = []
      const sink = jsonl(path, { onHead: ({ hash }) => void heads.push(hash) })
      const audit = createAudit({ sinks: [sink] })
      audit.emit(decision({ reason: 'a' }))
      await audit.flush()
      renameSync(path, `${path}.1`)
      audit.emit(decision({ reason: 'b' }))
      await audit.close()
      expect(heads).toEqual([(await verifyJsonl(`${path}.1`)).head, sink.head])
      truncateSync(path, 0)
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true })
      expect(await verifyJsonl(path, { expect: sink.head })).toMatchObject({ isIntact: false, altered: { line: 1 } })
    }))

  test('[audit-jsonl-head] is published while events come, and an onHead that fails harms nothing', () =>
    inFolder(async (folder) => {
      let tell: (hash: string) => void = () => undefined
      const told = new Promise<string>((resolve) => {
        tell = resolve
      })
      const onHead = ({ hash }: { readonly hash: string }) => {
        tell(hash)
        throw new Error('unreachable')
      }
      const sink = jsonl(join(folder, 'audit.jsonl'), { onHead, headSeconds: 1 })
      const audit = createAudit({ sinks: [sink] })
      audit.emit(decision())
      expect(await told).toBe(sink.head)
      audit.emit(decision())
      expect(await audit.flush()).toBe(true)
      await audit.close()
    }))
})
