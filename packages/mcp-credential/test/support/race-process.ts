// One of several processes that resolve, revoke and issue on one store. The parent judges what they saw.
import { createAudit } from '@countersign/core'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { type RaceTarget, storeOf } from './race.js'

/** A credential that some process issued: when that was acknowledged, on the machine's monotonic clock. */
export interface IssuedNote {
  readonly id: string
  readonly token: string
  readonly thread: string
  readonly at: number
}

/** A revocation: what it ended, and when it was begun and acknowledged. */
export interface RevokedNote {
  readonly thread: string
  readonly id: string | undefined
  readonly from: number
  readonly at: number
}

export interface RaceReport {
  readonly revoked: readonly RevokedNote[]
  /** Of each credential, when the last resolve that succeeded had begun. */
  readonly lastSuccess: readonly (readonly [id: string, from: number])[]
  readonly resolves: number
  readonly granted: number
  readonly unavailable: number
}

const { threads, ...target } = JSON.parse(process.argv[2] ?? '{}') as RaceTarget & { threads: number }
const credentials = createMcpCredentials({
  store: storeOf(target, 2000).store,
  audit: createAudit(),
  // Short, so that many uses are written.
  idleTimeoutSeconds: 60,
  maximumLifetimeSeconds: 600,
})

const now = () => Number(process.hrtime.bigint()) / 1e6
const tokens = new Map<string, { id: string; token: string }[]>()
const revoked: RevokedNote[] = []
const lastSuccess = new Map<string, number>()
let resolves = 0
let granted = 0
let unavailable = 0
let isRunning = true

function learn({ id, token, thread }: IssuedNote): void {
  const list = tokens.get(thread) ?? []
  list.push({ id, token })
  tokens.set(thread, list.slice(-6))
}

async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_COUNTERSIGN_UNAVAILABLE') throw error
    unavailable += 1
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function use(thread: string): Promise<void> {
  const list = tokens.get(thread) ?? []
  const one = list[Math.floor(Math.random() * list.length)]
  if (one === undefined) return
  const from = now()
  const { standing } = await credentials.resolve(one.token)
  resolves += 1
  if (standing !== 'live') return
  granted += 1
  lastSuccess.set(one.id, Math.max(from, lastSuccess.get(one.id) ?? 0))
}

async function end(thread: string): Promise<void> {
  const newest = tokens.get(thread)?.at(-1)
  const byId = Math.random() < 0.4 ? newest?.id : undefined
  const from = now()
  if (byId === undefined) await credentials.revokeThread(thread)
  else await credentials.revoke(byId)
  revoked.push({ thread, id: byId, from, at: now() })
  const onExisting = Math.random() < 0.3 ? 'carry' : 'keep'
  const issued = await credentials.issue({ threadId: thread, providerInstanceId: 'p', onExisting })
  const note: IssuedNote = { id: issued.credentialId, token: issued.token, thread, at: now() }
  process.send?.({ issued: note })
}

async function work(): Promise<void> {
  while (isRunning) {
    const thread = `t${Math.floor(Math.random() * threads)}`
    await attempt(() => (Math.random() < 0.03 ? end(thread) : use(thread)))
  }
}

let workers: Promise<void>[] = []
process.on('message', (message: { issued?: IssuedNote; start?: true; stop?: true }) => {
  if (message.issued !== undefined) learn(message.issued)
  if (message.start) workers = Array.from({ length: 8 }, work)
  if (message.stop) {
    isRunning = false
    void Promise.all(workers).then(() => {
      const report: RaceReport = { revoked, lastSuccess: [...lastSuccess], resolves, granted, unavailable }
      process.send?.({ report }, () => process.exit())
    })
  }
})
process.on('disconnect', () => process.exit())
process.send?.({ ready: true })
