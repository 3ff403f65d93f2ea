import { readFileSync } from 'node:fs'
import { circumstances, type Kept } from './kept.js'
import { forPage, text } from './table.js'
import { type AllRows, targetTable } from './targets.js'
import { barsOf, microsOf } from './tasks.js'

/** What people have to say of the targets: written by hand. */
const notes = (): string => readFileSync(new URL('../notes.md', import.meta.url), 'utf8').trim()

/** Ours divided by a peer, of one case. */
function times(rows: AllRows, id: string, own: string, peer: string): string {
  const [ours, theirs] = [microsOf(rows, id, own), microsOf(rows, id, peer)]
  return text(ours === undefined || theirs === undefined ? undefined : ours / theirs)
}

function range(rows: AllRows, of: readonly (readonly [id: string, name: string])[]): string {
  const all = of.flatMap(([id, name]) => microsOf(rows, id, name) ?? [])
  return all.length === 0 ? '–' : `${text(Math.min(...all))} to ${text(Math.max(...all))} µs`
}

const [GATE, AUTH0, MCP, SETTINGS] = [
  'requireOAuthBearer',
  'express-oauth2-jwt-bearer',
  'requireMcpCredential',
  'requireSettingsSession',
]

/** What a reader takes home, in three sentences. */
function sentences(rows: AllRows, major: number): string {
  const inMemory = [
    ['oauth-rs256-1000', GATE],
    ['mcp-memory', MCP],
    ['hmac-0', 'xHeaders'],
    ['hmac-1k', 'rfc9421'],
  ] as const
  const onRedis = [
    ['mcp-redis', MCP],
    ['settings-redis', SETTINGS],
  ] as const
  const own = rows.http?.find(({ id, name }) => id === 'oauth-rs256-1000' && name === 'empty')?.figures.cpu
  const cheaper = barsOf(rows).flatMap(({ bars }) => {
    const ours = Math.min(...bars.filter(({ isOurs }) => isOurs).map(({ micros }) => micros))
    return bars.filter(({ isOurs, micros }) => !isOurs && micros < ours).map(({ name }) => name)
  })
  return `On Node ${major} a gate adds ${range(rows, inMemory)} of CPU to a request when what it needs is in memory, and ${range(rows, onRedis)} when
it asks Redis; Express and Node's HTTP around it take ${text(own)} µs.

An access token costs ${times(rows, 'oauth-rs256-1000', GATE, AUTH0)} of what express-oauth2-jwt-bearer takes when it was seen before, ${times(rows, 'oauth-es256-new', GATE, AUTH0)} when it was
not, and ${times(rows, 'oauth-dpop', GATE, AUTH0)} with a DPoP proof; a request signed by RFC 9421 ${times(rows, 'hmac-1k', 'rfc9421', 'http-message-signatures')} of http-message-signatures; a session on Redis ${times(rows, 'settings-redis', SETTINGS, 'express-session, connect-redis')} of
express-session.

${cheaper.length === 0 ? '' : `Cheaper than ours is what does less: ${[...new Set(cheaper)].join('; ')}. The chart and the tables say by how much.`}`
}

/** `docs/performance.md`: what a reader wants first. */
export function summary(build: string, nodes: readonly [Kept, ...Kept[]]): string {
  const [{ major, rows, all }] = nodes
  const first = all[0]?.result
  const targets = { task: '', note: undefined, ...targetTable(nodes) }
  const others = nodes.slice(1).flatMap((node) => node.all[0]?.result ?? [])
  return `# Performance

${sentences(rows, major)}

![What a gate adds to a request, beside what people use today](performance.svg)

*Adds*: µs of CPU, all threads counted, beyond an empty middleware, with replay protection and an audit sink on and 16 requests in
flight. Every case, over HTTP with p50 and p99, among a million records, on Express 4 and under other versions of Node:
[every table](performance-details.md). How many requests a process and a Redis carry: [Capacity](operations/capacity.md).

Every figure of these pages is of one build, commit \`${build}\`. Measured: ${[first, ...others].flatMap((one) => (one === undefined ? [] : [circumstances(one)])).join('; ')}.
Again: \`npm run bench -- --nodes 24,22,20 --all --write\` writes these pages. Absolute figures depend on the machine; ratios of one
table may be compared.

## Targets

In flight, on Node ${major}${nodes.length > 1 ? '; of the others what the target is about' : ''}.[^node20]

${forPage(targets)}
${notes()}
`
}
