import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { memorySecrets, type RequireHmacOptions, requireHmac, rfc9421, sign, xHeaders } from '@countersign/hmac'
import { redisReplay } from '@countersign/redis'
import hawk from '@hapi/hawk'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import { generate, HMAC } from 'hmac-auth-express'
import { verifySignature } from 'http-message-sig'
import { createVerifier, httpbis } from 'http-message-signatures'
import { Redis } from 'ioredis'
import { Webhook } from 'standardwebhooks'
import type { Case, Setup, Traffic, Variant } from '../case.js'
import { type Wire, wire } from '../wire.js'
import { listeningAudit } from './listening.js'
import { patient, startRedis } from './redis.js'
import { atSizes, counted } from './sizes.js'

const SECRET = 'a-secret-of-the-benchmark-that-is-long-enough'
const AUDIENCE = 'api.example.com'
/** Each request is another one: a copy is what replay protection refuses. */
const freshPath = () => `/internal/executions?id=${randomUUID()}`
const urlOf = (path: string) => `https://${AUDIENCE}${path}`
const COVERED = ['@method', '@authority', '@path', '@query', 'content-digest', 'content-type']

/** A body that no other request has, of exactly this many bytes; it is JSON, since one peer signs nothing else. */
function bodyOf(bytes: number): Buffer {
  if (bytes === 0) return Buffer.alloc(0)
  const text = `{"id":"${randomUUID()}","text":""}`
  return Buffer.from(text.replace('""}', `"${'a'.repeat(Math.max(0, bytes - text.length))}"}`))
}

const type = { 'content-type': 'application/json' }

/** Every verifier but ours needs the bytes first. */
const raw = express.raw({ type: () => true, limit: '20mb' })

function afterRaw(verify: (request: Request, body: Buffer) => boolean | Promise<boolean>): RequestHandler {
  return (request, response, next) => {
    raw(request, response, (error?: unknown) => {
      if (error !== undefined) return next(error)
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      Promise.resolve(verify(request, body)).then(
        (isGood) => (isGood ? next() : response.status(401).end()),
        (failure: unknown) => next(failure),
      )
    })
  }
}

const fresh = (one: () => Wire): Traffic => ({ wires: (count) => Array.from({ length: count }, one) })

type Format = ReturnType<typeof xHeaders>

function signing(format: Format, bytes: number, key: { version?: number; secret: string }): Traffic {
  return fresh(() => {
    const [path, body] = [freshPath(), bodyOf(bytes)]
    const request = { method: 'POST', url: urlOf(path), headers: type, body }
    const headers = sign(request, { caller: 'scheduler', audience: AUDIENCE, format, ...key })
    return wire('POST', path, { ...type, ...headers }, body)
  })
}

const onlyKey = { version: 1, secret: SECRET }

function gate(format: Format, options: Partial<RequireHmacOptions> = {}): RequestHandler {
  const secrets = memorySecrets([{ caller: 'scheduler', ...onlyKey }])
  const maxBodyBytes = 32 * 1024 * 1024
  return requireHmac({
    secrets,
    audience: AUDIENCE,
    formats: [format],
    maxBodyBytes,
    audit: listeningAudit(),
    ...options,
  })
}

/** The gate, its claims in memory. */
export function ours(name: string, format: Format, bytes: number, options: Partial<RequireHmacOptions> = {}): Variant {
  return { name, isOurs: true, handler: gate(format, options), ...signing(format, bytes, onlyKey) }
}

/** What a careful team writes by hand: the same string, one MAC, a comparison in constant time, nothing else. */
export function floor(bytes: number, claim: (signature: string) => boolean | Promise<boolean> = () => true): Variant {
  const canonical = (path: string, caller: string, timestamp: string, body: Buffer) =>
    ['POST', path, caller, createHash('sha256').update(body).digest('hex'), timestamp, AUDIENCE].join('\n')
  const mac = (text: string) => createHmac('sha256', SECRET).update(text).digest()
  const handler = afterRaw((request, body) => {
    const { 'x-caller': caller, 'x-timestamp': timestamp, 'x-signature': signature } = request.headers
    if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false
    const expected = mac(canonical(request.originalUrl, String(caller), String(timestamp), body))
    return timingSafeEqual(expected, Buffer.from(String(signature), 'hex')) && claim(String(signature))
  })
  const one = (): Wire => {
    const [path, body] = [freshPath(), bodyOf(bytes)]
    const timestamp = String(Math.floor(Date.now() / 1000))
    const signature = mac(canonical(path, 'scheduler', timestamp, body)).toString('hex')
    const headers = { 'x-caller': 'scheduler', 'x-timestamp': timestamp, 'x-signature': signature }
    return wire('POST', path, { ...type, ...headers }, body)
  }
  return { name: 'by hand, no replay', isOurs: false, handler, ...fresh(one) }
}

