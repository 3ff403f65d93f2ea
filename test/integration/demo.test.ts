import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { freePort, RedisServer } from '../support/redis-server.js'

const at = (path: string) => fileURLToPath(new URL(`../../packages/demo/${path}`, import.meta.url))

interface Ended {
  readonly code: number
  readonly output: string
  readonly errors: string
}

async function run(
  words: readonly string[],
  added: Record<string, string> = {},
  program = 'dist/main.js',
): Promise<Ended> {
  const { REDIS_URL: _unused, PORT: _port, NODE_OPTIONS: _flags, ...env } = process.env
  const child = spawn(process.execPath, [at(program), ...words], { env: { ...env, ...added } })
  let [output, errors] = ['', '']
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, output, errors }
}

test('the demo ends with 0 when every row is as expected, with its state in memory, and prints nothing else', async () => {
  const { code, output, errors } = await run(['--once'])
  expect(output).toMatch(/in memory/)
  expect(output).not.toMatch(/^✗ {2}/m)
  expect(output.match(/^✓/gm)?.length).toBe(30)
  expect(output).toMatch(/Countersign: 30 of 30 as expected\. The usual choices let 17 attacks in\.\n$/)
  expect(errors).toBe('')
  expect(code).toBe(0)
})

test('the demo ends with 0 when every row is as expected, with its state in Redis', async () => {
  const server = await RedisServer.start()
  try {
    const { code, output, errors } = await run(['--once'], { REDIS_URL: server.url })
    expect(output).toMatch(/in Redis/)
    expect(output).not.toMatch(/^✗ {2}/m)
    expect(errors).toBe('')
    expect(code).toBe(0)
  } finally {
    await server.stop()
  }
})

test('the demo ends with 1 and marks the rows when ours answers otherwise: here Redis takes no writes', async () => {
  const server = await RedisServer.start('--maxmemory', '1')
  try {
    const { code, output, errors } = await run(['--once'], { REDIS_URL: server.url })
    expect(output).toMatch(
      /^✗ {2}A request of the scheduler +unavailable 503 replay_store, expected let in 200 granted/m,
    )
    expect(output).toMatch(/^✗ {2}An agent calls its tool +Redis is unavailable/m)
    expect(output).toMatch(/^✓ {2}A token for this API/m)
    expect(errors).toBe('')
    expect(code).toBe(1)
  } finally {
    await server.stop()
  }
})

test('what keeps the demo from running is one line', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const nowhere = await freePort()
  try {
    const usage = 'Options: --once (run every row, print a table, end) and --port <number>.\n'
    expect(await run(['--bogus'])).toEqual({ code: 2, output: '', errors: `Unknown option '--bogus'. ${usage}` })
    expect(await run(['page'], {}, 'start.mjs')).toEqual({
      code: 2,
      output: '',
      errors: `Unexpected argument 'page'. ${usage}`,
    })
    expect(await run(['--port', '70000'])).toEqual({
      code: 2,
      output: '',
      errors: "--port must be a number from 0 to 65535, and 0 picks any free port; it is '70000'.\n",
    })
    expect(await run(['--port', String(port)])).toEqual({
      code: 1,
      output: '',
      errors: `Port ${port} is in use. Choose another one with --port, or 0 for any free one.\n`,
    })
    const why = `connect ECONNREFUSED 127.0.0.1:${nowhere}`
    expect(await run(['--once'], { REDIS_URL: `redis://:not-to-be-shown@127.0.0.1:${nowhere}` })).toEqual({
      code: 1,
      output: '',
      errors: `Redis at 127.0.0.1:${nowhere} is unreachable (${why}). Start it, or unset REDIS_URL to keep state in memory.\n`,
    })
  } finally {
    taken.close()
  }
})

test('a Redis that takes connections and answers nothing is one line, too', async () => {
  const server = await RedisServer.start()
  server.pause()
  try {
    const { code, output, errors } = await run(['--once'], { REDIS_URL: server.url })
    expect([code, output]).toEqual([1, ''])
    expect(errors).toMatch(/^Redis at 127\.0\.0\.1:\d+ is unreachable \(.+\)\. Start it, .+\n$/)
  } finally {
    await server.stop()
  }
})

test('a Redis that goes away while the demo runs is one line, and so is its return', async () => {
  const server = await RedisServer.start()
  const { NODE_OPTIONS: _flags, ...env } = process.env
  const demo = spawn(process.execPath, [at('dist/main.js'), '--port', '0'], { env: { ...env, REDIS_URL: server.url } })
  const [said, errors] = [collect(demo.stdout), collect(demo.stderr)]
  try {
    await said.until(/Open http/)
    await server.kill()
    await errors.until(/went away .+503 until it is back\.\n/)
    await server.restart()
    await errors.until(/\d is back\.\n/)
    expect(errors.text().trim().split('\n')).toHaveLength(2)
  } finally {
    const gone = once(demo, 'exit')
    demo.kill('SIGTERM')
    await gone
    await server.stop()
  }
})

/** What a stream has said so far, and a promise of more. */
function collect(stream: NodeJS.ReadableStream) {
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
  })
  return {
    text: () => text,
    until: async (pattern: RegExp) => {
      while (!pattern.test(text)) await once(stream, 'data')
    },
  }
}
