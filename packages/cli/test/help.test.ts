import { readdirSync, readFileSync } from 'node:fs'
import { createAudit } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import type { Command } from 'commander'
import { exitCodes } from '../src/index.js'
import { Output } from '../src/output.js'
import { createProgram } from '../src/program.js'
import { countersign, refuse, succeed } from './command.js'

const program = await createProgram(
  {
    env: {},
    stdin: process.stdin,
    output: new Output(process.stdout, process.stderr, {}),
    audit: createAudit(),
    signal: new AbortController().signal,
  },
  { record: async () => undefined, onEnd: () => undefined },
  ['hmac', 'oauth', 'mcp', 'session', 'audit'],
)

function commandsBelow(command: Command, path: readonly string[] = []): [string, Command][] {
  return command.commands.flatMap((child) => {
    const own = [...path, child.name()]
    return [[own.join(' '), child] as [string, Command], ...commandsBelow(child, own)]
  })
}
const commands = commandsBelow(program)

describe('help', () => {
  test('exists for every command, with an example that the command accepts', () => {
    expect(commands.map(([name]) => name)).toEqual([
      ...[
        'hmac',
        'hmac generate',
        'hmac migrate',
        'hmac seed',
        'hmac split',
        'hmac rotate',
        'hmac revoke',
        'hmac forget',
        'hmac list',
        'hmac reencrypt',
      ],
      ...['hmac import', 'hmac sign', 'hmac curl', 'hmac explain', 'hmac doctor'],
      ...['oauth', 'oauth smoke', 'oauth inspect'],
      ...['mcp', 'mcp issue', 'mcp list', 'mcp show', 'mcp revoke', 'mcp print', 'mcp client-config'],
      ...['session', 'session list', 'session revoke', 'session revoke-all', 'session link'],
      ...['audit', 'audit tail', 'audit verify'],
      ...['dev', 'migrate', 'doctor', 'completion'],
    ])
    for (const [name, command] of commands) {
      const written: string[] = []
      command.configureOutput({ writeOut: (text) => void written.push(text) }).outputHelp()
      const help = written.join('')
      const [, examples = ''] = /Examples?:\n((?: {2}\$ .+\n?)+)/.exec(help) ?? []
      expect([name, examples]).toEqual([name, expect.stringContaining(`countersign ${name}`)])
      const flags = Array.from(examples.matchAll(/ (--[a-z][a-z-]*)/g), ([, flag]) => flag)
      const known = command.options.map(({ long }) => long)
      const own = commands.some(([other]) => other.startsWith(`${name} `)) ? [] : flags
      expect([name, own.filter((flag) => !known.includes(flag))]).toEqual([name, []])
    }
  })

  test('and --json exist for every command, and no option takes a secret', () => {
    for (const [name, command] of commands) {
      if (command.commands.length > 0) continue
      expect([name, command.options.map(({ long }) => long)]).toEqual([name, expect.arrayContaining(['--json'])])
      for (const { flags } of command.options) {
        expect(flags).not.toMatch(/--(secret|token|kek|password|key) </)
      }
    }
  })

  test('is printed on request with 0, and for an incomplete command with 2', async () => {
    const help = await succeed(['hmac', 'rotate', '--help'])
    expect(help).toMatch(/^Usage: countersign hmac rotate \[options\] <caller>\n/)
    expect(help).toMatch(/Examples:\n {2}\$ countersign hmac rotate scheduler --pending\n/)
    const overview = await succeed(['--help'])
    for (const [name, exitCode] of Object.entries(exitCodes)) {
      if (name !== 'interrupted') expect(overview).toMatch(new RegExp(`^  ${exitCode} +\\S`, 'm'))
    }
    expect(await succeed(['--version'])).toMatch(/^\d+\.\d+\.\d+\n$/)
    for (const words of [[], ['hmac']]) {
      const half = await countersign(words)
      expect(half).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringMatching(/^Usage: countersign/) })
    }
  })
})

/** The commands of a page's shell examples, and between backticks. */
function commandsIn(page: string): string[] {
  const text = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8')
  const fenced = Array.from(text.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm), ([, code = '']) => code.split('\n')).flat()
  const inline = Array.from(
    text.replace(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`(countersign [^`]+)`/g),
    ([, code = '']) => code,
  )
  return [...fenced.map((line) => line.trim()), ...inline].filter((line) => line.startsWith('countersign '))
}

test.each([
  ['packages/cli/README.md', 30],
  ['docs/guides/command.md', 40],
  ['docs/operations/incident-playbook.md', 30],
  ['docs/operations/doctor.md', 5],
] as const)('every command in %s exists, with its options', (page, least) => {
  const lines = commandsIn(page)
  expect(lines.length).toBeGreaterThanOrEqual(least)
  for (const line of lines) {
    const words = line
      .replace(/\s#.*$/, '')
      .split(/\s+/)
      .slice(1)
    const name = words.slice(0, ['dev', 'migrate', 'doctor', 'completion'].includes(words[0] ?? '') ? 1 : 2).join(' ')
    const found = commands.find(([known]) => known === name)
    expect([line, found?.[0]]).toEqual([line, name])
    const known = found?.[1].options.flatMap(({ long, short }) => [long, short]) ?? []
    const flags = words.filter((word) => /^-{1,2}[A-Za-z]/.test(word))
    expect([line, flags.filter((flag) => !known.includes(flag))]).toEqual([line, []])
  }
})

test("the package's README names every command", () => {
  const named = commandsIn('packages/cli/README.md')
  const leaves = commands.filter(([, command]) => command.commands.length === 0).map(([name]) => name)
  expect(leaves.filter((name) => !named.some((line) => line.startsWith(`countersign ${name}`)))).toEqual([])
})

/** The ids of checks in the sources, up to a name that is inserted. */
function checkIds(folder = new URL('../src/', import.meta.url)): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const place = new URL(entry.isDirectory() ? `${entry.name}/` : entry.name, folder)
    if (entry.isDirectory()) return checkIds(place)
    const found = readFileSync(place, 'utf8').matchAll(
      /(?:\b(?:pass|warn|caution|fail|skip)\(\s*|\bid = |\bid: )['`]([a-z][a-z-]*[a-z])/g,
    )
    return Array.from(found, ([, id = '']) => id)
  })
}

test('the page of the checks documents every check', () => {
  const ids = [...new Set(checkIds())]
  expect(ids).toEqual(expect.arrayContaining(['redis-clock', 'made-up-token', 'initialize', 'hmac-keks', 'type']))
  const page = readFileSync(new URL('../../../docs/operations/doctor.md', import.meta.url), 'utf8')
  expect(ids.filter((id) => !page.includes(`\`${id}`))).toEqual([])
})

test('[cli-bad-inputs] a misspelt command or option gets a suggestion', async () => {
  await refuse(['hmca'], 2, /unknown command 'hmca' \(Did you mean hmac\?\)/)
  await refuse(['hmac', 'rotat', 'x'], 2, /unknown command 'rotat' \(Did you mean rotate\?\)/)
  await refuse(['hmac', 'rotate', 'x', '--pendng'], 2, /unknown option '--pendng' \(Did you mean --pending\?\)/)
  await refuse(['hmac', 'rotate', 'x', '--grace', 'soon'], 2, /It must look like 90s, 15m, 24h or 7d/)
  await refuse(['hmac', 'revoke', 'x', '--key-version', '1', '--all'], 2, /cannot be used with/)
})
