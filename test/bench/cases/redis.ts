import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Redis } from 'ioredis'

/** For our stores: a machine that does much else while it measures is not an outage. */
export const patient = { commandTimeoutMs: 5000 }

const running = new Set<ChildProcess>()
// Also when this process ends before it is done with them.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A redis-server of the benchmark's own; its CPU is its own process's and not counted. */
export async function startRedis(...settings: string[]): Promise<{ url: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  const child: ChildProcess = spawn(
    process.env.REDIS_SERVER ?? 'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no', ...settings],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  running.add(child)
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (line.includes('Ready to accept connections')) break
  }
  child.stdout?.resume()
  return {
    url: `redis://127.0.0.1:${port}`,
    close: async () => {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
      rmSync(folder, { recursive: true, force: true })
      running.delete(child)
    },
  }
}

/** Fields of an answer of INFO. */
export function infoFields(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\r\n').map((line) => line.split(':') as [string, string | undefined])
  return new Map(pairs.map(([name, value = '']) => [name, value]))
}

/** µs of CPU that a server has used, as it tells itself. */
export async function serverMicros(redis: Redis): Promise<number> {
  const fields = infoFields(await redis.info('cpu'))
  return 1_000_000 * (Number(fields.get('used_cpu_user')) + Number(fields.get('used_cpu_sys')))
}
