// `npm run bench:credential-log`: what the log of memoryCredentials costs, by its fsync policy, and beside no log.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAudit } from '@countersign/core'
import { createMcpCredentials, type MemoryCredentialsOptions, memoryCredentials } from '@countersign/mcp-credential'
import { fakeClock } from '@countersign/testing'

const ROUNDS = 5
const ISSUES = 300
const HELD = 100_000

const folder = mkdtempSync(join(process.env.BENCH_FOLDER ?? tmpdir(), 'countersign-log-'))
const clock = fakeClock()
const variants: Record<string, () => MemoryCredentialsOptions> = {
  'no file': () => ({}),
  'fsync never': () => ({ file: join(folder, 'never'), fsync: 'never' }),
  'fsync always': () => ({ file: join(folder, 'always'), fsync: 'always' }),
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number

async function microseconds(times: number, work: (index: number) => unknown): Promise<number> {
  const started = performance.now()
  for (let index = 0; index < times; index += 1) await work(index)
  return ((performance.now() - started) * 1000) / times
}

const rows: Record<string, Record<string, number[]>> = {}
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, options] of Object.entries(variants)) {
    const credentials = createMcpCredentials({
      store: memoryCredentials({ clock, ...options() }),
      audit: createAudit(),
    })
    const tokens: string[] = []
    const note = (what: string, value: number) => {
      rows[name] ??= {}
      rows[name][what] ??= []
      rows[name][what].push(value)
    }
    const issue = async (index: number) => {
      const issued = await credentials.issue({ threadId: `${round}-${index}`, providerInstanceId: 'p' })
      tokens.push(issued.token)
    }
    note('issue', await microseconds(ISSUES, issue))
    note('use', await microseconds(ISSUES, (index) => credentials.resolve(tokens[index] as string)))
    clock.advance(61_000)
    note('use that slides', await microseconds(ISSUES, (index) => credentials.resolve(tokens[index] as string)))
    note('revoke', await microseconds(ISSUES, (index) => credentials.revokeThread(`${round}-${index}`)))
    await credentials.close()
  }
}
console.log(`µs each, median of ${ROUNDS} rounds of ${ISSUES}, Node ${process.version}`)
console.table(
  Object.fromEntries(
    Object.entries(rows).map(([name, row]) => [
      name,
      Object.fromEntries(Object.entries(row).map(([what, values]) => [what, Number(median(values).toFixed(1))])),
    ]),
  ),
)

const file = join(folder, 'large')
const large = () => memoryCredentials({ clock, file, fsync: 'never', maxCredentials: HELD })
const credentials = createMcpCredentials({ store: large(), audit: createAudit() })
for (let index = 0; index < HELD; index += 1) {
  await credentials.issue({ threadId: `t${index}`, providerInstanceId: `p${index % 50}`, capabilities: ['preview'] })
}
await credentials.close()
const opened = performance.now()
const store = large()
console.log(`${HELD} credentials: ${(performance.now() - opened).toFixed(0)} ms to read and write them again,`)
console.log(`${(statSync(file).size / HELD).toFixed(0)} bytes each`)
store.close?.()
rmSync(folder, { recursive: true })
