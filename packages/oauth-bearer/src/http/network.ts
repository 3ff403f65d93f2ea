import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Agent, Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import * as tls from 'node:tls'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { OptionError } from '@countersign/core'
import { memberOf, type OptionRule, option, resolveOptions, warnOnce } from '@countersign/core/gate-kit'
import { createNoProxy } from './no-proxy.js'
import { tunnelAgent } from './tunnel.js'

/** How the gate reaches issuers. */
export interface NetworkOptions {
  /**
   * Origins that may be asked for keys and about tokens over http, such as `http://keycloak:8080`, exactly. Anyone on the
   * path can read tokens and replace keys: only for a network that is all yours. Default: none.
   */
  readonly dangerouslyAllowHttp?: readonly string[] | undefined
  /** The agent of every https request, such as one of a proxy. It decides where a connection goes. Default: Node's. */
  readonly agent?: Agent | undefined
  /** Sends https requests through the proxy in `HTTPS_PROXY`, but for the hosts in `NO_PROXY`. Default false. */
  readonly useEnvProxy?: boolean | undefined
  /** Certificates of private authorities, in PEM, that issuers' certificates may come from beside those that Node trusts. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined
}

/** The options with their defaults. */
export type ResolvedNetworkOptions = Required<
  Pick<NetworkOptions, 'useEnvProxy' | 'dangerouslyAllowHttp' | 'agent'>
> & {
  readonly dangerouslyAllowHttp: readonly string[]
  readonly useEnvProxy: boolean
  readonly ca: readonly string[] | undefined
}

type AgentPort = Agent & { addRequest(): void }

/** The rules of {@link NetworkOptions}. */
export const networkRules: {
  readonly dangerouslyAllowHttp: OptionRule<readonly string[]>
  readonly agent: OptionRule<AgentPort | undefined>
  readonly useEnvProxy: OptionRule<boolean>
  readonly ca: OptionRule<readonly string[] | undefined>
} = {
  dangerouslyAllowHttp: option
    .custom<readonly string[]>(
      "a list of exact http origins, such as 'http://keycloak:8080', without a slash at the end",
      (value) => (Array.isArray(value) && value.every(isHttpOrigin) ? Object.freeze([...value]) : undefined),
    )
    .default(Object.freeze([])),
  agent: option.port<AgentPort>('an Agent of node:https, or one with its interface', 'addRequest'),
  useEnvProxy: option.boolean().default(false),
  ca: option.custom<readonly string[]>('one or more certificates in PEM', (value) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    const texts = list.map((one) => (one instanceof Uint8Array ? Buffer.from(one).toString() : one))
    return texts.length > 0 && texts.every(isCertificate) ? Object.freeze(texts as string[]) : undefined
  }),
}

function isHttpOrigin(value: unknown): value is string {
  return (
    typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value && value.startsWith('http:')
  )
}

function isCertificate(value: unknown): boolean {
  try {
    return new X509Certificate(value as string).raw.length > 0
  } catch {
    return false
  }
}

/** The part of a request's options that says how its connection is made. */
export interface Connection {
  readonly agent: Agent | false
  readonly secureContext?: SecureContext
}

/** Chooses the connection of a request to a URL. */
export type Connect = (url: URL) => Connection

/** What {@link NetworkOptions} make. */
export interface Network {
  readonly httpOrigins: readonly string[]
  /** A connection of its own for each request. */
  readonly connect: Connect
  /** Persistent connections, at most so many to one place. */
  persistent(maxSockets: number): Connect
}

const OWNER = 'requireOAuthBearer'

/**
 * Makes the way to issuers. Warns once of each origin that is asked over http.
 *
 * @throws {OptionError} for options that contradict each other, and for a proxy that is not one.
 */
export function createNetwork(
  { dangerouslyAllowHttp, agent, useEnvProxy, ca }: ResolvedNetworkOptions,
  env: NodeJS.ProcessEnv = process.env,
): Network {
  if (agent !== undefined && useEnvProxy)
    fail('useEnvProxy', 'cannot be combined with "agent", which makes the connections')
  const secureContext = ca && createSecureContext({ ca: [...trustedCertificates(env), ...ca] })
  const secure = secureContext === undefined ? {} : { secureContext }
  const proxy = useEnvProxy ? envProxy(env) : undefined
  const isDirect = createNoProxy(variable(env, 'NO_PROXY') ?? '')
  for (const origin of dangerouslyAllowHttp) warnOfHttp(origin)

  function connectBy(plain: Connect, maxSockets: number | undefined): Connect {
    const settings = maxSockets === undefined ? { keepAlive: false } : { keepAlive: true, maxSockets }
    const tunnel = proxy && tunnelAgent({ proxy, secureContext, agent: settings })
    return (url) => {
      if (url.protocol !== 'https:') return plain(url)
      if (agent !== undefined) return { agent, ...secure }
      return tunnel === undefined || isDirect(url) ? { ...plain(url), ...secure } : { agent: tunnel, ...secure }
    }
  }

  return {
    httpOrigins: dangerouslyAllowHttp,
    connect: connectBy(() => ({ agent: false }), undefined),
    persistent(maxSockets) {
      const settings = { keepAlive: true, maxSockets }
      const agents = { 'http:': new HttpAgent(settings), 'https:': new HttpsAgent(settings) }
      return connectBy(({ protocol }) => ({ agent: agents[protocol as 'http:' | 'https:'] }), maxSockets)
    },
  }
}

/** What Node trusts by itself, `NODE_EXTRA_CA_CERTS` included. Node 20 cannot say. */
function trustedCertificates(env: NodeJS.ProcessEnv): readonly string[] {
  const list = (tls as { readonly getCACertificates?: (type: 'default') => string[] }).getCACertificates
  if (list !== undefined) return list('default')
  const { NODE_EXTRA_CA_CERTS: file } = env
  try {
    return file === undefined ? rootCertificates : [...rootCertificates, readFileSync(file, 'utf8')]
  } catch {
    // Node has warned of it at its start.
    return rootCertificates
  }
}

/**
 * How each connection is made with these options, for who asks an issuer without a gate.
 *
 * @throws {OptionError}
 */
export function createConnect(options: NetworkOptions): Connect {
  return createNetwork(resolveOptions(OWNER, options, networkRules)).connect
}

function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  // One that is empty is as good as none.
  return memberOf(env, name.toLowerCase()) || memberOf(env, name) || undefined
}

/** @throws {OptionError} Without the value: it may contain a password. */
function envProxy(env: NodeJS.ProcessEnv): URL | undefined {
  const value = variable(env, 'HTTPS_PROXY')
  if (value === undefined) return undefined
  if (URL.canParse(value)) {
    const url = new URL(value)
    if ((url.protocol === 'http:' || url.protocol === 'https:') && isDecodable(url.username + url.password)) return url
  }
  return fail(
    'useEnvProxy',
    'is true, but HTTPS_PROXY is not the URL of a proxy, such as http://proxy.example.com:3128',
  )
}

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

function fail(name: string, problem: string): never {
  throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', name, `${OWNER}: option "${name}" ${problem}`)
}

function warnOfHttp(origin: string): void {
  warnOnce({
    code: 'COUNTERSIGN_OAUTH_HTTP',
    cause: origin,
    message: `requireOAuthBearer contacts ${origin} over http: anyone on the network path can read tokens and replace keys`,
    remedy:
      "Use https, with 'ca' for a private authority. Use 'dangerouslyAllowHttp' only in a network that you fully control.",
  })
}
