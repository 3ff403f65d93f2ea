import type { Clock } from '@countersign/core'
import { withDeadline } from '@countersign/core/gate-kit'
import type { JsonObject } from '../strict-encoding.js'
import { type Destination, destinationFromMetadata } from './destination.js'
import { fetchJson } from './fetch-json.js'
import { FetchError } from './request.js'

/** For all places together. */
const TIMEOUT_MS = 3000
const MAX_BYTES = 256 * 1024
const FRESH_MS = 3_600_000
/** For how long a known document is used after a refresh has failed. */
const RETRY_MS = 60_000
/** How long a caller waits for a refresh if there is a known document. */
const PATIENCE_MS = 250

/** The metadata of one issuer. */
export interface Discovery {
  /**
   * Where an endpoint is.
   *
   * @throws {FetchError} by rejection.
   */
  endpoint(name: 'jwks_uri' | 'introspection_endpoint'): Promise<Destination>
  /** Something that the document names does not work: the next call fetches the document again. */
  distrust(): void
}

/**
 * Reads the metadata of an authorization server, and refreshes it every hour. The destinations that it names are checked,
 * so that a document cannot lead into the internal network.
 */
export function createDiscovery(issuer: string, trustedHosts: readonly string[], clock: Clock): Discovery {
  let known: JsonObject | undefined
  let freshUntilMs = Number.NEGATIVE_INFINITY
  let loading: Promise<JsonObject> | undefined

  async function load(): Promise<JsonObject> {
    const { metadata, attempts } = await discoverIssuer(issuer)
    const usable = metadata ?? known
    if (usable === undefined) throw worst(attempts)
    known = usable
    freshUntilMs = clock.monotonic() + (metadata === undefined ? RETRY_MS : FRESH_MS)
    return usable
  }

  function document(): JsonObject | Promise<JsonObject> {
    if (known !== undefined && clock.monotonic() < freshUntilMs) return known
    loading ??= load().finally(() => {
      loading = undefined
    })
    const before = known
    return before === undefined ? loading : withDeadline(loading, PATIENCE_MS, 'keys').catch(() => before)
  }

  return {
    async endpoint(name) {
      const destination = destinationFromMetadata((await document())[name], new URL(issuer), trustedHosts)
      if (destination === undefined) throw new FetchError('invalid', undefined, name)
      return destination
    },
    distrust() {
      freshUntilMs = Number.NEGATIVE_INFINITY
    },
  }
}

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
  /** Ends the current request: its attempt has the code `ABORT_ERR`. */
  readonly signal?: AbortSignal | undefined
}

/** The metadata of an issuer, if it was found, and the places that did not have it. */
export interface DiscoveredIssuer {
  readonly url?: string
  readonly metadata?: JsonObject
  readonly attempts: readonly DiscoveryAttempt[]
}

/**
 * Fetches the metadata of an authorization server (RFC 8414), or of an OpenID provider if there is none of the first kind.
 * The document's `issuer` must be exactly the given one (RFC 8414 §3.3), or another issuer's keys would be trusted.
 */
export async function discoverIssuer(
  issuer: string,
  { timeoutMs = TIMEOUT_MS, signal }: DiscoverOptions = {},
): Promise<DiscoveredIssuer> {
  const attempts: DiscoveryAttempt[] = []
  const untilMs = performance.now() + timeoutMs
  for (const { href: url } of metadataUrls(issuer)) {
    try {
      const limits = { timeoutMs: Math.max(1, untilMs - performance.now()), maxBytes: MAX_BYTES, signal }
      const { json: metadata } = await fetchJson({ url: new URL(url) }, limits)
      if (metadata.issuer === issuer) return { url, metadata, attempts }
      attempts.push({ url, error: new FetchError('invalid', undefined, 'issuer'), metadata })
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      attempts.push({ url, error })
      // A host that does not answer is not asked for the other forms.
      if (error.status === undefined) break
    }
  }
  return { attempts }
}

/** The failure to report: no connection, else a document of another issuer, else what the first place answered. */
function worst(attempts: readonly DiscoveryAttempt[]): FetchError {
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
