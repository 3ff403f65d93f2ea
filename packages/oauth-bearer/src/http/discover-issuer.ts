import { memberOf, withDeadline } from '@countersign/core/gate-kit'
import type { JsonObject } from '../strict-encoding.js'
import { fetchJson } from './fetch-json.js'
import type { Connect } from './network.js'
import { FetchError } from './request.js'

const TIMEOUT_MS = 3000
const MAX_BYTES = 256 * 1024

/** One place that was asked for metadata, and why that document is not the issuer's. */
export interface DiscoveryAttempt {
  readonly url: string
  readonly error: FetchError
  /** The document, if it is one of another issuer. */
  readonly metadata?: JsonObject
}

/** Limits of {@link discoverIssuer}. */
export interface DiscoverOptions {
  /** For all places together. Default 3000. */
  readonly timeoutMs?: number | undefined
  /** Ends the current requests: their attempts have the code `ABORT_ERR`. */
  readonly signal?: AbortSignal | undefined
  /** The one place to ask. Default: the places that {@link metadataUrls} names. */
  readonly metadataUrl?: string | undefined
  /** How each connection is made. Default: as Node makes it. */
  readonly connect?: Connect | undefined
}

/** The metadata of an issuer, if it was found, and the places that did not have it. */
export interface DiscoveredIssuer {
  readonly url?: string
  readonly metadata?: JsonObject
  readonly attempts: readonly DiscoveryAttempt[]
}

type Found = Required<Pick<DiscoveredIssuer, 'url' | 'metadata'>>

/**
 * Fetches the metadata of an authorization server (RFC 8414), or of an OpenID provider if there is none of the first kind.
 * The document's `issuer` must be exactly the given one (RFC 8414 §3.3), or another issuer's keys would be trusted. A place
 * that does not answer in its share of the time does not keep the next one from being asked.
 */
export async function discoverIssuer(issuer: string, options: DiscoverOptions = {}): Promise<DiscoveredIssuer> {
  const timeoutMs = memberOf(options, 'timeoutMs') ?? TIMEOUT_MS
  const metadataUrl = memberOf(options, 'metadataUrl')
  const connect = memberOf(options, 'connect')
  const signal = memberOf(options, 'signal')
  const places = metadataUrl === undefined ? metadataUrls(issuer).map(String) : [metadataUrl]
  const untilMs = performance.now() + timeoutMs
  const rest = new AbortController()
  const signals = AbortSignal.any(signal === undefined ? [rest.signal] : [signal, rest.signal])
  let tellFound: (found: Found) => void = () => undefined
  const found = new Promise<Found>((resolve) => {
    tellFound = resolve
  })

  const attempts: DiscoveryAttempt[] = []
  async function ask(url: string, index: number): Promise<Found | DiscoveryAttempt> {
    try {
      const limits = {
        timeoutMs: Math.max(1, untilMs - performance.now()),
        maxBytes: MAX_BYTES,
        signal: signals,
        connect,
      }
      const { json: metadata } = await fetchJson({ url: new URL(url) }, limits)
      if (metadata.issuer !== issuer) {
        attempts[index] = { url, error: new FetchError('invalid', undefined, 'issuer'), metadata }
        return attempts[index]
      }
      tellFound({ url, metadata })
      return { url, metadata }
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      attempts[index] = { url, error }
      return attempts[index]
    }
  }

  const asked: Promise<Found | DiscoveryAttempt>[] = []
  for (const [index, url] of places.entries()) {
    const attempt = ask(url, index)
    asked.push(attempt)
    const answer = await Promise.race([found, inTime(attempt, timeoutMs / places.length)])
    if (answer !== undefined && (!('error' in answer) || isOfHost(answer.error))) break
  }
  const ended = await Promise.race([found, Promise.all(asked).then(() => undefined)])
  const failed = attempts.filter((attempt) => attempt !== undefined)
  rest.abort()
  return { ...ended, attempts: failed }
}

/** Without a connection the other places, at the same host, are not asked. A firewall may cut it for one path alone. */
function isOfHost({ failure, code }: FetchError): boolean {
  return failure === 'connection' && code !== 'ECONNRESET' && code !== 'EPIPE'
}

function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  return withDeadline(work, timeoutMs, 'keys').catch(() => undefined)
}

/** The failure to report: no connection, else a document of another issuer, else what the first place answered. */
export function worst(attempts: readonly DiscoveryAttempt[]): FetchError {
  const last = attempts.at(-1)?.error
  if (last !== undefined && last.status === undefined && last.failure !== 'invalid') return last
  return (attempts.findLast(({ error }) => error.failure === 'invalid') ?? attempts[0])?.error as FetchError
}

/** Where an issuer's metadata can be: RFC 8414 §3.1; OpenID Connect Discovery §4; the latter's name at the former's place. */
export function metadataUrls(issuer: string): readonly URL[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const forms = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/openid-configuration${path}`,
  ]
  return [...new Set(forms)].map((form) => new URL(form))
}