/** The wire of the RFC 9421 peers is ours: they verify what our signer signs. */
function rfc9421Wires(bytes: number): Variant['wires'] {
  return signing(rfc9421(), bytes, onlyKey).wires
}

const contentDigest = (body: Buffer) => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`

function httpMessageSignatures(bytes: number): Variant {
  const key = { id: 'scheduler/1', algs: ['hmac-sha256'], verify: createVerifier(Buffer.from(SECRET), 'hmac-sha256') }
  const handler = afterRaw(async (request, body) => {
    if (request.headers['content-digest'] !== contentDigest(body)) return false
    const headers = request.headers as Record<string, string>
    const message = { method: request.method, url: urlOf(request.originalUrl), headers }
    return (await httpbis.verifyMessage({ keyLookup: async () => key, requiredFields: COVERED }, message)) === true
  })
  return { name: 'http-message-signatures', isOurs: false, handler, wires: rfc9421Wires(bytes) }
}

function httpMessageSig(bytes: number): Variant {
  const verifier = {
    algorithm: 'hmac-sha256',
    verify: (data: Uint8Array, signature: Uint8Array) =>
      timingSafeEqual(createHmac('sha256', SECRET).update(data).digest(), Buffer.from(signature)),
  }
  const handler = afterRaw(async (request, body) => {
    if (request.headers['content-digest'] !== contentDigest(body)) return false
    const fields = Object.entries(request.headers).map(([name, value]) => ({ name, value: String(value) }))
    await verifySignature(
      { kind: 'request', method: request.method, targetUri: urlOf(request.originalUrl), fields },
      {
        policy: {
          algorithms: ['hmac-sha256'],
          requiredComponents: COVERED,
          requiredParameters: ['created', 'nonce', 'keyid', 'tag'],
          now: Math.floor(Date.now() / 1000),
        },
        resolveVerifier: () => verifier,
      },
    )
    return true
  })
  return { name: 'http-message-sig', isOurs: false, handler, wires: rfc9421Wires(bytes) }
}

function hawkVariant(bytes: number): Variant {
  const credentials = { id: 'scheduler', key: SECRET, algorithm: 'sha256' as const, user: 'scheduler' }
  const handler = afterRaw(async (request, body) => {
    await hawk.server.authenticate(request, async () => credentials, {
      payload: body.toString(),
      host: AUDIENCE,
      port: 443,
    })
    return true
  })
  const one = (): Wire => {
    const [path, body] = [freshPath(), bodyOf(bytes)]
    const { header } = hawk.client.header(urlOf(path), 'POST', {
      credentials,
      payload: body.toString(),
      contentType: 'application/json',
    })
    return wire('POST', path, { ...type, authorization: header }, body)
  }
  return { name: 'hawk', isOurs: false, handler, ...fresh(one) }
}

function standardWebhooks(bytes: number): Variant {
  const webhook = new Webhook(Buffer.from(SECRET).toString('base64'))
  const handler = afterRaw((request, body) => {
    webhook.verify(body, request.headers as Record<string, string>, { jsonParse: false })
    return true
  })
  const one = (): Wire => {
    const [path, body] = [freshPath(), bodyOf(bytes)]
    const id = randomUUID()
    const now = new Date()
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': webhook.sign(id, now, body.toString()),
    }
    return wire('POST', path, { ...type, ...headers }, body)
  }
  return { name: 'standardwebhooks', isOurs: false, handler, ...fresh(one) }
}

/** It signs the parsed body, serialised again. */
function hmacAuthExpress(bytes: number): Variant {
  const json = express.json({ limit: '20mb' })
  const verify = HMAC(SECRET)
  const handler: RequestHandler = (request: Request, response: Response, next: NextFunction) => {
    json(request, response, (error?: unknown) => (error === undefined ? verify(request, response, next) : next(error)))
  }
  const one = (): Wire => {
    const [path, body] = [freshPath(), bodyOf(bytes)]
    const timestamp = String(Date.now())
    const parsed = bytes === 0 ? {} : (JSON.parse(body.toString()) as Record<string, unknown>)
    const digest = generate(SECRET, 'sha256', timestamp, 'POST', path, parsed).digest('hex')
    return wire('POST', path, { ...type, authorization: `HMAC ${timestamp}:${digest}` }, body)
  }
  return { name: 'hmac-auth-express', isOurs: false, handler, ...fresh(one) }
}

/** Requests in one slice: their bodies lie in memory all at once. */
const sliceOf = (bytes: number) => Math.max(1, Math.min(1000, Math.floor((12 * 1024 * 1024) / Math.max(1, bytes))))

function sized(id: string, title: string, bytes: number): Case {
  return {
    id,
    title,
    maxSlice: sliceOf(bytes),
    setup: async () => ({
      variants: [
        ours('xHeaders', xHeaders(), bytes),
        ours('rfc9421', rfc9421(), bytes),
        floor(bytes),
        httpMessageSignatures(bytes),
        httpMessageSig(bytes),
        hawkVariant(bytes),
        // They take an empty body for a missing one.
        ...(bytes === 0 ? [] : [standardWebhooks(bytes), hmacAuthExpress(bytes)]),
      ],
      close: async () => undefined,
    }),
  }
}

const KIB = 1024
const MIB = 1024 * KIB

export const hmacCases: readonly Case[] = [
  sized('hmac-0', 'HMAC, no body', 0),
  sized('hmac-1k', 'HMAC, 1 KiB', KIB),
  sized('hmac-64k', 'HMAC, 64 KiB', 64 * KIB),
  sized('hmac-1m', 'HMAC, 1 MiB', MIB),
]

const bytesText = (bytes: number) =>
  bytes >= MIB ? `${bytes / MIB} MiB` : bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} B`

