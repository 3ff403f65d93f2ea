// Measures the memory store with as many credentials as the second argument says, and prints the figures as JSON.
// Run with --expose-gc.
import { createAudit } from '@countersign/core'
import { createMcpCredentials, memoryCredentials } from '@countersign/mcp-credential'
import { cpuMs, leastCpuMs } from '../../../../test/support/cpu-time.js'
import { fakeClock } from '../../../../test/support/fake-clock.js'

const COUNT = Number(process.argv[3])
const clock = fakeClock()
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined)

/** What is reachable. RSS also counts pages that the collector has not yet returned, which depends on the machine. */
async function reachable(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let unchanged = 0; unchanged < 5; unchanged += 1) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 10))
    const { heapUsed, external } = process.memoryUsage()
    if (heapUsed + external < least - 100_000) unchanged = 0
    least = Math.min(least, heapUsed + external)
  }
  return least
}

function registry(maxCredentials: number) {
  const store = memoryCredentials({ clock, maxCredentials })
  return { store, credentials: createMcpCredentials({ store, audit: createAudit() }) }
}

type Credentials = ReturnType<typeof registry>['credentials']

/** Uses that write their deadlines: each comes a minute after the last. */
const sliding = (credentials: Credentials, tokens: readonly string[]) => async () => {
  clock.advance(61_000)
  for (const token of tokens) await credentials.resolve(token)
}

async function full(): Promise<object> {
  const few = registry(10_000)
  const fewTokens: string[] = []
  for (let index = 0; index < 5000; index += 1) {
    fewTokens.push((await few.credentials.issue({ threadId: `few-${index}`, providerInstanceId: 'p' })).token)
  }
  const { store, credentials } = registry(COUNT)
  const tokens: string[] = []
  const before = await reachable()
  for (let index = 0; index < COUNT; index += 1) {
    const { token } = await credentials.issue({
      threadId: `thread-${index}`,
      providerInstanceId: `provider-${index % 50}`,
      capabilities: ['preview', 'edit'],
    })
    if (index % (COUNT / 5000) === 0) tokens.push(token)
  }
  const bytesEach = ((await reachable()) - before) / COUNT
  const slides = { empty: sliding(few.credentials, fewTokens), full: sliding(credentials, tokens) }
  const { empty, full } = await leastCpuMs(slides, 15)
  const slideMicrosecondsEmpty = (1000 * empty) / fewTokens.length
  const slideMicrosecondsFull = (1000 * full) / tokens.length
  const refused = await credentials.issue({ threadId: 'one-more', providerInstanceId: 'p' }).then(
    () => 0,
    () => 1,
  )
  let sweepMs = 0
  for (let tick = 0; tick < 385; tick += 1) {
    clock.advance(15_000)
    sweepMs = Math.max(sweepMs, cpuMs(store.tick))
  }
  const left = store.held()
  return { bytesEach, slideMicrosecondsEmpty, slideMicrosecondsFull, refused, sweepMs, left }
}

async function issues(): Promise<object> {
  const { credentials, store } = registry(100_000)
  const before = await reachable()
  for (let index = 0; index < 0.8 * COUNT; index += 1)
    await credentials.issue({ threadId: 't', providerInstanceId: 'p' })
  const heldAfterOneThread = store.held()
  for (let index = 0; index < 0.2 * COUNT; index += 1) {
    await credentials.issue({ threadId: `t${index}`, providerInstanceId: 'p' })
    await credentials.revokeThread(`t${index}`)
  }
  const heldAfterManyThreads = store.held()
  const grownMegabytes = ((await reachable()) - before) / 1e6
  return { heldAfterOneThread, heldAfterManyThreads, grownMegabytes }
}

console.log(JSON.stringify(process.argv[2] === 'full' ? await full() : await issues()))
process.exit()
