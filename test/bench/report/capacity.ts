import { circumstances, type Kept } from './kept.js'
import { forPage, text } from './table.js'
import type { AllRows } from './targets.js'

/** Of what a core could do: the rest is for bursts, for garbage, and for what else the app does. */
const PLANNED = 0.6
const GIB = 2 ** 30

const figureOf = (rows: AllRows, section: string, id: string, name: string, key: string): number | undefined =>
  rows[section]?.find((row) => row.id === id && row.name === name)?.figures[key]

/** How many a second, of so many µs each. */
const perSecond = (micros: number | undefined, share = 1): number | undefined =>
  micros === undefined ? undefined : rounded((PLANNED * 1_000_000) / micros / share)

const perGib = (bytes: number | undefined): number | undefined =>
  bytes === undefined ? undefined : rounded(GIB / bytes)

/** Two figures: a plan has no more. */
const rounded = (value: number): number => Number(value.toPrecision(2))

const REQUESTS = [
  ['OAuth, token seen before', 'oauth-rs256-1000', 'requireOAuthBearer'],
  ['OAuth, token first seen, ES256', 'oauth-es256-new', 'requireOAuthBearer'],
  ['OAuth with DPoP', 'oauth-dpop', 'requireOAuthBearer'],
  ['HMAC `xHeaders`, 1 KiB', 'hmac-1k', 'xHeaders'],
  ['HMAC `rfc9421`, 1 KiB', 'hmac-1k', 'rfc9421'],
  ['MCP credential, memory', 'mcp-memory', 'requireMcpCredential'],
  ['MCP credential, Redis', 'mcp-redis', 'requireMcpCredential'],
  ['Settings session, Redis', 'settings-redis', 'requireSettingsSession'],
] as const

function processTable(rows: AllRows): string {
  const lines = REQUESTS.map(([title, id, name]) => {
    const cpu = figureOf(rows, 'http', id, name, 'cpu')
    const empty = figureOf(rows, 'http', id, 'empty', 'cpu')
    return [
      title,
      text(cpu),
      text(cpu === undefined || empty === undefined ? undefined : cpu - empty),
      text(figureOf(rows, 'http', id, name, 'p99')),
      text(perSecond(cpu)),
    ]
  })
  const head = ['request', 'µs of the process', 'more than empty', 'p99, ms', 'requests a second']
  return forPage({ task: '', note: undefined, head, lines })
}

const STORES = [
  ['MCP credentials', 'shards-mcp'],
  ['Settings sessions', 'shards-settings'],
  ['Replay claims', 'shards-replay'],
] as const

function serverTable(rows: AllRows): string {
  const lines = STORES.map(([title, id]) => {
    const of = (key: string) => figureOf(rows, 'shards', id, 'one server', key)
    return [title, text(of('server')), text(perSecond(of('server'))), text(of('bytes')), text(perGib(of('bytes')))]
  })
  const head = ['store', 'µs of Redis a decision', 'decisions a second', 'bytes a record', 'records in a GiB']
  return forPage({ task: '', note: undefined, head, lines })
}

function clusterTable(rows: AllRows): string {
  const lines = STORES.map(([title, id]) => {
    const micros = figureOf(rows, 'shards', id, 'one server', 'server')
    const busiest = figureOf(rows, 'shards', id, 'sixteen masters', 'busiest')
    return [title, text(busiest), text(perSecond(micros, busiest))]
  })
  return forPage({ task: '', note: undefined, head: ['store', 'busiest', 'decisions a second'], lines })
}

const KEPT = [
  ['MCP credential', 'bytes-mcp-credential', 'memoryCredentials'],
  ['Settings session', 'bytes-settings-session', 'memorySessions'],
  ['Replay claim', 'bytes-replay-claim', 'memoryReplay'],
  ['OAuth token that was seen', 'bytes-cached-token', 'requireOAuthBearer'],
] as const

function memoryTable(rows: AllRows): string {
  const lines = KEPT.map(([title, id, name]) => {
    const bytes = figureOf(rows, 'memory', id, name, 'bytes')
    return [title, text(bytes), text(perGib(bytes))]
  })
  return forPage({ task: '', note: undefined, head: ['record', 'bytes', 'records in a GiB of heap'], lines })
}

/** Processes or servers of which only a part is planned with. */
const whole = (cores: number): string => text(Math.ceil(cores / PLANNED))

