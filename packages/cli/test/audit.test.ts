import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAudit } from '@countersign/audit'
import { jsonl } from '@countersign/audit/jsonl'
import type { AuditEventInput } from '@countersign/core/gate-kit'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { countersign, refuse, spawnCountersign, succeed, succeedJson } from './command.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const granted = (id: string): AuditEventInput => ({
  type: 'access.granted',
  gate: 'hmac',
  principal: { kind: 'hmac', id },
  http: { method: 'POST', route: '/jobs', clientAddress: '192.0.2.1' },
  latencyMs: 1.25,
})
const denied = (reason: string): AuditEventInput => ({
  type: 'access.denied',
  gate: 'oauth-bearer',
  reason,
  principal: { kind: 'oauth-bearer', id: 'unknown' },
  http: { method: 'GET', route: '*', status: 401 },
})

/** Appends events as the sink of an app does. */
async function write(name: string, ...events: AuditEventInput[]): Promise<string> {
  const file = join(folder, name)
  const audit = createAudit({ sinks: [jsonl(file)] })
  for (const event of events) audit.emit(event)
  await audit.close()
  return file
}

describe('audit tail', () => {
  test('shows the last events, one per line, plain in a pipe and coloured on request', async () => {
    const file = await write('tail.jsonl', granted('a'), granted('b'), denied('expired'))
    const text = await succeed(['audit', 'tail', file, '-n', '2'])
    expect(text).toMatch(
      /^\S+Z {2}access\.granted {2}hmac {2}b {2}POST \/jobs {2}192\.0\.2\.1 {2}1\.25 ms\n\S+Z {2}access\.denied {2}oauth-bearer {2}expired {2}unknown {2}GET \* 401\n$/,
    )
    const coloured = await succeed(['audit', 'tail', file, '-n', '1'], { env: { FORCE_COLOR: '1' } })
    expect(coloured).toContain('\u001b[33maccess.denied\u001b[39m')
  })

  test.each([
    [['--outcome', 'failure'], 2],
    [['--reason', 'expired'], 1],
    [['--reason', 'expired', '--reason', 'revoked'], 2],
    [['--type', 'access.*', '--gate', 'hmac'], 2],
    [['--principal', 'b'], 1],
    [['--severity', 'warning'], 3],
    [['--severity', 'critical'], 1],
    [['--since', '1h'], 5],
    [['--credential', 'none'], 0],
  ])('filters: %j', async (words, count) => {
    const replayed: AuditEventInput = {
      type: 'access.denied',
      gate: 'x',
      reason: 'replayed',
      severity: 'critical',
      outcome: 'error',
    }
    const file = join(folder, 'filters.jsonl')
    rmSync(file, { force: true })
    await write('filters.jsonl', granted('a'), granted('b'), denied('expired'), denied('revoked'), replayed)
    const lines = (await succeed(['audit', 'tail', file, '--json', ...words])).split('\n').filter(Boolean)
    expect(lines).toHaveLength(count)
    for (const line of lines) expect(readFileSync(file, 'utf8')).toContain(line)
  })

  test('finds the last events of a long file from its end, also with lines longer than a block', async () => {
    const file = join(folder, 'long.jsonl')
    const line = (index: number, length: number) =>
      `${JSON.stringify({ type: 'access.granted', time: '2026-01-01T00:00:00.000Z', outcome: 'success', severity: 'info', gate: `g${index}`, attributes: { filler: 'ü'.repeat(length) } })}\n`
    writeFileSync(file, Array.from({ length: 40 }, (_, index) => line(index, index % 7 === 0 ? 70_000 : 100)).join(''))
    const lines = (await succeed(['audit', 'tail', file, '--json', '-n', '30'])).trim().split('\n')
    const gates = lines.map((text) => (JSON.parse(text) as { gate: string }).gate)
    expect(gates).toEqual(Array.from({ length: 30 }, (_, index) => `g${index + 10}`))
  })

  test('follows what is appended, through a rotation, until Ctrl+C', async () => {
    const file = await write('follow.jsonl', granted('first'))
    const child = spawnCountersign(['audit', 'tail', file, '--follow'])
    let seen = ''
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
    })
    const shows = async (text: string) => {
      while (!seen.includes(text)) await once(child.stdout, 'data')
    }
    await shows('  first  ')
    await write('follow.jsonl', granted('second'))
    await shows('  second  ')
    renameSync(file, `${file}.1`)
    await write('follow.jsonl', granted('third'))
    await shows('  third  ')
    child.kill('SIGINT')
    const [exitCode] = (await once(child, 'close')) as [number]
    expect(exitCode).toBe(0)
    expect(seen.match(/ first /g)).toHaveLength(1)
  })

  test('ends silently when the reader of its output stops', async () => {
    const line = `${JSON.stringify({ type: 'access.granted', time: 'now', attributes: { filler: 'x'.repeat(200) } })}\n`
    const file = join(folder, 'enough.jsonl')
    writeFileSync(file, line.repeat(5000))
    const child = spawnCountersign(['audit', 'tail', file, '-n', '5000', '--json'])
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect([await once(child, 'close'), said]).toEqual([[0, null], ''])
  })

  test('removes control characters from the events of a file', async () => {
    const file = join(folder, 'hostile.jsonl')
    const event = {
      type: 'access.denied',
      time: 'now',
      reason: '\u001b]0;owned\u0007\u001b[2J\nforged',
      outcome: 'x',
      severity: 'info',
    }
    writeFileSync(file, `${JSON.stringify(event)}\n`)
    const text = await succeed(['audit', 'tail', file])
    expect(text).toBe('now  access.denied  ]0;owned[2Jforged\n')
  })
})

