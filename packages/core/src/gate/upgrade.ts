import type { EventEmitter } from 'node:events'
import { type Server as HttpServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Request } from 'express'
import { CodedTypeError } from '../errors.js'
import { resolveOptions } from '../options/resolve.js'
import { option } from '../options/rules.js'
import { markUpgrade } from '../request/message.js'
import { warnOnce } from '../warn-once.js'
import { type Answer, problemAnswer } from './answer.js'
import type { Exit } from './exit.js'
import { offersHttp2Alone, serveAsRequest } from './not-upgraded.js'

/**
 * Gets the upgrades that a gate lets through, with what Node's `'upgrade'` event has and the principal. `head` and what
 * follows it on the socket are untouched.
 */
export type UpgradeListener<P> = (request: IncomingMessage, socket: Duplex, head: Buffer, principal: P) => void

/** A server whose upgrades a gate can decide on. */
export type UpgradeServer = HttpServer | HttpsServer

/** What {@link listenForUpgrades} needs of a gate. */
export interface UpgradeGate {
  /** Decides and records, and leaves by one of the exits. */
  readonly enter: (request: Request, exit: Exit) => void
  /** The gate's name in messages. */
  readonly name: string
}

const RULES = {
  server: option.port<EventEmitter>('an HTTP or HTTPS server', 'prependListener', 'off', 'listeners').required(),
  path: option.string(/^\/[^?#\s]*$/, 'a path that starts with "/", without a query').required(),
  listener: option.func<UpgradeListener<never>>().required(),
}

/** On our listener of a server: what each path does. Other copies of the package find it by its symbol. */
const PATHS = Symbol.for('countersign.upgrade-paths/1')

/** Milliseconds that a client has for reading an answer before the connection is closed, should it still be sending. */
const LINGER_MS = 1000

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Lets a gate decide on the upgrades of one path. Upgrades to other paths are left to other listeners; where there are
 * none, they are served as the requests that they are. Returns the function that ends it.
 *
 * @throws {OptionError} for what is not a server, a path or a function.
 * @throws {TypeError} with code `ERR_COUNTERSIGN_UPGRADE_PATH_TAKEN` when the server has a gate for this path.
 */
export function listenForUpgrades<P>(
  { enter, name }: UpgradeGate,
  server: UpgradeServer,
  path: string,
  listener: UpgradeListener<P>,
): () => void {
  const { server: emitter } = resolveOptions(`${name}.upgrade`, { server, path, listener }, RULES)
  const paths = pathsOf(emitter) ?? listenOn(emitter)
  if (paths.has(path)) {
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_UPGRADE_PATH_TAKEN',
      `${name}.upgrade: this server already has a gate for upgrades to ${path}. Combine gates with firstPresented`,
    )
  }
  const onUpgrade: OnUpgrade = (request, socket, head) => {
    const leaveBy = guard(socket)
    // When the server's other listeners have run: then it shows whether one of them took the socket.
    process.nextTick(() =>
      leaveBy(() => enter(asUpgrade(request, path), socketExit(request, socket, head, listener, leaveBy))),
    )
  }
  paths.set(path, onUpgrade)
  return () => {
    if (paths.get(path) === onUpgrade) paths.delete(path)
    if (paths.size === 0) stopListening(emitter, paths)
  }
}

/** The paths of our listener, where the server has it. */
function pathsOf(emitter: EventEmitter): Map<string, OnUpgrade> | undefined {
  const own = emitter.listeners('upgrade').find((listener) => PATHS in listener)
  return (own as { [PATHS]?: Map<string, OnUpgrade> } | undefined)?.[PATHS]
}

/** Adds our listener to a server: one for all paths, because Node warns of a leak from eleven on. */
function listenOn(emitter: EventEmitter): Map<string, OnUpgrade> {
  const paths = new Map<string, OnUpgrade>()
  const dispatch: OnUpgrade = (request, socket, head) => {
    // What others listen for is theirs.
    if (emitter.listenerCount('upgrade') > 1) return decide(request, socket, head)
    inTurn(socket, () => {
      if (paths.has(pathOf(request)) && !offersHttp2Alone(request)) decide(request, socket, head)
      else refrain(emitter, request, socket, head)
    })
  }
  const decide: OnUpgrade = (request, socket, head) => {
    // A client that resets the connection must not end the process, no matter who takes the upgrade.
    socket.on('error', ignore)
    paths.get(pathOf(request))?.(request, socket, head)
  }
  // First, so that it sees the socket before any other listener.
  emitter.prependListener('upgrade', Object.assign(dispatch, { [PATHS]: paths }))
  return paths
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] as string
}

