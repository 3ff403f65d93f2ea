import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verifyJsonl } from '@countersign/audit/jsonl'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startChildApp } from '../support/child-app.js'

/** A minute shows the same and takes a minute: FLOOD_SECONDS=60. */
const SECONDS = Number(process.env.FLOOD_SECONDS ?? 3)
const CONNECTIONS = 4
/** Requests that a connection has under way. */
const PIPELINED = 50

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-flood-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Sends refused requests without a pause. Returns the number of answers so far. */
function flood(port: number, sockets: Socket[]): () => number {
  const request = `GET /agent HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer mcps_${'x'.repeat(90)}\r\n\r\n`
  let answers = 0
  for (let count = 0; count < CONNECTIONS; count += 1) {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write(request.repeat(PIPELINED))
    socket.on('data', (chunk) => {
      const ended = chunk.toString('latin1').split('HTTP/1.1 4').length - 1
      answers += ended
      socket.write(request.repeat(ended))
    })
  }
  return () => answers
}

test('under a flood of refusals every grant is in the required file, and no honest request is answered 503', async () => {
  const file = join(folder, 'audit.jsonl')
  const app = await startChildApp(fileURLToPath(new URL('./audit-process.ts', import.meta.url)), { AUDIT_FILE: file })
  const authorization = (await (await fetch(`${app.url}/issue`)).json()) as string
  const agent = new Agent({ keepAlive: true })
  const ask = () =>
    new Promise<number | undefined>((resolve, reject) => {
      get(`${app.url}/agent`, { agent, headers: { authorization } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      }).on('error', reject)
    })
  const sockets: Socket[] = []
  const refusals = flood(Number(new URL(app.url).port), sockets)
  const statuses = new Map<number | undefined, number>()
  const untilMs = performance.now() + SECONDS * 1000
  while (performance.now() < untilMs || refusals() < 2_000) {
    const status = await ask()
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  for (const socket of sockets) socket.destroy()
  agent.destroy()
  app.process.kill('SIGTERM')
  await new Promise((resolve) => app.process.once('close', resolve))

  const grants = statuses.get(200) ?? 0
  const events = readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { type: string; attributes?: { folded?: number } })
  const ofType = (wanted: string) => events.filter(({ type }) => type === wanted)
  const folded = ofType('audit.events.folded').reduce((sum, { attributes }) => sum + (attributes?.folded ?? 0), 0)
  expect(statuses).toEqual(new Map([[200, grants]]))
  expect(ofType('access.granted')).toHaveLength(grants)
  // Every refusal is a line or counted in one.
  expect(ofType('access.denied').length + folded).toBeGreaterThanOrEqual(refusals())
  expect(ofType('access.denied').length).toBeLessThan(110 * (SECONDS + 60))
  expect(await verifyJsonl(file)).toMatchObject({ isIntact: true })
  if (process.env.FLOOD_SECONDS !== undefined) {
    console.info({ grants, refusals: refusals(), lines: events.length, folded })
  }
}, 120_000)