describe('audit verify', () => {
  test('[cli-audit-altered-line] names the first line that was altered, removed or added', async () => {
    const whole = await write('verify.jsonl', granted('a'), granted('b'), granted('c'), granted('d'))
    const lines = readFileSync(whole, 'utf8').trimEnd().split('\n')
    const verified = await succeedJson<{ head: string }>(['audit', 'verify', whole])
    expect(verified).toMatchObject({ isIntact: true, lines: 4, torn: [] })
    const check = async (changed: string[]) => {
      const file = join(folder, 'changed.jsonl')
      writeFileSync(file, `${changed.join('\n')}\n`)
      return countersign(['audit', 'verify', file])
    }
    const altered = await check(lines.map((line, index) => (index === 1 ? line.replace('"b"', '"B"') : line)))
    expect(altered).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^✗ line 2: does not have the hash/) })
    const removed = await check(lines.filter((_, index) => index !== 2))
    expect(removed).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^✗ line [23]: /) })
    const cut = await check(lines.slice(0, 3))
    expect(cut.exitCode).toBe(0)
    const noted = await countersign(['audit', 'verify', join(folder, 'changed.jsonl'), '--expect', verified.head])
    expect(noted).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/its end was cut off or rewritten/) })
  })

  test('[cli-audit-torn-line] after kill -9 in the middle of a write names the torn last line and accepts the rest', async () => {
    const file = join(folder, 'killed.jsonl')
    const writer = fileURLToPath(new URL('./audit-writer.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=dev-source', '--import', 'tsx', writer, file], {
      env: { PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const text = readFileSync(file)
    // A kill rarely hits the middle of a write: then the last line is cut here.
    const isTorn = text[text.length - 1] !== 0x0a
    if (!isTorn) writeFileSync(file, text.subarray(0, text.length - 50))
    const result = await countersign(['audit', 'verify', file])
    const count = text.toString().split('\n').length - 1 - (isTorn ? 0 : 1)
    expect(result.exitCode).toBe(0)
    expect(result.stdout).toBe(
      `! line ${count + 1} was cut short by a crash; the lines after it are intact\n✓ ${count} lines intact, head ${/[0-9a-f]{64}/.exec(result.stdout)?.[0]}\n`,
    )
    const tail = await countersign(['audit', 'tail', file, '-n', '1', '--json'])
    expect(JSON.parse(tail.stdout)).toMatchObject({ type: 'access.granted' })
    expect(tail.stderr).toBe('1 line is not an event: run "audit verify".\n')
  }, 30_000)

  test('[cli-bad-inputs] reports errors in one line', async () => {
    const missing = join(folder, 'none.jsonl')
    await refuse(['audit', 'verify', missing], 2, /cannot be read \(ENOENT\)/)
    await refuse(['audit', 'tail', missing], 2, /cannot be read \(ENOENT\)/)
    await refuse(['audit', 'tail', folder], 2, /cannot be read \(EISDIR\)/)
    await refuse(['audit', 'verify', missing, '--expect', 'abc'], 2, /--expect must be 64 hexadecimal digits/)
    await refuse(['audit', 'tail', missing, '--outcome', 'good'], 2, /Allowed choices are success, failure, error/)
    appendFileSync(join(folder, 'other.jsonl'), 'this is\nno audit file\n')
    expect((await countersign(['audit', 'verify', join(folder, 'other.jsonl')])).exitCode).toBe(1)
  })
})
