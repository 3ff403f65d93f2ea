import { PassThrough } from 'node:stream'
import { expect, test } from '@jest/globals'
import { Output } from '../src/output.js'

/** An output on streams that are read, terminals or not. */
function outputs(isTTY: boolean, env: Record<string, string> = {}) {
  const stdout = Object.assign(new PassThrough(), { isTTY })
  const stderr = Object.assign(new PassThrough(), { isTTY })
  const text = (stream: PassThrough) => (stream.read() as Buffer | null)?.toString() ?? ''
  return { output: new Output(stdout, stderr, env), stdout: () => text(stdout), stderr: () => text(stderr) }
}

test.each<[string, boolean, Record<string, string>, string]>([
  ['coloured on a terminal', true, {}, '\u001b[31mx\u001b[39m'],
  ['plain in a pipe', false, {}, 'x'],
  ['plain on a terminal with NO_COLOR', true, { NO_COLOR: '1' }, 'x'],
  ['coloured in a pipe with FORCE_COLOR', false, { FORCE_COLOR: '1' }, '\u001b[31mx\u001b[39m'],
  ['not forced by FORCE_COLOR=0', false, { FORCE_COLOR: '0' }, 'x'],
])('text is %s', (_what, isTTY, env, expected) => {
  expect(outputs(isTTY, env).output.style('red', 'x')).toBe(expected)
})

test('progress is overwritten on a terminal, on standard error, and cleared at the end', () => {
  const { output, stdout, stderr } = outputs(true)
  const progress = output.progress('Imported')
  progress.report(1, 3)
  progress.report(3, 3)
  progress.done()
  expect(stderr()).toBe('\r\u001b[2KImported: 1 of 3\r\u001b[2KImported: 3 of 3\r\u001b[2K')
  expect(stdout()).toBe('')
})

test('short work prints no progress in a pipe', () => {
  const { output, stderr } = outputs(false)
  const progress = output.progress('Imported')
  progress.report(1, 1)
  progress.done()
  expect(stderr()).toBe('')
})

test('a table is as wide as its cells, without their control characters', () => {
  const { output, stdout } = outputs(true)
  output.table(
    ['a', 'b'],
    [
      ['long cell', undefined],
      ['\u001b[2Jx\r\ny', 7],
    ],
  )
  expect(stdout()).toBe('a          b\nlong cell  -\n[2Jxy      7\n')
})
