import { AGAIN } from '../cases/sizes.js'
import type { Row } from '../row.js'
import { noiseOf, quotient } from './compare.js'
import { type Grid, text } from './table.js'

/** Of each section, by its id. */
export type AllRows = Readonly<Record<string, readonly Row[]>>

/** What was measured under one major version of Node. */
export interface UnderNode {
  readonly major: number
  readonly rows: AllRows
}

/** How near one target is. A figure that was not measured is undefined. */
interface Assessed {
  readonly ours: number | undefined
  readonly peer: number | undefined
  /** What the target is about: a ratio, or `ours` itself. */
  readonly figure: number | undefined
}

interface Target {
  readonly what: string
  readonly peer: string
  /** At most, or at least where that is said. */
  readonly limit: number | ((rows: AllRows) => number | undefined)
  readonly isLeast?: boolean
  assess(rows: AllRows): Assessed
}

const find = (rows: AllRows, section: string, id: string, name: string): Row | undefined =>
  rows[section]?.find((row) => row.id === id && row.name === name)

type Key = 'added' | 'inOneTick'

/** Ours at most so many times what the peer costs. */
function ratio(what: string, limit: number, id: string, own: string, peer: string, key: Key = 'added'): Target {
  return {
    what,
    peer,
    limit,
    assess(rows) {
      const [mine, other] = [find(rows, 'decisions', id, own), find(rows, 'decisions', id, peer)]
      const [ours, theirs] = [mine?.figures[key], other?.figures[key]]
      return { ours, peer: theirs, figure: quotient(ours, theirs, other && noiseOf(other, key)) }
    },
  }
}

/** Of several the worst counts. */
function worst(all: readonly Target[]): Target {
  const [first] = all as [Target]
  const assess = (rows: AllRows) =>
    all.map((one) => one.assess(rows)).sort((one, other) => (other.figure ?? 0) - (one.figure ?? 0))[0] as Assessed
  return { ...first, assess }
}

/** Ours itself, in the column's unit; the peer's for comparison. */
function figure(
  what: string,
  limit: number,
  [section, id, own, key]: readonly [section: string, id: string, own: string, key: string],
  [peer, peerId = id]: readonly [peer: string, id?: string],
): Target {
  return {
    what,
    peer,
    limit,
    assess(rows) {
      const ours = find(rows, section, id, own)?.figures[key]
      return { ours, peer: find(rows, section, peerId, peer)?.figures[key], figure: ours }
    },
  }
}

/** µs that a decision costs more at the most expensive size than at the cheapest. */
function growthOf(rows: AllRows, id: string, name: string): number | undefined {
  const sizes = (rows.growth ?? []).filter((row) => row.id === id && row.name === name && !row.size?.endsWith(AGAIN))
  const figures = sizes.flatMap(({ figures }) => figures.added ?? [])
  return figures.length < 2 ? undefined : Math.max(...figures) - Math.min(...figures)
}

/** No more than the peer, and what two equal ones of ours differ by. */
function flat(what: string, id: string, own: string, peer: string): Target {
  return {
    what: `${what}, 10² to 10⁶ live: µs more`,
    peer,
    limit(rows) {
      const twins = rows.growth?.find((row) => row.id === id && row.size?.endsWith(AGAIN))?.figures.noise
      const theirs = growthOf(rows, id, peer)
      return theirs === undefined || twins === undefined ? undefined : theirs + twins
    },
    assess(rows) {
      const ours = growthOf(rows, id, own)
      return { ours, peer: growthOf(rows, id, peer), figure: ours }
    },
  }
}

const [GATE, MCP, SETTINGS] = ['requireOAuthBearer', 'requireMcpCredential', 'requireSettingsSession']
const [CACHE, STATIC] = ['fast-jwt, its cache', 'fast-jwt']
const [BY_HAND, PASSPORT] = ['by hand, no replay', 'passport-http-bearer']
const [SDK, GET] = ['MCP SDK, GET and PEXPIRE', 'by hand, GET alone']
const [CONNECT, MEMORY] = ['express-session, connect-redis', 'express-session, MemoryStore']
const SEEN = ['oauth-rs256-one', 'oauth-rs256-1000', 'oauth-es256-one', 'oauth-eddsa-one']

