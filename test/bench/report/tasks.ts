import type { Row } from '../row.js'
import type { AllRows } from './targets.js'

/** What the first page shows: a gate's task, and what people use for it today. */
interface Task {
  readonly title: string
  readonly id: string
  readonly ours: readonly string[]
  readonly peers: readonly string[]
}

const [AUTH0, SDK] = ['express-oauth2-jwt-bearer', 'MCP SDK over jose']

const tasks: readonly Task[] = [
  {
    title: 'OAuth access token, seen before',
    id: 'oauth-rs256-1000',
    ours: ['requireOAuthBearer'],
    peers: [AUTH0, SDK, 'express-jwt, jwks-rsa', 'fast-jwt, its cache'],
  },
  {
    title: 'OAuth access token, first seen (ES256)',
    id: 'oauth-es256-new',
    ours: ['requireOAuthBearer'],
    peers: [AUTH0, SDK, 'express-jwt, jwks-rsa', 'fast-jwt'],
  },
  {
    title: 'OAuth access token with a DPoP proof',
    id: 'oauth-dpop',
    ours: ['requireOAuthBearer'],
    peers: [AUTH0, 'ES256 verification of the proof alone'],
  },
  {
    title: 'Signed request, 1 KiB',
    id: 'hmac-1k',
    ours: ['xHeaders', 'rfc9421'],
    peers: ['http-message-signatures', 'standardwebhooks', 'hawk', 'by hand, no replay'],
  },
  {
    title: 'Agent credential, in memory',
    id: 'mcp-memory',
    ours: ['requireMcpCredential'],
    peers: ['passport-http-bearer'],
  },
  {
    title: 'Agent credential, Redis',
    id: 'mcp-redis',
    ours: ['requireMcpCredential'],
    peers: ['MCP SDK, GET and PEXPIRE', 'by hand, GET alone'],
  },
  {
    title: 'Settings session, Redis',
    id: 'settings-redis',
    ours: ['requireSettingsSession'],
    peers: ['express-session, connect-redis', 'express-session, ioredis', 'iron-session, no store'],
  },
]

/** One of the bars of a task. */
export interface Bar {
  readonly name: string
  readonly isOurs: boolean
  readonly micros: number
}

/** What was measured of the tasks. */
export function barsOf(rows: AllRows): { readonly title: string; readonly bars: readonly Bar[] }[] {
  return tasks.flatMap(({ title, id, ours, peers }) => {
    const bars = [...ours, ...peers].flatMap((name): Bar[] => {
      const micros = microsOf(rows, id, name)
      return micros === undefined ? [] : [{ name, isOurs: ours.includes(name), micros }]
    })
    return bars.length === 0 ? [] : [{ title, bars }]
  })
}

/** µs of CPU that a middleware adds. */
export function microsOf(rows: AllRows, id: string, name: string): number | undefined {
  return rows.decisions?.find((row: Row) => row.id === id && row.name === name)?.figures.added
}
