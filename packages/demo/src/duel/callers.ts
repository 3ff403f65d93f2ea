import { agentRows } from './agents.js'
import { clientRows } from './clients.js'
import { peopleRows } from './people.js'
import type { Row } from './row.js'
import { serviceRows } from './services.js'

/** A kind of caller: who it is, our gate, what is usually put in its place, and the rows that both are shown. */
export interface Caller {
  readonly id: string
  readonly title: string
  /** The title where there is little room. */
  readonly short: string
  readonly proves: string
  readonly gate: string
  readonly usual: string
  readonly rows: readonly Row[]
}

/** The four kinds of callers. */
export const callers: readonly Caller[] = [
  {
    id: 'service',
    title: 'Another service',
    short: 'Service',
    proves: 'It holds a shared secret, and signed exactly this request, once.',
    gate: 'requireHmac',
    usual: 'shared key, timingSafeEqual',
    rows: serviceRows,
  },
  {
    id: 'client',
    title: 'An OAuth client',
    short: 'OAuth client',
    proves: 'It holds an access token that was issued for this API.',
    gate: 'requireOAuthBearer',
    usual: 'express-oauth2-jwt-bearer',
    rows: clientRows,
  },
  {
    id: 'agent',
    title: 'An agent session',
    short: 'Agent',
    proves: 'It holds the credential of one thread, with few capabilities, not revoked.',
    gate: 'requireMcpCredential',
    usual: 'passport-http-bearer',
    rows: agentRows,
  },
  {
    id: 'person',
    title: 'A person with a link',
    short: 'Person',
    proves: 'They opened a link from the chat, once, in this browser.',
    gate: 'requireSettingsSession',
    usual: 'iron-session, seal in the URL',
    rows: peopleRows,
  },
]

/** The rows of all callers. */
export const rows: readonly Row[] = callers.flatMap((caller) => caller.rows)
