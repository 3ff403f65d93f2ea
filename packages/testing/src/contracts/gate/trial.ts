import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http'
import { type AuditEvent, type Gate, type OnDenied, type PrincipalTypes, principalOf } from '@countersign/core'
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express'
import { type Loopback, listen } from '../../loopback.js'
import { recordAudit } from '../../record-audit.js'
import type { ContractRequest, GateContractOptions, GateSubject, MakeContractRequest } from './subject.js'

/** Why a case about faults cannot be run. */
export const NOT_ASKED = 'the gate decided on a good credential without asking what breakable() wrapped'

/** What a wrapped store or callback does in place of its work. */
export type Fault = (work: () => unknown) => unknown

/** An answer, read to its end. */
export interface Received {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** How a trial is put together. */
export interface TrialOptions {
  readonly onDenied?: OnDenied | undefined
  /** Before the gate. */
  readonly before?: RequestHandler | undefined
  /** What stands on the route. Default: the gate. */
  readonly mount?: ((gate: Gate) => readonly RequestHandler[]) | undefined
  /** A sink without which nothing is granted. */
  readonly requiredSink?: (() => void | Promise<void>) | undefined
  /** What the handler behind the gate does. Default: it answers 200. */
  readonly handler?: RequestHandler | undefined
}

/** One gate in an app of its own, and all that happens there. */
export interface Trial {
  readonly subject: GateSubject
  readonly server: Server
  readonly url: string
  /** The decisions that were reported. */
  decisions(): readonly AuditEvent[]
  /** For each request that reached the handler: `req.principal`, and what `principalOf` says of the gate's kind. */
  readonly handled: readonly { readonly shown: unknown; readonly proven: unknown }[]
  /** What reached the error handlers, with what they saw in `req.principal` and got from `principalOf`. */
  readonly errors: readonly { readonly error: unknown; readonly shown: unknown; readonly proven: unknown }[]
  /** How often something wrapped was asked while there was a fault. */
  readonly asked: () => number
  breakWith(fault: Fault | undefined): void
  good(): Promise<ContractRequest>
  make(request: ContractRequest | MakeContractRequest): Promise<ContractRequest>
  send(request: ContractRequest): Promise<Received>
  /** Asks for an upgrade that a gate decides on, by default the one under test. Where it is let through: 101. */
  upgrade(request: ContractRequest, gate?: Gate): Promise<Received>
  /** Sends a request whose client goes as soon as something wrapped has been asked. */
  abandon(request: ContractRequest): Promise<void>
}

/** Runs a case in an app of its own. */
export async function tryGate(
  { make }: GateContractOptions,
  options: TrialOptions,
  check: (trial: Trial) => Promise<void>,
): Promise<void> {
  const { audit, events } = recordAudit()
  const isDecision = ({ type }: AuditEvent) => type.startsWith('access.')
  if (options.requiredSink !== undefined) {
    audit.subscribe({ name: 'required', write: options.requiredSink }, { required: true, filter: isDecision })
  }
  let fault: Fault | undefined
  let asked = 0
  let onAsked = (): void => undefined
  const guarded = (work: () => unknown): unknown => {
    if (fault === undefined) return work()
    asked += 1
    onAsked()
    return fault(work)
  }
  const subject = await make({
    audit,
    onDenied: options.onDenied,
    breakable: (port) => wrap(port, guarded),
  })
  const { gate } = subject
  const handled: { shown: unknown; proven: unknown }[] = []
  const errors: { error: unknown; shown: unknown; proven: unknown }[] = []
  let closed = (): void => undefined

  const app = express().set('env', 'test').disable('x-powered-by')
  app.use((_request, response, next) => {
    response.on('close', () => closed())
    next()
  })
  if (options.before !== undefined) app.use(options.before)
  app.use(...(options.mount?.(gate) ?? [gate]), (request, response, next) => {
    handled.push({ shown: request.principal, proven: provenBy(gate, request) })
    const { handler = () => void response.json({ handled: true }) } = options
    return handler(request, response, next)
  })
  app.use(((error, request, response, _next) => {
    errors.push({ error, shown: request.principal, proven: provenBy(gate, request) })
    if (!response.headersSent)
      response
        .status(error?.status ?? 500)
        .set(error?.headers)
        .end('handed on')
  }) as ErrorRequestHandler)

  const server: Loopback = await listen(app)
  const { url, port } = server
  const upgrade = async (request: ContractRequest, decider: Gate = gate) => {
    const [path = '/'] = (request.path ?? '/').split('?', 1)
    const stop = decider.upgrade(server.server, path, (upgraded, socket) => {
      handled.push({ shown: (upgraded as Request).principal, proven: provenBy(gate, upgraded) })
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: contract\r\n\r\n')
    })
    try {
      return await askUpgrade(port, request)
    } finally {
      stop()
    }
  }
  // One connection for all requests of a case.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const makeRequest = async (request: ContractRequest | MakeContractRequest) =>
    typeof request === 'function' ? request(url) : request
  try {
    await check({
      subject,
      server: server.server,
      url,
      decisions: () => events.filter(isDecision),
      handled,
      errors,
      asked: () => asked,
      breakWith: (next) => {
        fault = next
      },
      good: () => makeRequest(subject.good),
      make: makeRequest,
      send: (request) => send(port, request, agent),
      upgrade,
      abandon: async (request) => {
        const isAsked = new Promise<void>((resolve) => {
          onAsked = resolve
        })
        const isClosed = new Promise<void>((resolve) => {
          closed = resolve
        })
        const outgoing = open(port, request, false)
        outgoing.on('error', () => undefined).end(request.body)
        await Promise.race([isAsked, once(outgoing, 'response')])
        assert.ok(asked > 0, NOT_ASKED)
        outgoing.destroy()
        await isClosed
      },
    })
  } finally {
    fault = undefined
    agent.destroy()
    await server.close()
    await subject.close?.()
  }
}

function provenBy(gate: Gate, request: IncomingMessage): unknown {
  try {
    return principalOf(request, gate.kind as keyof PrincipalTypes)
  } catch {
    return undefined
  }
}

/** A store or a callback, every call of which goes through `guarded`. */
function wrap<T extends object>(port: T, guarded: (work: () => unknown) => unknown): T {
  return new Proxy(port, {
    apply: (target, self, args) => guarded(() => Reflect.apply(target as () => unknown, self, args)),
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (...args: unknown[]) => guarded(() => value.apply(target, args)) : value
    },
  })
}

function open(port: number, { method = 'GET', path = '/', headers = {} }: ContractRequest, agent: Agent | false) {
  // A program's request: a browser may be answered with a page.
  const sent = { Accept: 'application/json', ...headers } as Record<string, string | string[]>
  return httpRequest({ host: '127.0.0.1', port, method, path, headers: sent, agent })
}

async function send(port: number, request: ContractRequest, agent: Agent): Promise<Received> {
  const outgoing = open(port, request, agent).end(request.body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return read(response)
}

async function askUpgrade(port: number, request: ContractRequest): Promise<Received> {
  const headers = { ...request.headers, Connection: 'Upgrade', Upgrade: 'contract' }
  const outgoing = open(port, { ...request, headers }, false).end()
  const upgraded = once(outgoing, 'upgrade').then(([response, socket]) => {
    socket.destroy()
    return response
  })
  return read(await Promise.race([upgraded, once(outgoing, 'response').then(([response]) => response)]))
}

async function read(response: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }
}
