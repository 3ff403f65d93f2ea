import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { BoundedTtlMap, type Clock } from '@countersign/core'
import type { McpCredentialPrincipal } from '../principal.js'

const HEADER = 'mcp-session-id'
const MAX_SESSIONS = 100_000
/** So that no agent can use up the room of the others. */
const MAX_PER_OWNER = 100
const TTL_MS = 86_400_000
const MAX_ID_LENGTH = 256

/**
 * Binds the sessions of MCP's older revisions to the thread and the provider that they were made for, not to a token:
 * a token that was superseded leaves the session to the next one. A session that this gate did not see being made
 * belongs to who is seen with it first.
 */
export class McpSessions {
  readonly #owners: BoundedTtlMap<string, string>
  readonly #counts: BoundedTtlMap<string, number>
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.#owners = new BoundedTtlMap({ maxEntries: MAX_SESSIONS, clock, bucketMs: 60_000 })
    this.#counts = new BoundedTtlMap({ maxEntries: MAX_SESSIONS, clock, bucketMs: 60_000 })
  }

  /** False when the request names a session of somebody else. */
  admits(request: IncomingMessage, response: ServerResponse | undefined, principal: McpCredentialPrincipal): boolean {
    const owner = JSON.stringify([principal.threadId, principal.providerInstanceId])
    const id = request.headers[HEADER]
    if (id !== undefined) return this.#isOwn(String(id), owner)
    if (response !== undefined && isInitialize(request)) this.#bindWhatIsMade(response, owner)
    return true
  }

  #isOwn(id: string, owner: string): boolean {
    if (id.length > MAX_ID_LENGTH) return false
    const known = this.#owners.get(id)
    if (known === undefined) return this.#bind(id, owner)
    if (known !== owner) return false
    this.#owners.extend(id, this.#clock.now() + TTL_MS)
    return true
  }

  #bind(id: string, owner: string): boolean {
    const count = this.#counts.get(owner) ?? 0
    const until = this.#clock.now() + TTL_MS
    if (count >= MAX_PER_OWNER || !this.#counts.set(owner, count + 1, until)) return false
    return this.#owners.set(id, owner, until)
  }

  /** The session's id is in the headers of the answer to `initialize`. */
  #bindWhatIsMade(response: ServerResponse, owner: string): void {
    const writeHead = response.writeHead as (...args: unknown[]) => ServerResponse
    const bind = (args: readonly unknown[]) => {
      const id = response.getHeader(HEADER) ?? headerOf(args.at(-1))
      if (typeof id === 'string' && id.length <= MAX_ID_LENGTH) this.#bind(id, owner)
    }
    response.writeHead = function writeHeadAndBind(this: ServerResponse, ...args: unknown[]) {
      bind(args)
      return writeHead.apply(this, args)
    } as typeof response.writeHead
  }
}

function isInitialize(request: IncomingMessage & { body?: unknown }): boolean {
  const messages: readonly unknown[] = Array.isArray(request.body) ? request.body : [request.body]
  return messages.some((message) => (message as { method?: unknown } | null | undefined)?.method === 'initialize')
}

/** A header of what `writeHead` was given: an object, or a flat list. */
function headerOf(headers: unknown): unknown {
  if (Array.isArray(headers)) {
    const index = headers.findIndex((name, at) => at % 2 === 0 && String(name).toLowerCase() === HEADER)
    return index === -1 ? undefined : (headers as OutgoingHttpHeader[])[index + 1]
  }
  if (headers === null || typeof headers !== 'object') return undefined
  const entries = Object.entries(headers as OutgoingHttpHeaders)
  return entries.find(([name]) => name.toLowerCase() === HEADER)?.[1]
}
