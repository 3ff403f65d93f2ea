import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAudit } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import { jsonl, verifyJsonl } from '../src/jsonl.js'
import { decision, inFolder, linesOf, reasonsOf, sha256, write, ZEROS } from './harness.js'

describe('the jsonl sink', () => {
  test('[audit-jsonl-chain] writes one event a line, each with the hash of the one before it', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a', 'b', 'c')
      const lines = linesOf(path)
      const events = lines.map((line) => JSON.parse(line) as Record<string, string>)
      expect(events).toMatchObject([
        { previous: ZEROS, schema: 1, type: 'access.denied', reason: 'a' },
        { previous: events[0]?.hash, reason: 'b' },
        { previous: events[1]?.hash, reason: 'c' },
      ])
      for (const line of lines) {
        const body = line.slice(0, line.lastIndexOf(',"hash":"'))
        expect(JSON.parse(line)).toHaveProperty('hash', sha256(body))
      }
      const seen: number[] = []
      const onLine = (line: number) => void seen.push(line)
      const head = events[2]?.hash
      const chains = [{ id: events[0]?.chain, lines: 3, head }]
      expect(await verifyJsonl(path, { onLine })).toEqual({ isIntact: true, lines: 3, head, chains, torn: [] })
      expect(seen).toEqual([1, 2, 3])
    }))

  test('[audit-jsonl-chain] can be checked with a shell, which knows nothing of JSON', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a', 'é€😀')
      const script = `tail -n 1 "$1" | sed 's/,"hash":"[0-9a-f]*"}$//' | tr -d '\\n' | sha256sum | cut -d ' ' -f 1`
      const { stdout } = spawnSync('sh', ['-c', script, 'sh', path], { encoding: 'utf8' })
      expect(stdout.trim()).toBe((await verifyJsonl(path)).head)
    }))

  test('[audit-jsonl-reopen] continues the chain of a file that is there', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a', 'b')
      await write(path, 'c')
      await write(path)
      await write(path, 'd', 'e')
      expect(reasonsOf(path)).toEqual(['a', 'b', 'c', 'd', 'e'])
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 5, torn: [] })
    }))

  test('[audit-jsonl-append-only] only ever appends, and keeps the file to its owner', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a')
      const before = readFileSync(path)
      await write(path, 'b')
      expect(readFileSync(path).subarray(0, before.length)).toEqual(before)
      expect(statSync(path).mode & 0o777).toBe(0o600)
    }))

  test('keeps the order of thousands of events, written in few writes', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      const sink = jsonl(path)
      const names = Array.from({ length: 3_000 }, (_, index) => `r${index}`)
      const audit = createAudit()
      audit.subscribe(sink, { required: true, maxQueue: 10_000, deadlineMs: 60_000 })
      const results = await Promise.all(names.map((reason) => audit.emit(decision({ type: 'access.granted', reason }))))
      expect(new Set(results)).toEqual(new Set([true]))
      await audit.close()
      expect(reasonsOf(path)).toEqual(names)
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 3_000, head: sink.head })
    }))

  test(
    '[audit-jsonl-no-loss] has every one of 50,000 events that come in a loop, required or not',
    () =>
      inFolder(async (folder) => {
        for (const required of [false, true]) {
          const path = join(folder, `${required}.jsonl`)
          const audit = createAudit()
          audit.subscribe(jsonl(path), { required, deadlineMs: 60_000 })
          for (let count = 0; count < 50_000; count += 1) {
            void audit.emit(decision({ type: 'access.granted' }))
            if (count % 1000 === 0) await new Promise(setImmediate)
          }
          expect(await audit.flush(60_000)).toBe(true)
          expect(audit.stats().sinks).toMatchObject([{ dropped: 0, failed: 0 }])
          await audit.close()
          expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 50_000 })
        }
      }),
    60_000,
  )

  test('as a required sink has written the line before the event counts as reported', () =>
    inFolder(async (folder) => {
      for (const syncEachWrite of [false, true]) {
        const path = join(folder, `${syncEachWrite}.jsonl`)
        const audit = createAudit()
        audit.subscribe(jsonl(path, { syncEachWrite }), { required: true, deadlineMs: 60_000 })
        expect(await audit.emit(decision({ reason: 'a' }))).toBe(true)
        expect(reasonsOf(path)).toEqual(['a'])
        await audit.close()
        expect(await audit.emit(decision({ reason: 'b' }))).toBe(false)
      }
    }))

  test('[audit-options] refuses a path that cannot be a file of its own, at creation', () =>
    inFolder(async (folder) => {
      mkdirSync(join(folder, 'directory'))
      writeFileSync(join(folder, 'other.txt'), 'something else\n')
      const refused: [unknown, string][] = [
        ['', 'must be the path of a file'],
        [undefined, 'must be the path of a file'],
        [join(folder, 'directory'), 'cannot be opened (EISDIR)'],
        [join(folder, 'absent', 'audit.jsonl'), 'cannot be opened (ENOENT)'],
        [join(folder, 'other.txt'), 'contains something other than audit events: name another file'],
      ]
      for (const [path, message] of refused) {
        expect(() => jsonl(path as string)).toThrow(
          expect.objectContaining({
            code: 'ERR_COUNTERSIGN_OPTION_INVALID',
            message: expect.stringContaining(message),
          }),
        )
      }
      expect(readFileSync(join(folder, 'other.txt'), 'utf8')).toBe('something else\n')
      expect(() => jsonl(join(folder, 'a'), { sync: true } as object)).toThrow('unknown option "sync"')
      expect(existsSync(join(folder, 'a'))).toBe(false)
    }))
})
