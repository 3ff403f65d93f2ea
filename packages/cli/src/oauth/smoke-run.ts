import type { Check } from '../checks.js'
import { fail } from '../checks.js'
import { type HttpAnswer, HttpFailure, type HttpSettings } from './http.js'

/** What the checks of one smoke test share. */
export interface SmokeRun {
  /** The resource, as it was given. */
  readonly url: string
  readonly http: HttpSettings
  /** A plain API is asked by GET, an MCP server by POST. */
  readonly isApi: boolean
  readonly token: string | undefined
  add(check: Check): void
}

/** Asks, and turns "no answer" into a failed check. */
export async function answerOf(
  run: SmokeRun,
  id: string,
  remedy: string,
  ask: () => Promise<HttpAnswer>,
): Promise<HttpAnswer | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error
    run.add(fail(id, error.message, remedy))
    return undefined
  }
}

/** What an MCP client sends first. */
export const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'countersign-smoke', version: '1.0.0' },
  },
})

/** The first request that a client would send, with these header fields. */
export function firstRequest(isApi: boolean, headers: Record<string, string> = {}) {
  if (isApi) return { method: 'GET', headers: { accept: '*/*', ...headers } }
  return {
    method: 'POST',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
    body: INITIALIZE,
  }
}
