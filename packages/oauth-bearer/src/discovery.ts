import type { Clock } from '@countersign/core'
import { withDeadline } from '@countersign/core/gate-kit'
import { type Destination, destinationFromMetadata } from './http/destination.js'
import { fetchJson } from './http/fetch-json.js'
import { FetchError } from './http/request.js'
import type { JsonObject } from './jwt/strict-json.js'

/** For all the places that are asked. */
const TIMEOUT_MS = 3000
const MAX_BYTES = 256 * 1024
const FRESH_MS = 3_600_000
/** How long a known document goes on, when a fresh one cannot be had. */
const RETRY_MS = 60_000
/** How long who has a known document waits for a fresh one. */
const PATIENCE_MS = 250

/** An issuer's own metadata. */
export interface Discovery {
  /**
   * Where an endpoint is.
   *
   * @throws {FetchError} by rejection.
   */
  endpoint(name: 'jwks_uri' | 'introspection_endpoint'): Promise<Destination>
  /** Something that it named does not work: the document is asked for again. */
  distrust(): void
}

/**
 * Reads the metadata of an authorization server (RFC 8414), or of an OpenID provider where there is none of the first
 * kind. Its `issuer` must be exactly the configured one (RFC 8414 §3.3), or keys of another would be taken.
 */
export function createDiscovery(issuer: string, trustedHosts: readonly string[], clock: Clock): Discovery {
  let known: JsonObject | undefined
  let freshUntilMs = Number.NEGATIVE_INFINITY
  let loading: Promise<JsonObject> | undefined

  async function load(): Promise<JsonObject> {
    try {
      known = await fetchMetadata(issuer)
      freshUntilMs = clock.monotonic() + FRESH_MS
      return known
    } catch (error) {
      if (known === undefined) throw error
      freshUntilMs = clock.monotonic() + RETRY_MS
      return known
    }
  }

  function document(): JsonObject | Promise<JsonObject> {
    if (known !== undefined && clock.monotonic() < freshUntilMs) return known
    loading ??= load().finally(() => {
      loading = undefined
    })
    const before = known
    return before === undefined ? loading : withDeadline(loading, PATIENCE_MS, 'the metadata').catch(() => before)
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

async function fetchMetadata(issuer: string): Promise<JsonObject> {
  let failure: unknown
  const untilMs = performance.now() + TIMEOUT_MS
  for (const url of metadataUrls(issuer)) {
    try {
      const timeoutMs = Math.max(1, untilMs - performance.now())
      const { json } = await fetchJson({ url }, { timeoutMs, maxBytes: MAX_BYTES })
      if (json.issuer === issuer) return json
      failure = new FetchError('invalid', undefined, 'issuer')
    } catch (error) {
      // The host that does not answer once is not asked for the other form.
      if (error instanceof FetchError && error.status === undefined) throw error
      failure ??= error
    }
  }
  throw failure
}

/** Where an issuer's metadata can be: RFC 8414 §3.1, OpenID Connect Discovery §4, and the latter in the former's way. */
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
