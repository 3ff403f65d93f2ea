import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verifyJsonl } from '@countersign/audit/jsonl'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startChildApp } from '../support/child-app.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-shutdown-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('an app that is told to end under load ends by itself, and every request that it granted is in the file', async () => {
  const file = join(folder, 'audit.jsonl')
  const app = await startChildApp(fileURLToPath(new URL('./audit-process.ts', import.meta.url)), { AUDIT_FILE: file })
  const authorization = (await (await fetch(`${app.url}/issue`)).json()) as string
  const agent = new Agent({ keepAlive: true })
  let grants = 0
  const others: unknown[] = []
  /** Undefined when there is no server any more. */
  const ask = () =>
    new Promise<number | undefined>((resolve) => {
      const request = get(`${app.url}/agent`, { agent, headers: { authorization } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      request.on('error', () => resolve(undefined))
    })
  const client = async () => {
    for (let status = await ask(); status !== undefined; status = await ask()) {
      if (status === 200) grants += 1
      else others.push(status)
      if (grants === 500) app.process.kill('SIGTERM')
    }
  }
  const ended = once(app.process, 'close')
  await Promise.all(Array.from({ length: 8 }, client))
  expect(await ended).toEqual([0, null])
  agent.destroy()
  expect(grants).toBeGreaterThanOrEqual(500)
  expect(others).toEqual([])
  expect(await verifyJsonl(file)).toMatchObject({ isIntact: true, torn: [] })
  const lines = readFileSync(file, 'utf8').split('\n')
  expect(lines.filter((line) => line.includes('"type":"access.granted"'))).toHaveLength(grants)
}, 60_000)