/** A plan with the measured figures in it. */
function example(rows: AllRows): string {
  const [agents, people, threads] = [2000, 200, 300_000]
  const mcp = figureOf(rows, 'http', 'mcp-redis', 'requireMcpCredential', 'cpu') ?? Number.NaN
  const settings = figureOf(rows, 'http', 'settings-redis', 'requireSettingsSession', 'cpu') ?? Number.NaN
  const cores = (agents * mcp + people * settings) / 1_000_000
  const at = (id: string, key: string) => figureOf(rows, 'shards', id, 'one server', key) ?? Number.NaN
  const redis = (agents * at('shards-mcp', 'server') + people * at('shards-settings', 'server')) / 1_000_000
  const gib = (threads * at('shards-mcp', 'bytes')) / GIB
  return `An app with ${agents.toLocaleString('en')} requests of agents a second at its peak, ${people} of people on settings pages, and ${threads.toLocaleString('en')} live
credentials takes ${text(cores)} of a core for Express, HTTP and the gates, which is processes to the number of ${whole(cores)}; ${text(redis)} of a Redis server's one
core, which is servers to the number of ${whole(redis)}; and ${text(gib)} GiB in Redis. What its own handlers do comes on top.`
}

/** `docs/operations/capacity.md`. */
export function capacity(build: string, { rows, all }: Kept): string {
  const http = all.find(({ section }) => section.id === 'http')?.result
  return `# Capacity

What one process, one Redis server and a cluster of sixteen carry, and how to size them. Written by the benchmark from its own
figures ([every table](../performance-details.md)), all of one build, commit \`${build}\`${http === undefined ? '' : `: ${circumstances(http)}`}.
Measure your own machine by \`npm run bench -- --all --write\`. A plan here uses ${PLANNED * 100} % of a core.

## One process

A process of Node uses one core for JavaScript. *µs of the process*: the whole request over HTTP, Express included, with a handler
that does nothing; *more than empty*: what of that is the gate's. p99 is a client's with 16 connections that send as fast as they
can, its own work included.

${processTable(rows)}
Add what your handler costs. More processes add up: gates share nothing but the store. Where requests are awaited elsewhere (Redis,
an introspection endpoint), a process waits without CPU.

What lies in the process's own memory, and how much fits. The heap's limit is Node's (\`--max-old-space-size\`); leave half of it free.
Each store has its own limit (\`maxCredentials\`, \`maxEntries\`): past it the store refuses or forgets as its page says, and the
process lives.

${memoryTable(rows)}
## One Redis server

A Redis server executes one command at a time. Each decision is one script, which those of one turn of an app's event loop share.

${serverTable(rows)}
Live credentials are one record each until they expire; sessions too; a replay claim lives as long as its signature is valid, so
their number is signed requests a second times those seconds. Give the server twice the memory of
its records (\`maxmemory\`, \`noeviction\`): a rewrite of the append-only file copies pages that change meanwhile. Latency, not CPU, is
what a decision waits for: keep the server in the same zone, and \`commandTimeoutMs\` above its p99.

## A cluster of sixteen

A store has sixteen partitions, each in one slot, so that all records of a thread or of a user are in one script's reach. A master
carries as many of them as it has their slots: *busiest* is its share of all decisions, and the cluster carries what it does when
that one is full. The partitions lie at equal distances among the slots. So in the equal ranges of \`redis-cli --cluster create\`
sixteen masters have one of each store, eight have two, and three have five or six.

${clusterTable(rows)}
More than sixteen masters carry no more of one store: beyond that, each region or tenant has a namespace and a cluster of its own.

## How to size

1. Count the requests a second of your busiest minute, by kind. Processes: their sum times the µs above, plus your handler's, divided
   by 600,000 µs. Round up, and add one that may fail.
2. Redis: the decisions a second times the µs of its table, divided by 600,000 µs (60 % of a second). Below 1, one server (with a replica) is enough.
3. Memory: live records times bytes, doubled.
4. Audit file: a process writes as many events a second as the [details](../performance-details.md#audit-events-into-a-file) say; an event of
   a decision is about half a KiB on the disk.

${example(rows)}

Growth is no surprise: a decision among a million records costs what it costs among a hundred, and what the CPU's caches add
([how the cost grows](../performance-details.md#how-the-cost-grows)).
`
}
