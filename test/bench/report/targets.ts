import { AGAIN } from '../cases/sizes.js'
import type { Row } from '../row.js'
import { noiseOf, quotient } from './compare.js'
import { type Grid, text } from './table.js'

/** Of each section, by its id. */
export type AllRows = Readonly<Record<string, readonly Row[]>>

/** How near one target is. A figure that was not measured is undefined. */
export interface Assessed {
  readonly what: string
  readonly most: number | undefined
  readonly figure: number | undefined
  readonly inOneTick: number | undefined
  /** The case that `figure` is of. */
  readonly where: string | undefined
}

type Target = (rows: AllRows) => Assessed
type Key = 'added' | 'inOneTick'

interface Found {
  readonly id: string
  readonly value: number
}

/** Of several cases the worst counts. */
const worst = (all: readonly Found[]): Found | undefined => [...all].sort((one, other) => other.value - one.value)[0]

const find = (rows: AllRows, section: string, id: RegExp, name: string): Row[] =>
  (rows[section] ?? []).filter((row) => id.test(row.id) && row.name === name)

/** Ours at most so many times what the peer costs. */
function ratio(what: string, most: number, id: RegExp, own: string, peer: string): Target {
  return (rows) => {
    const ratios = (key: Key) =>
      find(rows, 'decisions', id, own).flatMap((row) => {
        const other = find(rows, 'decisions', id, peer).find((one) => one.id === row.id)
        const value = quotient(row.figures[key], other?.figures[key], other && noiseOf(other, key))
        return value === undefined ? [] : [{ id: row.id, value }]
      })
    const found = worst(ratios('added'))
    return {
      what: `${what}: ratio to ${peer}`,
      most,
      figure: found?.value,
      inOneTick: worst(ratios('inOneTick'))?.value,
      where: found?.id,
    }
  }
}

/** µs that a decision costs more at the most expensive size than at the cheapest. */
function growthOf(rows: AllRows, id: RegExp, name: string, key: Key): number | undefined {
  const sizes = find(rows, 'growth', id, name).filter(({ size }) => !size?.endsWith(AGAIN))
  const figures = sizes.flatMap((row) => row.figures[key] ?? [])
  return figures.length < 2 ? undefined : Math.max(...figures) - Math.min(...figures)
}

function flat(what: string, id: RegExp, own: string, peer: string): Target {
  return (rows) => ({
    what: `${what}: µs between the cheapest size and the dearest (${peer}: ${text(growthOf(rows, id, peer, 'added'))})`,
    most: find(rows, 'growth', id, own).find(({ size }) => size?.endsWith(AGAIN))?.figures.noise,
    figure: growthOf(rows, id, own, 'added'),
    inOneTick: growthOf(rows, id, own, 'inOneTick'),
    where: find(rows, 'growth', id, own)[0]?.id,
  })
}

function oneCommand(what: string, id: RegExp, own: string): Target {
  return (rows) => {
    const found = find(rows, 'redis', id, own)[0]
    const figure = found?.figures.commands
    return { what: `${what}: commands a decision`, most: 1, figure, inOneTick: undefined, where: found?.id }
  }
}

const SEEN = /^oauth-.*-(one|1000)$/
const NEW = /^oauth-.*-new$/
const [GATE, MCP, SETTINGS] = ['requireOAuthBearer', 'requireMcpCredential', 'requireSettingsSession']
const [AUTH0, SDK] = ['express-oauth2-jwt-bearer', 'MCP SDK over jose']

const targets: readonly Target[] = [
  ratio('OAuth, token seen before', 0.08, SEEN, GATE, AUTH0),
  ratio('OAuth, token seen before', 0.08, SEEN, GATE, SDK),
  ratio('OAuth, token seen before', 1, SEEN, GATE, 'fast-jwt, its cache'),
  ratio('OAuth, first seen', 1, NEW, GATE, AUTH0),
  ratio('OAuth, first seen', 1, NEW, GATE, SDK),
  ratio('OAuth with DPoP', 0.7, /^oauth-dpop$/, GATE, AUTH0),
  ratio('HMAC `xHeaders`, 1 KiB', 2, /^hmac-1k$/, 'xHeaders', 'by hand, no replay'),
  ratio('HMAC `xHeaders`, 1 MiB', 1.1, /^hmac-1m$/, 'xHeaders', 'by hand, no replay'),
  ratio('HMAC `rfc9421`, 1 KiB', 0.8, /^hmac-1k$/, 'rfc9421', 'http-message-signatures'),
  ratio('MCP credential, memory', 0.3, /^mcp-memory$/, MCP, 'passport-http-bearer'),
  ratio('MCP credential, Redis', 0.5, /^mcp-redis$/, MCP, 'MCP SDK, GET and PEXPIRE'),
  oneCommand('MCP credential, Redis', /^mcp-redis$/, MCP),
  ratio('Settings session, Redis', 0.25, /^settings-redis$/, SETTINGS, 'express-session, connect-redis'),
  oneCommand('Settings session, Redis', /^settings-redis$/, SETTINGS),
  flat('MCP credential, memory, 10² to 10⁶ live', /^live-mcp-memory$/, MCP, 'passport-http-bearer'),
  flat('MCP credential, Redis, 10² to 10⁵ live', /^live-mcp-redis$/, MCP, 'MCP SDK, GET and PEXPIRE'),
  flat('Settings session, memory, 10² to 10⁶ live', /^live-settings-memory$/, SETTINGS, 'express-session, MemoryStore'),
  flat('Settings session, Redis, 10² to 10⁵ live', /^live-settings-redis$/, SETTINGS, 'express-session, connect-redis'),
]

const assess = (rows: AllRows): Assessed[] => targets.map((target) => target(rows))

function isReached({ figure, most }: Assessed): boolean | undefined {
  return figure === undefined || most === undefined ? undefined : figure <= most
}

const WORDS = { true: 'reached', false: '**not reached**', undefined: 'not measured' } as const

/** What was measured under one major version of Node. */
export interface UnderNode {
  readonly major: number
  readonly rows: AllRows
}

/** The targets under the first version, with a column for each other one. */
export function targetTable([main, ...others]: readonly UnderNode[]): Pick<Grid, 'head' | 'lines'> {
  const again = others.map(({ rows }) => assess(rows))
  const lines = assess(main?.rows ?? {}).map((one, index) => [
    one.what,
    text(one.most),
    text(one.figure),
    text(one.inOneTick),
    one.where ?? '–',
    WORDS[`${isReached(one)}`],
    ...again.map((list) => inShort(list[index])),
  ])
  const head = ['target', 'at most', 'figure', 'in one tick', 'case', '', ...others.map(({ major }) => `Node ${major}`)]
  return { head, lines }
}

function inShort(assessed: Assessed | undefined): string {
  if (assessed?.figure === undefined) return '–'
  return `${text(assessed.figure)}, ${WORDS[`${isReached(assessed)}`]}`
}
