import { type ClientRequest, request as httpRequest } from 'node:http'
import { type AgentOptions, Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, type SecureContext, connect as tlsConnect } from 'node:tls'

/** For as long the proxy may be silent before it has connected. The deadline of the request itself is shorter. */
const SILENCE_MS = 30_000

/** An agent whose TLS connections go through a proxy. `secureContext` is for a proxy that is asked over https. */
export interface TunnelOptions {
  readonly proxy: URL
  readonly secureContext: SecureContext | undefined
  readonly agent: AgentOptions
}

/**
 * Makes an agent for https requests through a proxy: CONNECT, then TLS with the server itself (RFC 9110 §9.3.6). The proxy
 * sees the server's name and no more. An error has a `code` that begins with `PROXY_`.
 */
export function tunnelAgent({ proxy, secureContext, agent: options }: TunnelOptions): HttpsAgent {
  const agent = new HttpsAgent(options)
  const { username, password } = proxy
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const authorization = username === '' ? {} : { 'proxy-authorization': `Basic ${credentials}` }

  function askProxy(authority: string): ClientRequest {
    const isHttps = proxy.protocol === 'https:'
    return (isHttps ? httpsRequest : httpRequest)({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port === '' ? (isHttps ? 443 : 80) : proxy.port,
      method: 'CONNECT',
      path: authority,
      agent: false,
      timeout: SILENCE_MS,
      headers: { host: authority, ...authorization },
      ...(isHttps && secureContext !== undefined ? { secureContext } : {}),
    })
  }

  const createConnection = (target: ConnectionOptions, callback: (error: Error | null, socket?: Duplex) => void) => {
    const { host = '', port = 443, servername = isIP(host) === 0 ? host : '' } = target
    const asked = askProxy(`${isIPv6(host) ? `[${host}]` : host}:${port}`)
    asked.on('connect', ({ statusCode }, socket, head) => {
      socket.setTimeout(0)
      // A server that speaks before TLS does is not one.
      if (statusCode === 200 && head.length === 0) {
        callback(null, tlsConnect({ ...target, host, servername, ALPNProtocols: ['http/1.1'], socket }))
      } else {
        socket.destroy()
        callback(proxyError(statusCode === 200 ? 'EARLY_DATA' : `${statusCode}`))
      }
    })
    asked.on('timeout', () => asked.destroy(proxyError('ETIMEDOUT')))
    asked.on('error', (error: NodeJS.ErrnoException) => {
      callback(error.code?.startsWith('PROXY_') ? error : proxyError(error.code ?? 'FAILED'))
    })
    asked.end()
  }
  return Object.assign(agent, { createConnection })
}

function proxyError(what: string): NodeJS.ErrnoException {
  return Object.assign(new Error('the proxy did not connect'), { code: `PROXY_${what}` })
}
