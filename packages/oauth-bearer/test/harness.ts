import type { AuditEvent } from '@countersign/core'
import { type OAuthBearerGate, type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import express, { type Express } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type IssuerKey, makeKey, signToken, startIssuer, type TestIssuer, type TokenParts } from './test-issuer.js'

export const RESOURCE = 'https://mcp.example.com/mcp'

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Record<string, unknown>
}

export interface Harness extends RunningServer {
  readonly app: Express
  readonly gate: OAuthBearerGate
  readonly issuer: TestIssuer
  readonly key: IssuerKey
  readonly clock: FakeClock
  readonly events: AuditEvent[]
  /** The reason of the last decision, or `granted`. */
  last(): string | undefined
  /** A token of the issuer's first key, unless another is given. */
  token(parts?: TokenParts, key?: IssuerKey): Promise<string>
  /** GET with this `Authorization`, or none; `Bearer` goes before a bare token. */
  get(authorization?: string, path?: string, headers?: Record<string, string>): Promise<Answered>
  stop(): Promise<void>
}

export interface HarnessOptions extends Partial<RequireOAuthBearerOptions> {
  /** Adds routes before the guarded catch-all. */
  readonly routes?: (app: Express, gate: OAuthBearerGate) => void
}

/** One for all apps of a test file: making an RSA key takes long. */
let firstKey: Promise<IssuerKey> | undefined

/** An app whose every path is behind one gate, and the issuer of its tokens. */
export async function oauthApp(
  options: HarnessOptions | ((issuer: TestIssuer, clock: FakeClock) => HarnessOptions) = {},
): Promise<Harness> {
  firstKey ??= makeKey('k1')
  const key = await firstKey
  const issuer = await startIssuer(key)
  const clock = fakeClock()
  const { routes, ...rest } = typeof options === 'function' ? options(issuer, clock) : options
  const { audit, events } = recordedAudit()
  const gate = requireOAuthBearer({ resource: RESOURCE, issuer: issuer.url, clock, audit, ...rest })
  const app = express()
  routes?.(app, gate)
  app.use(gate, (request, response) => {
    response.json({ principal: request.principal, auth: (request as { auth?: unknown }).auth })
  })
  const running = await serve(app)
  const last = () => {
    const event = events.findLast(({ type }) => type.startsWith('access.'))
    return event?.reason ?? (event === undefined ? undefined : 'granted')
  }
  return {
    ...running,
    app,
    gate,
    issuer,
    key,
    clock,
    events,
    last,
    token: (parts, by = key) =>
      signToken(by, { issuer: issuer.url, audience: RESOURCE, now: (rest.clock ?? clock).now() }, parts),
    get: (authorization, path = '/', headers = {}) => send(`${running.url}${path}`, authorization, headers),
    stop: async () => {
      await running.close()
      await issuer.close()
    },
  }
}

async function send(url: string, authorization: string | undefined, headers: Record<string, string>) {
  const value = authorization === undefined || authorization.includes(' ') ? authorization : `Bearer ${authorization}`
  const response = await fetch(url, {
    redirect: 'manual',
    headers: { ...headers, ...(value === undefined ? {} : { authorization: value }) },
  })
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {},
  }
}
