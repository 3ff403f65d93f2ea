import { decodeToken } from '@countersign/oauth-bearer/explain'
import { type Check, fail, pass, skip } from '../checks.js'
import { loadOptional } from '../optional-package.js'
import { challengeParameter, parseChallenges } from './parse-challenges.js'
import { ask, firstRequest, type SmokeRun } from './smoke-run.js'

/** The two versions of the protocol: with `initialize`, and with `server/discover`. */
const ERAS = [
  { id: 'initialize', name: 'initialize (2025 era)', mode: 'legacy' },
  { id: 'discover', name: 'server/discover (2026-07-28 era)', mode: { pin: '2026-07-28' } },
] as const

/** Uses the token: a GET of a plain API, or an MCP session in each version of the protocol. */
export async function checkToken(run: SmokeRun, token: string): Promise<void> {
  if (run.isApi) await checkApi(run, token)
  else await checkEras(run, token)
}

async function checkApi(run: SmokeRun, token: string): Promise<void> {
  const id = 'token'
  const request = firstRequest(true, { authorization: `Bearer ${token}` })
  const answer = await ask(run, id, 'Try again.', run.url, request)
  if (answer === undefined) return
  const { status, headers } = answer
  if (status >= 200 && status < 300) run.pass(id, `with the token the answer is ${status}`)
  else run.add(refusal(run, id, token, status, headers.get('www-authenticate')))
}

async function checkEras(run: SmokeRun, token: string): Promise<void> {
  const checks: Check[] = []
  for (const era of ERAS) checks.push(...(await checkEra(run, token, era)))
  const isOneSpoken = checks.some(({ status }) => status === 'pass')
  // One version is enough.
  for (const check of checks) {
    if (check.status !== 'skip' || isOneSpoken) run.add(check)
    else run.fail(check.id, check.detail, 'The server does not speak MCP: check the URL, or use --api.')
  }
}

async function checkEra(run: SmokeRun, token: string, era: (typeof ERAS)[number]): Promise<Check[]> {
  const { Client, StreamableHTTPClientTransport } = await loadOptional(
    '@modelcontextprotocol/client',
    () => import('@modelcontextprotocol/client'),
    'a smoke test with a token (without --api)',
  )
  let last: { status: number; challenge: string | null } | undefined
  let isUnreachable = false
  const transport = new StreamableHTTPClientTransport(new URL(run.url), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
    fetch: async (input, init) => {
      const limit = AbortSignal.any([
        AbortSignal.timeout(run.timeoutMs),
        run.signal,
        ...(init?.signal ? [init.signal] : []),
      ])
      try {
        const response = await run.fetch(input, { ...init, redirect: 'manual', signal: limit })
        if (response.status >= 400 || last === undefined) {
          last = { status: response.status, challenge: response.headers.get('www-authenticate') }
        }
        return response
      } catch (error) {
        isUnreachable = true
        throw error
      }
    },
  })
  const client = new Client({ name: 'countersign-smoke', version: '1.0.0' }, { versionNegotiation: { mode: era.mode } })
  try {
    await client.connect(transport, { timeout: run.timeoutMs })
    const { name = 'unnamed', version = '' } = client.getServerVersion() ?? {}
    const connected = pass(era.id, `${era.name}: ${name} ${version}`.trim())
    return [connected, await listTools(client, era.id, run.timeoutMs)]
  } catch (error) {
    run.signal.throwIfAborted()
    const words = `${era.name}: ${messageOf(error)}`
    if (last !== undefined && (last.status === 401 || last.status === 403)) {
      return [refusal(run, era.id, token, last.status, last.challenge)]
    }
    if (isUnreachable || (last?.status ?? 0) >= 500) return [fail(era.id, words, 'The server failed: see its log.')]
    return [skip(era.id, `${era.name} is not supported`)]
  } finally {
    await transport.terminateSession().catch(() => undefined)
    await client.close().catch(() => undefined)
  }
}

interface ToolLister {
  getServerCapabilities(): { readonly tools?: unknown } | undefined
  listTools(
    parameters: undefined,
    options: { readonly timeout: number },
  ): Promise<{ readonly tools: readonly unknown[] }>
}

async function listTools(client: ToolLister, eraId: string, timeoutMs: number): Promise<Check> {
  const id = `${eraId}-tools`
  if (client.getServerCapabilities()?.tools === undefined) return skip(id, 'the server has no tools')
  try {
    const { tools } = await client.listTools(undefined, { timeout: timeoutMs })
    return pass(id, `tools/list: ${tools.length} ${tools.length === 1 ? 'tool' : 'tools'}`)
  } catch (error) {
    return fail(
      id,
      `tools/list: ${messageOf(error)}`,
      'The server accepts the token, but its tools do not: see its log.',
    )
  }
}

function refusal(run: SmokeRun, id: string, token: string, status: number, challenge: string | null): Check {
  const challenges = parseChallenges(challenge ?? '') ?? []
  const error = challengeParameter(challenges, 'error')
  const scope = challengeParameter(challenges, 'scope')
  const words = `with the token the answer is ${status}${error === undefined ? '' : ` ${error}`}`
  if (status === 403 && scope !== undefined) return fail(id, words, `Get a token with the scopes: ${scope}`)
  return fail(id, words, tokenAdvice(token, run.url))
}

/** What the token's own claims suggest. */
function tokenAdvice(token: string, resource: string): string {
  const decoded = decodeToken(token)
  if (decoded === undefined) return 'The token is opaque: ask its issuer whether it is active and for this resource.'
  const { exp, aud, iss } = decoded.claims
  if (typeof exp === 'number' && exp * 1000 <= Date.now()) return 'The token has expired: get a new one.'
  if (!(Array.isArray(aud) ? aud : [aud]).includes(resource)) {
    return `The token is for ${JSON.stringify(aud)}: get one with resource=${resource} (RFC 8707).`
  }
  return `Run "countersign oauth inspect --issuer ${String(iss)}" on it, and see the audit log of the server.`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n', 1)[0] || error.name : String(error)
}
