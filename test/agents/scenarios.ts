import { rmSync } from 'node:fs'
import type { Handed } from './hand-over.js'
import type { Asked, World } from './world.js'

/** What a scenario can do to the world while an agent runs. */
export interface Stage extends Pick<Handed, 'issued' | 'rotate'> {
  readonly world: World
  /** The credential file; undefined when the agent has none. */
  readonly file: string | undefined
}

/** What one run of an agent came to. */
export interface Run {
  /** What the model read, call by call. */
  readonly results: readonly string[]
  /** The requests since the act, which is before the call `act`. */
  readonly after: readonly Asked[]
  readonly asked: readonly Asked[]
  readonly ended: 'by itself' | 'never'
  readonly output: string
}

type Act = (stage: Stage) => Promise<void> | void
const nothing: Act = () => undefined

/** Something that happens to an agent while it works. */
export interface Scenario {
  readonly id: string
  readonly title: string
  /** What happens before each call; there is one call for each. */
  readonly before: readonly Act[]
  /** The index of the call before which the scenario's act takes place. */
  readonly act: number
  /** What happens before the agent starts. */
  readonly prepare?: Act
  /** What happens as soon as it has started. */
  readonly meanwhile?: Act
  readonly idleSeconds?: number
  readonly deadAs?: 'http' | 'jsonrpc'
  /** Whether the credential ends: then a run is judged by what is asked and read afterwards. */
  readonly ends?: boolean
}

const revoke: Act = async ({ issued }) => void (await issued.revoke())
const supersede: Act = async ({ world, issued }) => {
  const { threadId, providerInstanceId, capabilities } = issued
  await world.credentials.issue({ threadId, providerInstanceId, capabilities })
}
const idle: Act = async ({ world, issued }) => {
  while ((await world.credentials.check(issued.credentialId)).standing === 'live') {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export const scenarios: readonly Scenario[] = [
  { id: 'call', title: 'connects and calls', act: 0, before: [nothing, nothing] },
  {
    id: 'outage',
    title: 'store outage during a call',
    act: 1,
    before: [nothing, ({ world }) => world.redis.pause(), ({ world }) => world.resume()],
  },
  {
    id: 'outage-at-start',
    title: 'store outage at start, for 2 s',
    act: 0,
    before: [nothing],
    prepare: ({ world }) => world.redis.pause(),
    async meanwhile({ world }) {
      await world.nextArrival()
      // What is measured is an outage of this length.
      await new Promise((resolve) => setTimeout(resolve, 2000))
      world.redis.resume()
    },
  },
  { id: 'restart', title: 'restart of the app', act: 1, before: [nothing, ({ world }) => world.restart(), nothing] },
  {
    id: 'rotation',
    title: 'rotation, the old one ended',
    act: 1,
    before: [nothing, ({ rotate }) => rotate('supersede'), nothing],
  },
  {
    id: 'carry',
    title: 'rotation with `carry`',
    act: 1,
    before: [nothing, ({ rotate }) => rotate('carry'), nothing],
  },
  ...(['http', 'jsonrpc'] as const).flatMap((deadAs): Scenario[] => [
    { id: `revoked-${deadAs}`, title: 'revoked', act: 1, ends: true, deadAs, before: [nothing, revoke] },
    { id: `superseded-${deadAs}`, title: 'superseded', act: 1, ends: true, deadAs, before: [nothing, supersede] },
    { id: `idle-${deadAs}`, title: 'idle', act: 1, ends: true, deadAs, idleSeconds: 20, before: [nothing, idle] },
  ]),
  {
    id: 'dead-at-start',
    title: 'revoked before it starts',
    act: 0,
    ends: true,
    before: [nothing],
    prepare: revoke,
  },
  {
    id: 'no-credential',
    title: 'without its credential',
    act: 0,
    ends: true,
    before: [nothing],
    prepare: ({ file }) => void (file === undefined || rmSync(file)),
  },
]

/** A request that is for an authorization server, or for a way to one. */
export const isOAuth = ({ path }: Asked): boolean => !path.startsWith('/mcp') || path.includes('.well-known')
