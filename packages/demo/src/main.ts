import { once } from 'node:events'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createAudit } from '@countersign/audit'
import { createDemo } from './app.js'
import { startAuthorizationServer } from './authorization-server.js'
import { runScenario } from './scenario.js'
import { createState } from './state.js'
import { formatTable } from './table.js'

const { values } = parseArgs({ options: { once: { type: 'boolean' }, port: { type: 'string' } } })

// The app must know its own address before it is made: the port is taken first.
const server = createServer().listen(Number(values.port ?? process.env.PORT ?? 0), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
const baseUrl = `http://localhost:${port}`

const audit = createAudit()
const state = await createState(process.env.REDIS_URL)
const authorizationServer = await startAuthorizationServer()
const demo = createDemo({ baseUrl, issuer: authorizationServer.issuer, state, audit })
server.on('request', demo.app)

console.log(`\nOne Express app with four gates, state ${state.where}.\n`)
const rows = await runScenario({ baseUrl, demo, authorizationServer, audit })
const failed = rows.filter((row) => !row.isAsExpected)
console.log(formatTable(rows))
console.log(`\n${rows.length - failed.length} of ${rows.length} as expected.`)

async function close(): Promise<void> {
  demo.close()
  server.closeAllConnections()
  server.close()
  await authorizationServer.close()
  await state.close()
  await audit.close()
}

if (values.once) {
  await close()
  process.exitCode = failed.length === 0 ? 0 : 1
} else {
  console.log(`\nLive view of the audit events, and a settings link to try: ${baseUrl}/\nCtrl+C ends it.`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())
}
