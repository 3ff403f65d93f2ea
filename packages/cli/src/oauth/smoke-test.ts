import { createConnect, type NetworkOptions } from '@countersign/oauth-bearer/explain'
import { type Check, caution, fail, pass, skip } from '../checks.js'
import { checkAuthorizationServer } from './check-authorization-server.js'
import { checkDpop } from './check-dpop.js'
import { checkMadeUpToken, checkUnauthenticated } from './check-refusals.js'
import { checkRegistration } from './check-registration.js'
import { checkResourceMetadata } from './check-resource-metadata.js'
import { checkToken } from './check-token.js'
import { type DpopClient, fetchWithProofs } from './dpop-client.js'
import { fetchOver } from './network.js'
import type { SmokeRun } from './smoke-run.js'

/** Options of {@link smokeTest}. */
export interface SmokeTestOptions {
  /** An access token for the resource. Without it, the checks that need one are left out. */
  readonly token?: string | undefined
  /** Who has the key that the token is bound to. Without it, the token is sent as a bearer token. */
  readonly dpop?: DpopClient | undefined
  /** Registers a client at the authorization server, and removes it where it can. Default false. */
  readonly register?: boolean | undefined
  /** The URL is a plain API, called with GET. Default false: an MCP server. */
  readonly api?: boolean | undefined
  /** Milliseconds for each request. Default 10 000. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Where this machine finds the metadata of the authorization server. Default: its well-known places. */
  readonly metadataUrl?: string | undefined
  /** As the gate's `dangerouslyAllowHttp`, `useEnvProxy` and `ca`. Default: Node's own connections. */
  readonly network?: NetworkOptions | undefined
  /** Called with each check as soon as it is known. */
  readonly onCheck?: ((check: Check) => void) | undefined
}

/**
 * Does what a client of a protected resource does: reads the challenge, the metadata of the resource (RFC 9728) and of
 * its authorization servers (RFC 8414), registers, and with a token speaks the protocol. The token is in no check.
 *
 * @throws {CommandError} when the resource cannot be reached.
 * @example
 * const checks = await smokeTest('https://mcp.example.com/mcp')
 * const failed = checks.filter(({ status }) => status === 'fail')
 */
export async function smokeTest(url: string, options: SmokeTestOptions = {}): Promise<readonly Check[]> {
  const {
    token,
    dpop,
    register = false,
    api = false,
    timeoutMs = 10_000,
    signal,
    onCheck,
    metadataUrl,
    network,
  } = options
  const connect = network && createConnect(network)
  const checks: Check[] = []
  const add = (check: Check) => {
    const safe = token === undefined ? check : redacted(check, token)
    checks.push(safe)
    onCheck?.(safe)
  }
  const run: SmokeRun = {
    url,
    isApi: api,
    token,
    timeoutMs,
    signal: signal ?? new AbortController().signal,
    metadataUrl,
    httpOrigins: network?.dangerouslyAllowHttp ?? [],
    connect,
    fetch: connect === undefined ? fetch : fetchOver(connect),
    add,
    pass: (id, detail) => add(pass(id, detail)),
    skip: (id, detail) => add(skip(id, detail)),
    warn: (id, detail, remedy) => add(caution(id, detail, remedy)),
    fail: (id, detail, remedy) => add(fail(id, detail, remedy)),
  }
  const advertised = await checkUnauthenticated(run)
  await checkMadeUpToken(run)
  for (const issuer of await checkResourceMetadata(run, advertised)) {
    const metadata = await checkAuthorizationServer(run, issuer)
    if (register && metadata !== undefined) await checkRegistration(run, metadata)
  }
  if (token !== undefined && dpop !== undefined) {
    await checkDpop(run, token, dpop)
    await checkToken({ ...run, fetch: fetchWithProofs(run.fetch, dpop, token) }, token)
  } else if (token !== undefined) await checkToken(run, token)
  return checks
}

/** A server may repeat the token, or a part of it. */
function redacted(check: Check, token: string): Check {
  const parts = [token, ...token.split('.').filter((part) => part.length >= 16)]
  const clean = (text: string) => parts.reduce((result, part) => result.replaceAll(part, '<token>'), text)
  return {
    ...check,
    detail: clean(check.detail),
    ...(check.remedy === undefined ? {} : { remedy: clean(check.remedy) }),
  }
}
