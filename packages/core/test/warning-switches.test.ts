import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const PROGRAM = fileURLToPath(new URL('warning-process.ts', import.meta.url))
const ANSWERS = '500 {"type":"about:blank","title":"Internal Server Error","status":500}\n'.repeat(3)

function run(flags: readonly string[], ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '--conditions=dev-source', '--import', 'tsx', PROGRAM, ...args],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  )
  const count = stderr.split('[COUNTERSIGN_INTERNAL_ERROR]').length - 1
  return { status, stdout, stderr, count }
}

test('a warning is printed once by Node, with its code, its message, its page and what to do', () => {
  const { status, stdout, stderr, count } = run([])
  expect([status, stdout, count]).toEqual([0, ANSWERS, 1])
  expect(stderr).toMatch(/\[COUNTERSIGN_INTERNAL_ERROR\] Warning: key: a bug .*: x\.y is not a function\. See https:/)
  expect(stderr).toContain('Fix the code at that location.')
})

test.each([
  ['--trace-warnings', 1],
  ['--throw-deprecation', 1],
  ['--no-warnings', 0],
  ['--disable-warning=COUNTERSIGN_INTERNAL_ERROR', 0],
])('node %s changes no answer', (flag, printed) => {
  const { status, stdout, count } = run([flag])
  expect([status, stdout, count]).toEqual([0, ANSWERS, printed])
})

test('a listener of warnings that throws changes no answer', () => {
  const { status, stdout } = run([], 'throw')
  expect(status).toBe(0)
  expect(stdout.replace('uncaught: the listener throws\n', '')).toBe(ANSWERS)
  expect(stdout).toContain('uncaught: the listener throws')
})
