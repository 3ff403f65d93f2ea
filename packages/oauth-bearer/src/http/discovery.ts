import type { Clock } from '@countersign/core'
import { memberOf, withDeadline } from '@countersign/core/gate-kit'
import type { JsonObject } from '../strict-encoding.js'
import { type Destination, destinationFromMetadata } from './destination.js'
import { discoverIssuer, metadataUrls, worst } from './discover-issuer.js'
import type { Network } from './network.js'
import { FetchError } from './request.js'

const FRESH_MS = 3_600_000
/** For how long a known document is used, or the usual place is told, after a fetch has failed. */
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
  /** Where clients find the document: where it was found, else its usual place. Never rejects. */
  publicPlace(): Promise<string>
}

/** What {@link createDiscovery} needs. */
export interface DiscoverySetup {
  readonly issuer: string
  /** Where this gate finds the document, if not in the places of the issuer. */
  readonly metadataUrl?: string | undefined
  readonly trustedHosts?: readonly string[]
  readonly network: Network
  /** For all places together. Default 3000. */
  readonly timeoutMs?: number
  readonly clock: Clock
}

interface Known {
  readonly url: string
  readonly metadata: JsonObject
}

/**
 * Reads the metadata of an authorization server, and refreshes it every hour. The destinations that it names are checked,
 * so that a document cannot lead into the internal network.
 */
export function createDiscovery(setup: DiscoverySetup): Discovery {
  const { issuer, network, clock } = setup
  const metadataUrl = memberOf(setup, 'metadataUrl')
  const trustedHosts = memberOf(setup, 'trustedHosts') ?? []
  const timeoutMs = memberOf(setup, 'timeoutMs')
  let known: Known | undefined
  let freshUntilMs = Number.NEGATIVE_INFINITY
  let askPlaceAgainMs = Number.NEGATIVE_INFINITY
  let loading: Promise<Known> | undefined

  async function load(): Promise<Known> {
    const { connect } = network
    const { url = '', metadata, attempts } = await discoverIssuer(issuer, { timeoutMs, metadataUrl, connect })
    const usable = metadata === undefined ? known : { url, metadata }
    if (usable === undefined) throw worst(attempts)
    known = usable
    freshUntilMs = clock.monotonic() + (metadata === undefined ? RETRY_MS : FRESH_MS)
    return usable
  }

  function document(): Known | Promise<Known> {
    if (known !== undefined && clock.monotonic() < freshUntilMs) return known
    loading ??= load().finally(() => {
      loading = undefined
    })
    const before = known
    return before === undefined ? loading : withDeadline(loading, PATIENCE_MS, 'keys').catch(() => before)
  }

  return {
    async endpoint(name) {
      const own = [issuer, metadataUrl ?? issuer].filter((url) => URL.canParse(url)).map((url) => new URL(url))
      const { metadata } = await document()
      const destination = destinationFromMetadata(metadata[name], own, trustedHosts, network.httpOrigins)
      if (destination === undefined) throw new FetchError('invalid', undefined, name)
      return destination
    },
    distrust() {
      freshUntilMs = Number.NEGATIVE_INFINITY
    },
    async publicPlace() {
      const places = metadataUrls(issuer).map(String)
      const usual = places[0] as string
      if (metadataUrl !== undefined) {
        // What is in an internal network is no place for clients: the same form of it at the issuer's own name is.
        const form = /\/\.well-known\/[\w-]+/.exec(new URL(metadataUrl).pathname)?.[0]
        return places.find((place) => form !== undefined && place.includes(form)) ?? usual
      }
      if (known === undefined && clock.monotonic() < askPlaceAgainMs) return usual
      try {
        return (await document()).url
      } catch {
        askPlaceAgainMs = clock.monotonic() + RETRY_MS
        return usual
      }
    },
  }
}
