import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import type { AuditEvent } from '@countersign/core'
import type { MemorySecretsOptions, RequireHmacOptions, SignatureFormat } from '@countersign/hmac'
import { memorySecrets, requireHmac, sign, xHeaders } from '@countersign/hmac'
import express, { type RequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { readAnswer, type Sent } from '../../../test/support/wire.js'

export const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
export const AUDIENCE = 'billing.example.com'

export interface Harness extends RunningServer {
  readonly clock: FakeClock
  readonly events: AuditEvent[]
  readonly secrets: ReturnType<typeof memorySecrets>
  /** The reason of the last event, or `granted`. */
  last(): string | undefined
}

interface Around {
  readonly before?: readonly RequestHandler[]
  readonly after?: readonly RequestHandler[]
}

/** An app whose every path is behind one gate; what follows it answers with the caller. */
export async function hmacApp(
  options: Partial<RequireHmacOptions> & Around = {},
  secretOptions: MemorySecretsOptions = {},
): Promise<Harness> {
  const clock = fakeClock()
  const { audit, events } = recordedAudit()
  const secrets = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }], {
    clock,
    audit,
    ...secretOptions,
  })
  const { before = [], after = [], ...rest } = options
  const app = express()
  const gate = requireHmac({ secrets, audience: AUDIENCE, formats: [xHeaders()], clock, audit, ...rest })
  app.use(...before, gate, ...after)
  app.use((request, response) => {
    response.json({ principal: request.principal, body: request.body, raw: request.rawBody?.toString('base64') })
  })
  const running = await serve(app)
  const last = () => {
    const event = events.at(-1)
    return event?.reason ?? (event?.type === 'access.granted' ? 'granted' : undefined)
  }
  return { ...running, clock, events, secrets, last }
}

/** Goes on when the whole body has come, or as much of it as fits in the stream's buffer. */
export const untilBuffered: RequestHandler = (request, response, next) => {
  const isBuffered = request.complete || request.readableLength >= request.readableHighWaterMark
  if (isBuffered) next()
  else setImmediate(() => untilBuffered(request, response, next))
}

export type { Sent }

/** One request as it is written: the target is not normalised, and a header may be a list of fields. */
export function send(
  port: number,
  method: string,
  target: string,
  headers: Record<string, string | string[]> = {},
  body?: Uint8Array | Readable,
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const length =
      !(body instanceof Uint8Array) || headers['transfer-encoding'] !== undefined
        ? {}
        : { 'content-length': String(body.length) }
    const request = httpRequest(
      { host: '127.0.0.1', port, method, path: target, agent: false, headers: { ...length, ...headers } },
      (response) => {
        readAnswer(response)
          .then(resolve, reject)
          .finally(() => (body instanceof Readable ? request.destroy() : undefined))
      },
    )
    request.on('error', reject)
    if (body instanceof Readable) request.flushHeaders()
    if (body instanceof Readable) body.pipe(request.on('close', () => body.destroy()))
    else request.end(body)
  })
}

export interface Signing {
  readonly method?: string
  readonly target?: string
  readonly body?: string | Uint8Array
  readonly headers?: Record<string, string>
  readonly now: number
  readonly format?: SignatureFormat
  readonly caller?: string
  readonly version?: number
  readonly secret?: string
  readonly audience?: string
  readonly nonce?: boolean | string
}

/** The headers of a request signed as the harness's scheduler. */
export function signed({ method = 'POST', target = '/jobs?a=1', body = '', ...rest }: Signing): Record<string, string> {
  const { headers = {}, caller = 'scheduler', secret = SECRET, audience = AUDIENCE, format = xHeaders() } = rest
  return sign(
    { method, url: target, headers, body: typeof body === 'string' ? Buffer.from(body) : body },
    { caller, secret, audience, format, now: rest.now, version: rest.version, nonce: rest.nonce },
  )
}
