import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { andThen, fieldLines, rememberOn } from '@countersign/core/gate-kit'
import type { McpCredentials } from '../registry.js'
import type { MaybePromise } from '../store/port.js'
import { rewriteField } from './rewrite-field.js'

const HEADER = 'mcp-session-id'
/** `.` and 128 bits in base64url. */
const SEAL_LENGTH = 23
const KEY_BYTES = 32
/** A seal that this process cannot check makes it ask for the shared key again, at most so often. */
const ASK_AGAIN_MS = 1000

type Registry = Pick<McpCredentials, 'prefix' | 'store'>

/** Who may use a session: a thread, or undefined for all callers without a credential. */
type Owner = string | undefined

/**
 * Binds the sessions of MCP's older revisions to the thread that they were made for, not to a token: when a token is
 * superseded, the next one keeps the session. The client gets the server's id with a seal, a MAC over thread and id; the
 * gate takes the seal off before the handler reads the id. So nothing is stored, no session belongs to the first caller,
 * and every process with the store's key can tell.
 */
class SessionBindings {
  readonly #registry: Registry
  #key: Buffer | undefined
  #askedMs = Number.NEGATIVE_INFINITY
  /** Requests whose id was unsealed, and responses that seal: a second gate of the registry finds them done. */
  readonly #unsealed = rememberOn<{ readonly owner: Owner }>()
  readonly #sealing = rememberOn<true>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** False when the request names a session that is not the owner's. Rejects or throws when the key cannot be read. */
  admits(request: IncomingMessage, response: ServerResponse | undefined, owner: Owner): MaybePromise<boolean> {
    const [id, ...others] = fieldLines(request, HEADER)
    // Of two, the next reader of the request might take the other one.
    if (others.length > 0) return false
    if (id === undefined && !mayCreate(request)) return true
    const unsealed = this.#unsealed.of(request)
    if (unsealed !== undefined) return unsealed.owner === owner
    const admit = () => this.#admit(request, response, id, owner)
    if (this.#key !== undefined) return admit()
    return andThen<void, boolean>(this.#ask(), admit)
  }

  #admit(
    request: IncomingMessage,
    response: ServerResponse | undefined,
    id: string | undefined,
    owner: Owner,
  ): MaybePromise<boolean> {
    if (id !== undefined && !this.#unseal(request, id, owner)) {
      if (performance.now() - this.#askedMs < ASK_AGAIN_MS) return false
      // Another process may have made another key since: that of this one was lost.
      return andThen<void, boolean>(this.#ask(), () => this.#admit(request, response, id, owner))
    }
    if (response !== undefined && this.#sealing.of(response) === undefined) this.#sealNewSession(response, owner)
    return true
  }

  #ask(): MaybePromise<void> {
    const own = this.#key ?? randomBytes(KEY_BYTES)
    return andThen<Buffer, void>(this.#registry.store?.sessionKey?.() ?? own, (key) => {
      this.#key = key
      this.#askedMs = performance.now()
    })
  }

  #unseal(request: IncomingMessage, sealed: string, owner: Owner): boolean {
    const bare = sealed.slice(0, -SEAL_LENGTH)
    const expected = Buffer.from(this.#sealed(bare, owner))
    const given = Buffer.from(sealed)
    if (bare === '' || given.length !== expected.length || !timingSafeEqual(given, expected)) return false
    rewriteField(request, HEADER, bare)
    this.#unsealed.set(request, { owner })
    return true
  }

  #sealed(id: string, owner: Owner): string {
    const { prefix, store } = this.#registry
    const text = JSON.stringify([prefix, store?.namespace ?? '', owner ?? null, id])
    const seal = createHmac('sha256', this.#key as Buffer)
      .update(text)
      .digest('base64url')
    return `${id}.${seal.slice(0, SEAL_LENGTH - 1)}`
  }

  /** The session's id is in the headers of an answer: those that were set, or those that are handed to `writeHead`. */
  #sealNewSession(response: ServerResponse, owner: Owner): void {
    this.#sealing.set(response, true)
    const writeHead = response.writeHead as (...args: unknown[]) => ServerResponse
    const seal = (id: unknown) => this.#sealed(String(id), owner)
    response.writeHead = function writeHeadAndSeal(this: ServerResponse, ...args: unknown[]) {
      const set = this.getHeader(HEADER)
      if (set !== undefined) this.setHeader(HEADER, seal(set))
      return writeHead.apply(
        this,
        args.map((arg) => sealedIn(arg, seal)),
      )
    } as typeof response.writeHead
  }
}

/** The sessions of each registry. */
const bindings = new WeakMap<object, SessionBindings>()

/** The sessions of a registry: all its gates share them. */
export function sessionBindingsOf(registry: Registry): Pick<SessionBindings, 'admits'> {
  const known = bindings.get(registry)
  if (known !== undefined) return known
  const made = new SessionBindings(registry)
  bindings.set(registry, made)
  return made
}

/** Whether the answer may name a new session: that to `initialize`, or to a body that nobody has parsed yet. */
function mayCreate(request: IncomingMessage & { body?: unknown }): boolean {
  if (request.method !== 'POST') return false
  const { body } = request
  return Array.isArray(body) ? body.some(saysInitialize) : !isParsed(body) || saysInitialize(body)
}

function isParsed(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'method' in body
}

function saysInitialize(message: unknown): boolean {
  return (message as { method?: unknown } | null | undefined)?.method === 'initialize'
}

/** An argument of `writeHead` with the session sealed: an object, or a flat list. */
function sealedIn(headers: unknown, seal: (id: unknown) => string): unknown {
  const isIt = (name: unknown) => String(name).toLowerCase() === HEADER
  if (Array.isArray(headers)) {
    return headers.map((value: OutgoingHttpHeader, at) => (at % 2 === 1 && isIt(headers[at - 1]) ? seal(value) : value))
  }
  if (headers === null || typeof headers !== 'object') return headers
  const entries = Object.entries(headers as OutgoingHttpHeaders)
  if (!entries.some(([name]) => isIt(name))) return headers
  return Object.fromEntries(entries.map(([name, value]) => [name, isIt(name) ? seal(value) : value]))
}