const targets: readonly Target[] = [
  worst(SEEN.map((id) => ratio('OAuth, seen before; the worst of four', 1.2, id, GATE, CACHE))),
  ratio('OAuth, first seen, RS256', 0.85, 'oauth-rs256-new', GATE, STATIC),
  ratio('OAuth, first seen, ES256', 1, 'oauth-es256-new', GATE, STATIC),
  ratio('OAuth, first seen, EdDSA', 1, 'oauth-eddsa-new', GATE, STATIC),
  ratio('HMAC `xHeaders`, 1 KiB', 1.6, 'hmac-1k', 'xHeaders', BY_HAND),
  ratio('HMAC `xHeaders`, 1 KiB', 0.95, 'hmac-1k', 'xHeaders', 'hawk'),
  ratio('HMAC `rfc9421`, no body', 2, 'hmac-0', 'rfc9421', 'hawk'),
  ratio('HMAC `rfc9421`, 1 KiB', 1.2, 'hmac-1k', 'rfc9421', 'hawk'),
  ratio('MCP credential, memory', 1.3, 'mcp-memory', MCP, PASSPORT),
  ratio('MCP credential, memory, in one tick', 1.3, 'mcp-memory', MCP, PASSPORT, 'inOneTick'),
  figure('MCP credential, memory: µs', 6, ['decisions', 'mcp-memory', MCP, 'added'], [PASSPORT]),
  ratio('MCP credential, Redis', 0.7, 'mcp-redis', MCP, SDK),
  ratio('MCP credential, Redis', 1, 'mcp-redis', MCP, GET),
  figure("MCP credential: µs of Redis's CPU", 10, ['decisions', 'mcp-redis', MCP, 'redis'], [GET]),
  figure("Settings session: µs of Redis's CPU", 7, ['decisions', 'settings-redis', SETTINGS, 'redis'], [CONNECT]),
  ratio('Settings session, Redis', 0.6, 'settings-redis', SETTINGS, CONNECT),
  {
    ...figure(
      'Audit events a second into a file',
      100_000,
      ['file', 'file-loop', 'jsonl', 'perSecond'],
      ['pino, buffered'],
    ),
    isLeast: true,
  },
  figure('Audit events lost', 0, ['file', 'file-loop', 'jsonl', 'lost'], ['pino, buffered']),
  figure(
    'Settings session: bytes in memory',
    900,
    ['memory', 'bytes-settings-session', 'memorySessions', 'bytes'],
    [MEMORY],
  ),
  figure(
    'MCP credential: bytes in memory',
    450,
    ['memory', 'bytes-mcp-credential', 'memoryCredentials', 'bytes'],
    [MEMORY, 'bytes-settings-session'],
  ),
  flat('MCP credential, memory', 'live-mcp-memory', MCP, PASSPORT),
  flat('MCP credential, Redis', 'live-mcp-redis', MCP, SDK),
  flat('Settings session, memory', 'live-settings-memory', SETTINGS, MEMORY),
  flat('Settings session, Redis', 'live-settings-redis', SETTINGS, CONNECT),
  flat('Replay claim, memory', 'live-claims-memory', 'xHeaders', 'by hand, a Map'),
]

function isReached({ limit, isLeast = false, assess }: Target, rows: AllRows): boolean | undefined {
  const { figure } = assess(rows)
  const most = typeof limit === 'number' ? limit : limit(rows)
  if (figure === undefined || most === undefined) return undefined
  return isLeast ? figure >= most : figure <= most
}

const WORDS = { true: 'reached', false: '**not reached**', undefined: 'not measured' } as const

/** The targets under the reference, with a column for each other version. */
export function targetTable([main, ...others]: readonly UnderNode[]): Pick<Grid, 'head' | 'lines'> {
  const rows = main?.rows ?? {}
  const lines = targets.map((target) => {
    const { ours, peer, figure } = target.assess(rows)
    const limit = typeof target.limit === 'number' ? target.limit : target.limit(rows)
    return [
      target.what,
      text(ours),
      `${text(peer)}, ${target.peer}`,
      figure === ours ? '–' : text(figure),
      `${target.isLeast ? '≥' : '≤'} ${text(limit)}`,
      WORDS[`${isReached(target, rows)}`],
      ...others.map((other) => inShort(target, other.rows)),
    ]
  })
  const head = ['case', 'ours', 'peer', 'ratio', 'to reach', '', ...others.map(({ major }) => `Node ${major}`)]
  return { head, lines }
}

function inShort(target: Target, rows: AllRows): string {
  const { figure } = target.assess(rows)
  return figure === undefined ? '–' : `${text(figure)}${isReached(target, rows) ? '' : ', **not reached**'}`
}
