import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Clock } from '@countersign/core'
import { withDeadline } from '@countersign/core/gate-kit'
import type { Discovery } from '../discovery.js'
import type { Destination } from '../http/destination.js'
import { fetchJson } from '../http/fetch-json.js'
import { FetchError } from '../http/request.js'
import type { JsonObject } from '../jwt/strict-json.js'
import { clientAuthentication } from './client-authentication.js'
import type { CheckedIntrospectionOptions } from './introspection-options.js'

const MAX_BYTES = 64 * 1024

/** Asks an introspection endpoint about one token. Rejects with a {@link FetchError} when it has no answer. */
export type AskEndpoint = (token: string) => Promise<JsonObject>

export interface AskEndpointSetup {
  readonly issuer: string
  readonly options: CheckedIntrospectionOptions
  readonly discovery: Discovery
  readonly clock: Clock
}

/** A question over kept connections: a form POST, one retry when the connection fails, a deadline over it all. */
export function createAskEndpoint({ issuer, options, discovery, clock }: AskEndpointSetup): AskEndpoint {
  const { endpoint, timeoutMs, maxConcurrent, authMethod } = options
  const agents = {
    'http:': new HttpAgent({ keepAlive: true, maxSockets: maxConcurrent }),
    'https:': new HttpsAgent({ keepAlive: true, maxSockets: maxConcurrent }),
  }

  async function send(destination: Destination, token: string, untilMs: number): Promise<JsonObject> {
    const { headers, parameters } = await clientAuthentication[authMethod](options, issuer, clock.now())
    const body = new URLSearchParams({ token, token_type_hint: 'access_token', ...parameters }).toString()
    const { json } = await fetchJson(destination, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
      timeoutMs: Math.max(1, untilMs - performance.now()),
      maxBytes: MAX_BYTES,
      agent: agents[destination.url.protocol === 'https:' ? 'https:' : 'http:'],
    })
    return json
  }

  /** By the metadata, and within the time that there is for all of it. */
  function discover(): Promise<Destination> {
    const place = discovery.endpoint('introspection_endpoint')
    return withDeadline(place, timeoutMs, 'the metadata').catch((error: unknown) => {
      throw error instanceof FetchError ? error : new FetchError('timeout')
    })
  }

  return async (token) => {
    const untilMs = performance.now() + timeoutMs
    const destination = endpoint === undefined ? await discover() : { url: new URL(endpoint) }
    try {
      return await send(destination, token, untilMs)
    } catch (error) {
      // A kept connection may have been closed at the other end just now. The question can be asked twice.
      if (!(error instanceof FetchError) || error.failure !== 'connection') throw error
      return await send(destination, token, untilMs)
    }
  }
}