/** The response that Node is writing to a socket; no public member tells. */
type AnsweringSocket = Duplex & {
  readonly _httpMessage?: ServerResponse | null
  setTimeout?(milliseconds: number): void
}

/**
 * Runs a step on the socket of an upgrade when the earlier requests of the connection are answered: answers go out in the
 * order of requests (RFC 9112 §9.3.2), and Node's parser of before the upgrade still sees to those. With a second parser
 * beside it, an answer out of order ends the process.
 */
function inTurn(socket: AnsweringSocket, step: () => void): void {
  const { _httpMessage: earlier } = socket
  if (earlier === undefined || earlier === null) return step()
  // Node has taken its own listeners off the socket.
  const onDrain = () => earlier.writableNeedDrain && earlier.emit('drain')
  socket.on('error', ignore).on('drain', onDrain)
  earlier.once('close', () => {
    if (socket.destroyed || socket.writableEnded) return
    socket.off('error', ignore).off('drain', onDrain)
    // Node took the connection for one that waits for its next request.
    socket.setTimeout?.(0)
    inTurn(socket, step)
  })
}

function stopListening(emitter: EventEmitter, paths: Map<string, OnUpgrade>): void {
  for (const listener of emitter.listeners('upgrade')) {
    if ((listener as { [PATHS]?: unknown })[PATHS] === paths) emitter.off('upgrade', listener as OnUpgrade)
  }
}

const NOT_FOUND = problemAnswer(404, { title: 'Not Found', detail: 'Nothing here accepts an upgrade' })
const TOO_LARGE = problemAnswer(431, { title: 'Request Header Fields Too Large' })

/** Serves what nothing here takes as an upgrade. */
function refrain(emitter: EventEmitter, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (emitter.listenerCount('request') === 0) return sendOnSocket(socket, NOT_FOUND)
  if (!serveAsRequest(emitter, request, socket, head)) sendOnSocket(socket, TOO_LARGE)
}

/** The members of Express's request that gates read: they decide on an upgrade as on any request. */
function asUpgrade(request: IncomingMessage, path: string): Request {
  const upgrade = request as Request
  // Own members alone: a polluted prototype must not say what a signature is compared with.
  if (!Object.hasOwn(upgrade, 'originalUrl')) upgrade.originalUrl = request.url as string
  if (!Object.hasOwn(upgrade, 'route')) upgrade.route = { path }
  markUpgrade(upgrade)
  return upgrade
}

/** Runs a step on a socket that is still there, and that nothing else has used; else closes it. */
type Guard = (step: () => void) => void

/** Guards the socket of an upgrade from the moment on that a gate has it. */
function guard(socket: Duplex & { readonly bytesWritten?: number }): Guard {
  const before = socket.bytesWritten
  const isTaken = () =>
    socket.bytesWritten !== before || socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0
  return (step) => {
    if (socket.destroyed) return
    if (!isTaken()) return step()
    socket.destroy()
    warnOfTaken()
  }
}

/** The way out over the socket of an upgrade. */
function socketExit<P>(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  listener: UpgradeListener<P>,
  leaveBy: Guard,
): Exit {
  const send = (sent: Answer) => leaveBy(() => sendOnSocket(socket, sent))
  return {
    admit: (principal) =>
      leaveBy(() => {
        // What the listener throws is the app's own: no answer of the gate's.
        process.nextTick(listener, request, socket, head, principal as P)
      }),
    refuse: (_refusal, sent) => send(sent),
    send,
  }
}

function ignore(): void {}

/** Once a process: where others listen, a client that sends requests before it has its answers can cause it, too. */
function warnOfTaken(): void {
  warnOnce({
    code: 'COUNTERSIGN_UPGRADE_TAKEN',
    message: 'Something else used the socket of an upgrade while a gate was deciding. The connection was closed',
    remedy: 'Create the WebSocketServer of the ws package with { noServer: true }, not with { server }.',
  })
}

/** Writes an answer as HTTP/1.1 and closes the connection: after an upgrade, Node parses no other request of it. */
function sendOnSocket(socket: Duplex, { status, headers, problem, body = JSON.stringify(problem) }: Answer): void {
  const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`))
  const content = Buffer.from(body)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...lines,
    `Content-Length: ${content.length}`,
    'Connection: close',
    '',
    '',
  ].join('\r\n')
  socket.on('error', ignore)
  socket.end(Buffer.concat([Buffer.from(head, 'latin1'), content]))
  // What the client still sends is discarded: unread, it would turn the end of the connection into a reset.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}
