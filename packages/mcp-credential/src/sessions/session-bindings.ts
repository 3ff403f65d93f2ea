import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { fieldLines } from '@countersign/core/gate-kit'
import type { McpCredentialPrincipal } from '../principal.js'

const HEADER = 'mcp-session-id'
const MAX_SESSIONS = 100_000
/** One agent cannot use up the room of the others. */
const MAX_PER_OWNER = 100
const MAX_ID_LENGTH = 256

/**
 * Binds the sessions of MCP's older revisions to the thread and the provider that they were made for, not to a token:
 * when a token is superseded, the next one keeps the session. A session whose creation this process did not see belongs
 * to the first one that names it.
 *
 * No agent is refused for having had many sessions: an agent that is started for each turn makes one each time. The
 * session that was unused for the longest time is forgotten instead, first of the same owner, and then belongs to the
 * next one that names it.
 */
class SessionBindings {
  /** The owner of each session, the longest unused one first. */
  readonly #owners = new Map<string, string>()
  /** The sessions of each owner, in the same order. */
  readonly #sessions = new Map<string, Set<string>>()

  /** False when the request names a session of another owner. */
  admits(request: IncomingMessage, response: ServerResponse | undefined, principal: McpCredentialPrincipal): boolean {
    const [id, ...others] = fieldLines(request, HEADER)
    // Of two, the next reader of the request might take the other one.
    if (id !== undefined) return others.length === 0 && this.#isOwn(id, ownerOf(principal))
    if (response !== undefined && isInitialize(request)) this.#bindNewSession(response, ownerOf(principal))
    return true
  }

  #isOwn(id: string, owner: string): boolean {
    if (id.length > MAX_ID_LENGTH) return false
    if ((this.#owners.get(id) ?? owner) !== owner) return false
    this.#bind(id, owner)
    return true
  }

  #bind(id: string, owner: string): void {
    this.#forget(id)
    const own = this.#sessions.get(owner) ?? new Set<string>()
    if (own.size >= MAX_PER_OWNER) this.#forget(firstOf(own))
    else if (this.#owners.size >= MAX_SESSIONS) this.#forget(firstOf(this.#owners.keys()))
    this.#owners.set(id, owner)
    this.#sessions.set(owner, own.add(id))
  }

  #forget(id: string): void {
    const owner = this.#owners.get(id)
    if (owner === undefined) return
    this.#owners.delete(id)
    const own = this.#sessions.get(owner)
    own?.delete(id)
    if (own?.size === 0) this.#sessions.delete(owner)
  }

  /** The session's id is in the headers of the answer to `initialize`. */
  #bindNewSession(response: ServerResponse, owner: string): void {
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

/** The sessions of each registry. */
const bindings = new WeakMap<object, SessionBindings>()

/** The sessions of a registry: all its gates share them. */
export function sessionBindingsOf(registry: object): Pick<SessionBindings, 'admits'> {
  const known = bindings.get(registry)
  if (known !== undefined) return known
  const made = new SessionBindings()
  bindings.set(registry, made)
  return made
}

function ownerOf({ threadId, providerInstanceId }: McpCredentialPrincipal): string {
  return JSON.stringify([threadId, providerInstanceId])
}

function firstOf(ids: Iterable<string>): string {
  const [first = ''] = ids
  return first
}

function isInitialize(request: IncomingMessage & { body?: unknown }): boolean {
  const { body } = request
  return Array.isArray(body) ? body.some(saysInitialize) : saysInitialize(body)
}

function saysInitialize(message: unknown): boolean {
  return (message as { method?: unknown } | null | undefined)?.method === 'initialize'
}

/** A header in the argument of `writeHead`: an object, or a flat list. */
function headerOf(headers: unknown): unknown {
  if (Array.isArray(headers)) {
    const index = headers.findIndex((name, at) => at % 2 === 0 && String(name).toLowerCase() === HEADER)
    return index === -1 ? undefined : (headers as OutgoingHttpHeader[])[index + 1]
  }
  if (headers === null || typeof headers !== 'object') return undefined
  const entries = Object.entries(headers as OutgoingHttpHeaders)
  return entries.find(([name]) => name.toLowerCase() === HEADER)?.[1]
}
