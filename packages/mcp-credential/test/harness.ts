import type { Audit, AuditEvent } from '@countersign/core'
import {
  createMcpCredentials,
  type IssueOptions,
  type McpCredentialGate,
  type McpCredentials,
  type McpCredentialsOptions,
  memoryCredentials,
  type RequireMcpCredentialOptions,
  requireMcpCredential,
} from '@countersign/mcp-credential'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import express, { type RequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type Sent, wire } from '../../../test/support/wire.js'
import { randomBase62 } from '../src/base62.js'
import { checksum } from '../src/token.js'

export const agent: IssueOptions = { threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] }

export interface Harness extends RunningServer {
  readonly clock: FakeClock
  readonly audit: Audit
  readonly events: AuditEvent[]
  readonly credentials: McpCredentials
  readonly gate: McpCredentialGate
  /** Calls of the store by name. */
  readonly calls: string[]
  /** Lets time pass while the process runs. */
  pass(ms: number): void
  /** The reason of the last decision, or `granted`. */
  last(): string | undefined
}

export interface HarnessOptions extends Partial<Omit<RequireMcpCredentialOptions, 'credentials'>> {
  readonly registry?: Omit<McpCredentialsOptions, 'store' | 'audit'>
  readonly before?: readonly RequestHandler[]
  readonly handler?: RequestHandler
  readonly wrapStore?: (store: McpCredentialStore) => McpCredentialStore
}

/** An app whose every path is behind one gate on a memory store; what follows answers with what it was given. */
export async function mcpApp(options: HarnessOptions = {}): Promise<Harness> {
  const { registry, before = [express.json()], handler, wrapStore = (one) => one, ...gateOptions } = options
  const clock = fakeClock()
  const { audit, events } = recordedAudit()
  const memory = memoryCredentials({ clock })
  const calls: string[] = []
  const counted = new Proxy(memory, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.push(String(name))
        return value.apply(target, args)
      }
    },
  })
  const credentials = createMcpCredentials({ store: wrapStore(counted), audit, ...registry })
  const gate = requireMcpCredential({ credentials, audit, clock, ...gateOptions })
  const app = express()
  app.use(...before, gate)
  app.use(
    handler ??
      ((request, response) => {
        response.json({
          principal: request.principal,
          auth: (request as { auth?: unknown }).auth,
          authorization: [
            request.headers.authorization,
            request.headersDistinct.authorization,
            request.rawHeaders.filter((text) => /^authorization$/i.test(text)),
          ],
        })
      }),
  )
  const running = await serve(app)
  return {
    ...running,
    clock,
    audit,
    events,
    credentials,
    gate,
    calls,
    pass(ms) {
      for (let left = ms; left > 0; left -= 15_000) {
        clock.advance(Math.min(left, 15_000))
        memory.tick()
      }
    },
    last() {
      const event = events.findLast(({ type }) => type.startsWith('access.'))
      return event?.reason ?? (event?.type === 'access.granted' ? 'granted' : undefined)
    },
    close: async () => {
      await credentials.close()
      await running.close()
    },
  }
}

/** One request as it is written; a header may be a list of fields. */
export function send(
  port: number,
  headers: Record<string, string | string[]> = {},
  body?: unknown,
  method = body === undefined ? 'GET' : 'POST',
  path = '/',
): Promise<Sent> {
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const type: Record<string, string> =
    payload === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }
  return wire(port, {
    method,
    path,
    headers: { ...type, ...headers },
    ...(payload === undefined ? {} : { body: payload }),
  })
}

export const toolCall = (name: unknown, id: unknown = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: {} },
})

/** A well-formed token with another secret: the id of one credential, the secret of none. */
export function withOtherSecret(token: string): string {
  const body = `${token.slice(0, token.lastIndexOf('_'))}_${randomBase62(43)}`
  return body + checksum(body)
}
