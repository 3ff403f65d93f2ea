import { readArguments } from './arguments.mjs'
import { DemoError } from './demo-error.js'
import { rows } from './duel/callers.js'
import type { Result } from './duel/row.js'
import { type RunningDemo, startDemo } from './start.js'
import { formatTable, isGood } from './table.js'

// The page shows them: attacks are what the demo is about, and each warning would be printed over what it prints.
process.removeAllListeners('warning')

/** Runs every row and prints what both sides answered. Returns whether ours is as expected in all of them. */
async function runOnce({ world }: RunningDemo): Promise<boolean> {
  const outcomes = new Map<string, Result | Error>()
  for (const row of rows) outcomes.set(row.id, await row.run(world).catch((error: Error) => error))
  const all = [...outcomes.values()]
  const asExpected = all.filter(isGood).length
  const letIn = rows.filter(({ id, kind }) => {
    const outcome = outcomes.get(id)
    return kind === 'attack' && !(outcome instanceof Error) && outcome?.usual.outcome === 'let in'
  })
  console.log(formatTable(outcomes))
  console.log('\n✗ is what should not be: an attack that was let in, an outage that was called a bad credential.')
  console.log(
    `Countersign: ${asExpected} of ${all.length} as expected. The usual choices let ${letIn.length} attacks in.`,
  )
  return asExpected === all.length
}

async function main(): Promise<number> {
  const options = readArguments(process.argv.slice(2), process.env)
  if (options.complaint !== undefined) {
    console.error(options.complaint)
    return 2
  }
  const say = (line: string) => console.error(line)
  const demo = await startDemo({ port: options.port, redisUrl: process.env.REDIS_URL || undefined, say })
  if (options.once) {
    console.log(`\nEach request is sent twice: to Countersign, state ${demo.where}, and to the usual choice.\n`)
    try {
      return (await runOnce(demo)) ? 0 : 1
    } finally {
      await demo.close()
    }
  }
  console.log(`\nOpen ${demo.baseUrl}/\n\nState is ${demo.where}. Ctrl+C ends the demo.`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  await demo.close()
  return 0
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: Error) => {
    console.error(error instanceof DemoError ? error.message : `The demo failed: ${error.message}`)
    process.exit(1)
  },
)
