import type { Clock } from '@countersign/core'
import { withDeadline } from '@countersign/core/gate-kit'
import type { Destination } from '../http/destination.js'
import type { Discovery } from '../http/discovery.js'
import { fetchJson } from '../http/fetch-json.js'
import type { Network } from '../http/network.js'
import { FetchError } from '../http/request.js'
import type { JsonObject } from '../strict-encoding.js'
import { clientAuthentication } from './client-authentication.js'
import type { CheckedIntrospectionOptions } from './introspection-options.js'

const MAX_BYTES = 64 * 1024
/** Each has `maxConcurrent` questions: a question must not wait for a socket of the other lane. */
const LANES = 2

/** Asks an introspection endpoint about one token. Rejects with a {@link FetchError} if there is no usable answer. */
export type AskEndpoint = (token: string) => Promise<JsonObject>

/** What {@link createAskEndpoint} needs. */
export interface AskEndpointSetup {
  readonly issuer: string
  readonly options: CheckedIntrospectionOptions
  readonly discovery: Discovery
  readonly network: Network
  readonly clock: Clock
}

/** Asks over persistent connections: a form POST, one retry if the connection fails, one deadline for everything. */
export function createAskEndpoint({ issuer, options, discovery, network, clock }: AskEndpointSetup): AskEndpoint {
  const { endpoint, timeoutMs, maxConcurrent, authMethod } = options
  const connect = network.persistent(LANES * maxConcurrent)

  async function send(destination: Destination, token: string, untilMs: number): Promise<JsonObject> {
    const { headers, parameters } = await clientAuthentication[authMethod](options, issuer, clock.now())
    const body = new URLSearchParams({ token, token_type_hint: 'access_token', ...parameters }).toString()
    const { json } = await fetchJson(destination, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
      timeoutMs: Math.max(1, untilMs - performance.now()),
      maxBytes: MAX_BYTES,
      connect,
    })
    return json
  }

  /** Reads the endpoint from the metadata, within the same time limit. */
  function discover(): Promise<Destination> {
    const place = discovery.endpoint('introspection_endpoint')
    return withDeadline(place, timeoutMs, 'introspection').catch((error: unknown) => {
      throw error instanceof FetchError ? error : new FetchError('timeout')
    })
  }

  return async (token) => {
    const untilMs = performance.now() + timeoutMs
    const destination = endpoint === undefined ? await discover() : { url: new URL(endpoint) }
    try {
      return await send(destination, token, untilMs)
    } catch (error) {
      // The other end may have closed the persistent connection just now. Asking twice is safe.
      if (!(error instanceof FetchError) || error.failure !== 'connection') throw error
      return await send(destination, token, untilMs)
    }
  }
}
