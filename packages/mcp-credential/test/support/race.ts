import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { Cluster, Redis } from 'ioredis'
import { recordedAudit } from '../../../../test/support/audit-recorder.js'
import { messageFrom } from '../../../../test/support/child-messages.js'
import { poolOf } from '../../../../test/support/postgres-tables.js'
import type { IssuedNote, RaceReport } from './race-process.js'
import { keysWithoutTtl } from './redis-time.js'

export interface RaceOptions {
  /** Ports of one Redis, or of the nodes of a cluster. */
  readonly nodes?: readonly number[]
  /** Or the URL of a PostgreSQL. */
  readonly postgres?: string
  readonly processes: number
  readonly threads: number
  readonly milliseconds: number
  /** Called once while the race is on, with the number of credentials that were issued so far. */
  readonly meanwhile?: (issued: () => number) => Promise<void>
}

/** A success of a resolve that had begun after the credential's revocation was acknowledged. */
export interface Violation {
  readonly thread: string
  readonly acknowledgedAt: number
  readonly lateByMs: number
}

export interface RaceResult {
  readonly violations: readonly Violation[]
  readonly withoutTtl: readonly string[]
  readonly revocations: number
  readonly resolves: number
  readonly granted: number
  readonly unavailable: number
}

/** The store of a race, as each of its processes has it. */
export type RaceTarget = Pick<RaceOptions, 'nodes' | 'postgres'>

/** A store of its own on the target. */
export function storeOf({ nodes = [], postgres }: RaceTarget, commandTimeoutMs: number) {
  if (postgres !== undefined) {
    const pool = poolOf(postgres, { max: 8 })
    return {
      store: postgresCredentials(pool, { commandTimeoutMs }),
      withoutTtl: async () => [],
      close: () => pool.end(),
    }
  }
  const redis =
    nodes.length > 1
      ? new Cluster(nodes.map((port) => ({ host: '127.0.0.1', port })))
      : new Redis({ host: '127.0.0.1', port: nodes[0] as number })
  redis.on('error', () => undefined)
  return {
    store: redisCredentials(redis, { commandTimeoutMs }),
    withoutTtl: () => keysWithoutTtl(redis),
    close: async () => redis.disconnect(),
  }
}

export const monotonicNow = (): number => Number(process.hrtime.bigint()) / 1e6

/** Lets processes race on one store, and finds what was granted after it was ended. */
export async function race({
  processes,
  threads,
  milliseconds,
  meanwhile,
  ...target
}: RaceOptions): Promise<RaceResult> {
  const { store, withoutTtl, close } = storeOf(target, 5000)
  const file = fileURLToPath(new URL('race-process.ts', import.meta.url))
  const children = Array.from({ length: processes }, () =>
    fork(file, [JSON.stringify({ ...target, threads })], {
      execArgv: ['--conditions=dev-source', '--import', 'tsx'],
      env: { ...process.env, NODE_OPTIONS: '' },
    }),
  )
  try {
    await Promise.all(children.map((child) => messageFrom(child, ({ ready }) => ready)))
    const issued: IssuedNote[] = []
    const spread = (note: IssuedNote) => {
      issued.push(note)
      // One that has ended meanwhile need not know.
      for (const child of children) if (child.connected) child.send({ issued: note }, () => undefined)
    }
    for (const child of children) {
      child.on('message', (message: { issued?: IssuedNote }) => message.issued !== undefined && spread(message.issued))
    }
    const credentials = createMcpCredentials({
      store,
      audit: recordedAudit().audit,
      idleTimeoutSeconds: 60,
      maximumLifetimeSeconds: 600,
    })
    const names = Array.from({ length: threads }, (_, index) => `t${index}`)
    for (let from = 0; from < threads; from += 50) {
      await Promise.all(
        names.slice(from, from + 50).map(async (thread) => {
          const { credentialId, token } = await credentials.issue({ threadId: thread, providerInstanceId: 'p' })
          spread({ id: credentialId, token, thread, at: monotonicNow() })
        }),
      )
    }
    // One that ends before it reports ends the race.
    const reports = Promise.all(
      children.map((child) => messageFrom(child, ({ report }) => report as RaceReport | undefined)),
    )
    for (const child of children) child.send({ start: true })
    const isOver = Promise.all([
      new Promise((resolve) => setTimeout(resolve, milliseconds)),
      meanwhile?.(() => issued.length),
    ])
    await Promise.race([isOver, reports])
    for (const child of children) child.send({ stop: true })
    const all = await reports
    const sum = (pick: (report: RaceReport) => number) => all.reduce((total, report) => total + pick(report), 0)
    return {
      violations: judge(issued, all),
      withoutTtl: await withoutTtl(),
      revocations: sum(({ revoked }) => revoked.length),
      resolves: sum(({ resolves }) => resolves),
      granted: sum(({ granted }) => granted),
      unavailable: sum(({ unavailable }) => unavailable),
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await close()
  }
}

function judge(issued: readonly IssuedNote[], reports: readonly RaceReport[]): Violation[] {
  const lastSuccess = new Map<string, number>()
  for (const [id, from] of reports.flatMap((report) => report.lastSuccess)) {
    lastSuccess.set(id, Math.max(from, lastSuccess.get(id) ?? 0))
  }
  const byThread = new Map<string, IssuedNote[]>()
  for (const note of issued) byThread.set(note.thread, [...(byThread.get(note.thread) ?? []), note])
  return reports.flatMap(({ revoked }) =>
    revoked.flatMap(({ thread, id, from, at }) =>
      (byThread.get(thread) ?? [])
        .filter((note) => (id === undefined ? note.at < from : note.id === id))
        .filter((note) => (lastSuccess.get(note.id) ?? 0) > at)
        .map((note) => ({ thread, acknowledgedAt: at, lateByMs: (lastSuccess.get(note.id) as number) - at })),
    ),
  )
}
