import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** Below the ports that systems give out; a Redis cluster's bus is 10,000 higher, where nothing else is. */
const LOWEST_PORT = 10_000
const HIGHEST_PORT = 20_000

/**
 * A port of the loopback interface that was free a moment ago, and that no system gives to a connection or to `listen(0)`
 * meanwhile: tests run in parallel.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** A real `redis-server` of the test's own, on a port of its own, with its data in a folder of its own. */
export class RedisServer {
  #child: ChildProcess | undefined

  readonly port: number
  readonly directory: string
  readonly settings: readonly string[]

  private constructor(port: number, directory: string, settings: readonly string[]) {
    this.port = port
    this.directory = directory
    this.settings = settings
  }

  static async start(...settings: string[]): Promise<RedisServer> {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-redis-'))
    for (;;) {
      const server = new RedisServer(await freePort(), directory, settings)
      try {
        await server.#spawn()
        return server
      } catch (error) {
        // Another test was given the same port in the same moment.
        if (!String(error).includes('Address already in use')) throw error
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async #spawn(): Promise<void> {
    const child = spawn(
      process.env.REDIS_SERVER ?? 'redis-server',
      ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory, '--save', '', ...this.settings],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#child = child
    let output = ''
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`redis-server cannot be started: ${error.message}`)))
      child.once('close', (code) => reject(new Error(`redis-server ended with ${code}:\n${output}`)))
      const read = (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes('Ready to accept connections')) resolve()
      }
      child.stdout?.on('data', read)
      child.stderr?.on('data', read)
    })
    child.removeAllListeners('close')
  }

  /** SIGSTOP: the kernel still accepts bytes, nothing answers. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** Starts it again on the same port, after `kill`. */
  async restart(): Promise<void> {
    await this.kill()
    await this.#spawn()
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Sends one command over a connection of its own. */
  async command(...words: [string, ...string[]]): Promise<unknown> {
    const client = new Redis(this.url, { maxRetriesPerRequest: 1, lazyConnect: true })
    client.on('error', () => undefined)
    try {
      await client.connect()
      const [name, ...rest] = words
      return await client.call(name, ...rest)
    } finally {
      client.disconnect()
    }
  }
}

const SLOTS = 16_384
const MASTERS = 3

/** Three masters, each with `replicasPerMaster` replicas. */
export async function startRedisCluster(
  replicasPerMaster = 0,
): Promise<{ nodes: RedisServer[]; stop(): Promise<void> }> {
  const count = MASTERS * (1 + replicasPerMaster)
  // A replica that a busy machine has kept from its master for long would never take its place: factor 0 lets it.
  const settings = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '2000',
    '--cluster-replica-validity-factor',
    '0',
    // A master waits 5 s for more replicas before it sends its data to the first one.
    '--repl-diskless-sync-delay',
    '0',
  ]
  const nodes = await Promise.all(Array.from({ length: count }, () => RedisServer.start(...settings)))
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    await joinNodes(nodes)
  } catch (error) {
    await stop()
    throw error
  }
  return { nodes, stop }
}

/** What `redis-cli --cluster create` does, without its pauses: those are three seconds of each test file with a cluster. */
async function joinNodes(nodes: readonly RedisServer[]): Promise<void> {
  await Promise.all(
    nodes.map(async (node, index) => {
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      if (index < MASTERS) await node.command('CLUSTER', 'ADDSLOTS', ...slotsOf(index))
    }),
  )
  // Each meets each: what they would tell each other takes longer.
  for (const [index, node] of nodes.entries()) {
    for (const { port } of nodes.slice(index + 1)) await node.command('CLUSTER', 'MEET', '127.0.0.1', String(port))
  }
  const says = async (node: RedisServer, ...words: string[]) => String(await node.command('CLUSTER', ...words))
  const knowsAll = (text: string, lines: RegExp, count: number) =>
    !text.includes('handshake') && Array.from(text.matchAll(lines)).length === count
  for (const node of nodes) while (!knowsAll(await says(node, 'NODES'), /connected/g, nodes.length)) await aMoment()
  const masters = nodes.slice(0, MASTERS)
  const replicas = nodes.slice(MASTERS)
  for (const [index, replica] of replicas.entries()) {
    await replica.command('CLUSTER', 'REPLICATE', await says(masters[index % MASTERS] as RedisServer, 'MYID'))
  }
  await untilClusterSays(nodes, 'ok')
  for (const node of nodes) {
    await untilSynced(node)
    while (!knowsAll(await says(node, 'NODES'), /\bslave /g, replicas.length)) await aMoment()
  }
}

/** The slots of a master: a third of all. */
function slotsOf(master: number): string[] {
  const [from, to] = [master, master + 1].map((each) => Math.ceil((each * SLOTS) / MASTERS)) as [number, number]
  return Array.from({ length: to - from }, (_, index) => String(from + index))
}

/** Waits until a node has its master's data, if it has a master. */
async function untilSynced(node: RedisServer): Promise<void> {
  while (String(await node.command('INFO', 'replication')).includes('master_link_status:down')) await aMoment()
}

/** Waits until every one of these nodes says that the cluster works (`ok`), or that it is down (`fail`). */
export async function untilClusterSays(nodes: readonly RedisServer[], state: 'ok' | 'fail'): Promise<void> {
  for (const node of nodes) {
    while (!String(await node.command('CLUSTER', 'INFO')).includes(`cluster_state:${state}`)) await aMoment()
  }
}

/** Waits until every one of these nodes has the slots of a master that died with the replica that took its place. */
export async function untilFailedOver(nodes: readonly RedisServer[], dead: RedisServer): Promise<void> {
  for (const node of nodes) {
    while (JSON.stringify(await node.command('CLUSTER', 'SLOTS')).includes(`,${dead.port},`)) await aMoment()
  }
  await untilClusterSays(nodes, 'ok')
}

const aMoment = () => new Promise((resolve) => setTimeout(resolve, 50))