async function withBodies(bytes: number): Promise<Setup> {
  const variants = [
    ours('xHeaders', xHeaders(), bytes),
    ours('rfc9421', rfc9421(), bytes),
    floor(bytes),
    httpMessageSignatures(bytes),
  ]
  return { variants: variants.map((one) => ({ ...one, maxSlice: sliceOf(bytes) })), close: async () => undefined }
}

/** Of the keys that may have signed, newest first, so many are tried. */
const MOST_TRIED = 8

/** The request does not say which key signed it: it is the last of those that are tried. */
async function amongKeys(count: number): Promise<Setup> {
  const keys = Array.from({ length: count }, (_, index) => ({ version: index + 1, secret: `${SECRET}-${index}` }))
  const last = keys[Math.max(0, count - MOST_TRIED)] ?? onlyKey
  const secrets = memorySecrets(keys.map((key) => ({ caller: 'scheduler', ...key })))
  const handler = gate(xHeaders(), { secrets })
  const traffic = signing(xHeaders(), 1024, { secret: last.secret })
  return { variants: [{ name: 'xHeaders', isOurs: true, handler, ...traffic }], close: async () => undefined }
}

export const hmacGrowth: readonly Case[] = [
  {
    id: 'keys',
    title: 'Active HMAC keys of one caller, signed with the last that is tried (1 KiB)',
    maxSlice: 1000,
    setup: () => atSizes([1, 4, 16], counted('key'), amongKeys),
  },
  {
    id: 'bodies',
    title: 'HMAC, size of the body',
    setup: () => atSizes([0, KIB, 64 * KIB, MIB, 16 * MIB], bytesText, withBodies),
  },
]

/** Signatures claimed in Redis, so that no two processes take the same one. */
async function onRedis(): Promise<Setup> {
  const server = await startRedis()
  const clients = [new Redis(server.url), new Redis(server.url)] as const
  const claim = async (signature: string) => {
    return (await clients[1].set(`bench:${signature}`, '1', 'PX', 720_000, 'NX')) === 'OK'
  }
  const traffic = signing(xHeaders(), 1024, onlyKey)
  const handler = gate(xHeaders(), { replay: redisReplay(clients[0], patient) })
  return {
    variants: [
      { name: 'xHeaders, redisReplay', isOurs: true, handler, ...traffic, redis: server.url },
      { ...floor(1024, claim), name: 'by hand, SET NX PX', redis: server.url },
    ],
    close: async () => {
      for (const client of clients) client.disconnect()
      await server.close()
    },
  }
}

export const hmacRedis: Case = { id: 'replay-redis', title: 'HMAC, replay claims in Redis', setup: onRedis }
