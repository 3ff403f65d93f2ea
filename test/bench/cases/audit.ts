import { createAudit } from '@countersign/core'
import type { RequestHandler } from 'express'
import type { Case, Setup } from '../case.js'
import { wire } from '../wire.js'
import { counted } from './sizes.js'

/** Each request emits so many, for one alone would be lost in what a request costs. */
export const EVENTS = 100

/** What a gate tells of a request that it let in. */
export const grantedEvent = () => ({
  type: 'access.granted' as const,
  gate: 'mcp-credential',
  owasp: 'authn_login_success' as const,
  principal: { kind: 'mcp-credential', id: 'thread-1' },
  credential: { id: 'credential-1' },
  latencyMs: 0.042,
  http: { method: 'POST', route: '/mcp', requestId: 'request-1', clientAddress: '192.0.2.1', userAgent: 'agent/1' },
})

async function amongSinks(): Promise<Setup> {
  const variants = [0, 1, 4].map((count) => {
    const kept: unknown[] = []
    const sinks = Array.from({ length: count }, (_, index) => (told: unknown) => {
      kept[index] = told
    })
    const audit = createAudit({ sinks })
    const handler: RequestHandler = (_request, _response, next) => {
      // As the gates do: without a listener the event is not even made.
      for (let index = 0; index < EVENTS; index += 1) if (audit.active) void audit.emit(grantedEvent())
      next()
    }
    const wires = (requests: number) => Array.from({ length: requests }, () => wire('GET', '/', {}))
    return { name: 'audit.emit', isOurs: true, size: counted('sink')(count), handler, wires }
  })
  return { variants, close: async () => undefined }
}

export const auditCase: Case = { id: 'audit', title: 'Audit events', setup: amongSinks }
