import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'

const programs = join(root, 'test/types/programs')
const scratch = mkdtempSync(join(tmpdir(), 'countersign-types-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
writeFileSync(join(scratch, 'package.json'), '{ "type": "module" }')
symlinkSync(join(root, 'test/node_modules'), join(scratch, 'node_modules'))

const OPTIONS = ['--ignoreConfig', '--noEmit', '--pretty', 'false', '--strict', '--exactOptionalPropertyTypes']
const TARGET = ['--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--skipLibCheck']
const TYPES = ['--typeRoots', join(root, 'node_modules/@types')]

/** Compiles one program by itself against what is built, since what it declares counts for all that it is compiled with. */
function compile(file: string): Promise<string[]> {
  const args = [join(root, 'node_modules/typescript/bin/tsc'), ...OPTIONS, ...TARGET, ...TYPES, file]
  return new Promise((resolve) =>
    execFile(process.execPath, args, { cwd: scratch }, (error, stdout, stderr) =>
      resolve(error === null ? [] : `${stdout}${stderr}`.trim().split('\n')),
    ),
  )
}

/** Texts of a program, each of which stands there once, and what would make it wrong. */
const MISTAKES: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  'no-gate.ts': [
    ['toEqualTypeOf<Gate<PrincipalBase>>', 'toEqualTypeOf<Gate<{ readonly kind: string; readonly id: string; a: 1 }>>'],
    ['firstPresented(express.json())', 'firstPresented(gate)'],
    ["principalOf(request, 'hmac')", 'request.principal?.kind'],
  ],
  'one-gate.ts': [
    ['expectTypeOf<Principal>().toEqualTypeOf<HmacPrincipal>', 'expectTypeOf<Principal>().toBeAny'],
    ['request.principal.caller\n', 'request.principal?.caller\n'],
    ["caller = 'another'", "caller === 'another'"],
    ['audiense', 'audience'],
  ],
  'all-gates.ts': [
    ['expectTypeOf(principal).toEqualTypeOf<OAuthBearerPrincipal>', 'expectTypeOf(principal).toEqualTypeOf<Principal>'],
    ['expectTypeOf(two).not.toExtend<Gate<HmacPrincipal>>', 'expectTypeOf(two).toExtend<Gate<HmacPrincipal>>'],
    ['toEqualTypeOf<McpCredentialPrincipal | undefined>', 'toEqualTypeOf<McpCredentialPrincipal>'],
    ["verdict.reason === 'unknown_key'", "verdict.reason === 'expired'"],
    ["'hmca'", "'hmac'"],
  ],
  'merged.ts': [
    ['expectTypeOf(request.params).toEqualTypeOf<Params>', 'expectTypeOf(request.params).toBeAny'],
    ['expectTypeOf(request.tenant).toEqualTypeOf<string>', 'expectTypeOf(request.tenant).toBeAny'],
    ['toEqualTypeOf<DeviceReason | undefined>', 'toEqualTypeOf<DeviceReason>'],
    ["denied('expired')", "denied('missing')"],
    ['request.params.list', 'request.params.part'],
  ],
}

test.each(readdirSync(programs))(
  '[types-of-apps] principals, gates and merged declarations are what %s expects, and nothing else',
  async (name) => {
    const text = readFileSync(join(programs, name), 'utf8')
    const mistakes = MISTAKES[name] ?? []
    const lines = mistakes.map(([from]) => {
      expect([from, text.split(from).length]).toEqual([from, 2])
      return text.slice(0, text.indexOf(from)).split('\n').length
    })
    cpSync(join(programs, name), join(scratch, name))
    const wrong = `wrong-${name}`
    writeFileSync(
      join(scratch, wrong),
      mistakes.reduce((changed, [from, to]) => changed.replace(from, to), text),
    )
    const [complaints, complaintsOfWrong] = await Promise.all([compile(name), compile(wrong)])
    expect(complaints).toEqual([])

    // What was to be an error and is none is told on the line before.
    const told = complaintsOfWrong
      .map((line) => /^wrong-[\w-]+\.ts\((\d+),\d+\): error TS(\d+)/.exec(line) ?? [])
      .filter(([match]) => match !== undefined)
      .map(([, line, code]) => Number(line) + (code === '2578' ? 1 : 0))
    expect([...new Set(told)].sort((a, b) => a - b)).toEqual([...lines].sort((a, b) => a - b))
    expect(lines.length).toBeGreaterThan(0)
  },
)
