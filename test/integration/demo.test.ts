import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { RedisServer } from '../support/redis-server.js'

const DEMO = fileURLToPath(new URL('../../packages/demo/dist/main.js', import.meta.url))

async function runDemo(redisUrl?: string): Promise<{ code: number; output: string }> {
  const { REDIS_URL: _unused, NODE_OPTIONS: _flags, ...env } = process.env
  const child = spawn(process.execPath, [DEMO, '--once'], {
    env: redisUrl === undefined ? env : { ...env, REDIS_URL: redisUrl },
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, output }
}

test('the demo ends with 0 when every row is as expected, with its state in memory', async () => {
  const { code, output } = await runDemo()
  expect(output).toMatch(/in memory/)
  expect(output).not.toMatch(/✗/)
  expect(output.match(/^✓/gm)?.length).toBeGreaterThanOrEqual(12)
  expect(code).toBe(0)
})

test('the demo ends with 0 when every row is as expected, with its state in Redis', async () => {
  const server = await RedisServer.start()
  try {
    const { code, output } = await runDemo(server.url)
    expect(output).toMatch(/in Redis/)
    expect(output).not.toMatch(/✗/)
    expect(code).toBe(0)
  } finally {
    await server.stop()
  }
})
