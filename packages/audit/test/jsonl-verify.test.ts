import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { startChildApp } from '../../../test/support/child-app.js'
import { verifyJsonl } from '../src/jsonl.js'
import { inFolder, linesOf, sha256, write, ZEROS } from './harness.js'

describe('the verifier', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e']

  async function tampered(change: (lines: string[]) => string[]): Promise<Awaited<ReturnType<typeof verifyJsonl>>> {
    return inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, ...NAMES)
      writeFileSync(
        path,
        change(linesOf(path))
          .map((line) => `${line}\n`)
          .join(''),
      )
      return verifyJsonl(path)
    })
  }

  test.each([1, 2, 3, 4, 5])('[audit-jsonl-altered] finds an altered line: %d', async (line) => {
    const result = await tampered((lines) =>
      lines.map((text, index) =>
        index === line - 1 ? text.replace('"severity":"warning"', '"severity":"info"') : text,
      ),
    )
    expect(result).toMatchObject({ isIntact: false, lines: line - 1, torn: [] })
    expect(result.altered).toEqual({ line, problem: 'does not have the hash that it names' })
  })

  test('[audit-jsonl-altered] finds a line whose hash was recomputed: the next line does not name it', async () => {
    const result = await tampered((lines) =>
      lines.map((text, index) => {
        if (index !== 2) return text
        const body = text.slice(0, text.lastIndexOf(',"hash":"')).replace('"reason":"c"', '"reason":"x"')
        return `${body},"hash":"${sha256(body)}"}`
      }),
    )
    expect(result.altered).toEqual({
      line: 3,
      problem: 'line 4 names another line before it: that line was altered, or lines between them were removed',
    })
  })

  test.each<[string, (lines: string[]) => string[], number]>([
    ['the first line is taken out', (lines) => lines.slice(1), 1],
    ['a line is taken out', (lines) => lines.filter((_, index) => index !== 2), 2],
    ['two lines are swapped', ([a = '', b = '', c = '', ...rest]) => [a, c, b, ...rest], 1],
    ['a line is there twice', ([a = '', b = '', ...rest]) => [a, b, b, ...rest], 2],
    ['a line is replaced by other text', ([a = '', , ...rest]) => [a, 'nothing happened', ...rest], 2],
    ['a line is replaced by an empty one', ([a = '', , ...rest]) => [a, '', ...rest], 2],
    ['two lines are replaced by other text', ([a = '', , , ...rest]) => [a, 'x', 'y', ...rest], 2],
    ['a line is cut in the middle', ([a = '', b = '', ...rest]) => [a, b.slice(0, 100), ...rest], 2],
  ])('[audit-jsonl-altered] finds that %s', async (_name, change, line) => {
    const result = await tampered(change)
    expect(result).toMatchObject({ isIntact: false, altered: { line } })
  })

  test('[audit-jsonl-altered] finds that the end was cut off, given a head that was noted before', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a', 'b')
      const { head } = await verifyJsonl(path)
      await write(path, 'c')
      expect(await verifyJsonl(path, { expect: head })).toMatchObject({ isIntact: true, lines: 3 })
      const [first = ''] = linesOf(path)
      writeFileSync(path, `${first}\n`)
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 1 })
      expect(await verifyJsonl(path, { expect: head })).toMatchObject({
        isIntact: false,
        altered: { problem: 'the file does not contain the expected hash: its end was cut off or rewritten' },
      })
    }))

  test('[audit-jsonl-torn] names a last line that was cut anywhere, and the rest is intact', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, ...NAMES)
      const whole = readFileSync(path)
      const ends = [...whole.entries()].filter(([, byte]) => byte === 0x0a).map(([index]) => index + 1)
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (length) => {
          writeFileSync(path, whole.subarray(0, length))
          const result = await verifyJsonl(path)
          // A line that lacks its newline alone is whole.
          const lines = ends.filter((end) => end <= length + 1).length
          const isTorn = !ends.includes(length) && !ends.includes(length + 1) && length > 0
          expect(result).toMatchObject({ isIntact: true, lines, torn: isTorn ? [lines + 1] : [] })

          // Opened again, the chain continues after the torn line, which stays where it is.
          await write(path, 'after', 'the crash')
          expect(await verifyJsonl(path)).toMatchObject({
            isIntact: true,
            lines: lines + 2,
            torn: isTorn ? [lines + 1] : [],
          })
        }),
        { numRuns: 60 },
      )
    }))

  test('[audit-jsonl-torn] passes a file after kill -9 of a process that writes', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      const script = join(dirname(fileURLToPath(import.meta.url)), 'jsonl-process.ts')
      for (let round = 0; round < 2; round += 1) {
        const child = await startChildApp(script, {}, [path])
        const size = () => (existsSync(path) ? statSync(path).size : 0)
        const start = size()
        while (size() < start + 200_000) await new Promise((resolve) => setTimeout(resolve, 5))
        await child.stop()
        const result = await verifyJsonl(path)
        expect(result).toMatchObject({ isIntact: true })
        expect(result.lines).toBeGreaterThan(300 * (round + 1))
      }
      await write(path, 'after')
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true })
    }))

  test('[audit-jsonl-torn] names the line that the system cut in the middle of a write', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      const script = join(dirname(fileURLToPath(import.meta.url)), 'jsonl-process.ts')
      // The limit on a file's size is in blocks of 512 bytes or 1 KiB, and no multiple of a line.
      const command = 'ulimit -f 64; exec "$0" --conditions=dev-source --import tsx "$1" "$2"'
      const child = spawn('sh', ['-c', command, process.execPath, script, path], {
        env: { ...process.env, NODE_OPTIONS: '' },
        stdio: 'ignore',
      })
      await once(child, 'exit')
      const result = await verifyJsonl(path)
      expect(result.isIntact).toBe(true)
      expect(result.torn).toEqual([result.lines + 1])
      await write(path, 'after')
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: result.lines + 1, torn: result.torn })
    }))

  /** How the line of the same chain after this one begins. */
  function startAfter(line: string): string {
    const { chain, hash } = JSON.parse(line) as { chain: string; hash: string }
    return `{"chain":"${chain}","previous":"${hash}",`
  }

  const FORGED = '{"type":"access.granted","principal":{"kind":"hmac","id":"nobody"}}'
  test.each<[string, (start: string) => string]>([
    ['an event of its own', () => FORGED],
    ['an event that names the line before it and has no hash', (start) => `${start}${FORGED.slice(1)}`],
    ['the same, longer than any event', (start) => `${start}${FORGED.slice(1)}${' '.repeat(1_048_576)}`],
    ['other text', () => 'nothing happened'],
    [
      'the beginning of a line that follows another',
      (start) => `${start.slice(0, 41)}${'1'.repeat(64)}","schema":1,"id":"`,
    ],
    [
      'the same of a chain that is not in the file',
      () => `{"chain":"${'1'.repeat(16)}","previous":"${'1'.repeat(64)}","id":`,
    ],
  ])('[audit-jsonl-altered] finds a line that was inserted and is not a torn one: %s', async (_name, make) => {
    const added = (line: string) => make(startAfter(line))
    const between = await tampered(([a = '', b = '', ...rest]) => [a, b, added(b), ...rest])
    expect(between).toMatchObject({
      isIntact: false,
      lines: 2,
      altered: { line: 3, problem: 'is not an event of the chain' },
    })
    const last = await tampered((lines) => [...lines, added(lines[4] ?? '')])
    expect(last).toMatchObject({
      isIntact: false,
      lines: 5,
      altered: { line: 6, problem: 'is not an event of the chain' },
    })
  })

  test('passes an empty line: a process leaves one that found the line of another unfinished', async () => {
    expect(await tampered(([a = '', ...rest]) => [a, '', ...rest, ''])).toMatchObject({
      isIntact: true,
      lines: 5,
      torn: [],
    })
  })

  test('[audit-jsonl-torn] names each of several torn lines in a row, as a full disk makes them', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a')
      const start = `${startAfter(linesOf(path)[0] ?? '')}"schema":1,"id":"`
      appendFileSync(path, `${start}5\n${start.slice(0, 5)}\n${start}`)
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 1, torn: [2, 3, 4] })
      await write(path, 'b')
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: true, lines: 2, torn: [2, 3, 4] })
    }))

  test('passes an empty file, and rejects for one that cannot be read', () =>
    inFolder(async (folder) => {
      writeFileSync(join(folder, 'empty'), '')
      expect(await verifyJsonl(join(folder, 'empty'))).toEqual({
        isIntact: true,
        lines: 0,
        head: ZEROS,
        chains: [],
        torn: [],
      })
      await expect(verifyJsonl(join(folder, 'absent'))).rejects.toThrow('ENOENT')
    }))

  test('[audit-jsonl-altered] finds a line that is longer than any event, in memory that does not grow with it', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'audit.jsonl')
      await write(path, 'a')
      appendFileSync(path, `${'x'.repeat(20_000_000)}\n`)
      appendFileSync(path, `${'y'.repeat(10)}\n`)
      expect(await verifyJsonl(path)).toMatchObject({ isIntact: false, altered: { line: 2 } })
    }))
})
