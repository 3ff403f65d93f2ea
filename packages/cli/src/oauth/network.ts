import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { isSecureUrl } from '@countersign/core/gate-kit'
import type { Connect, NetworkOptions } from '@countersign/oauth-bearer/explain'
import type { Command } from 'commander'
import { collect } from '../command.js'

/** What a command line says of the network. */
export interface NetworkWords {
  readonly allowHttp?: readonly string[]
  readonly metadataUrl?: string
  readonly envProxy?: boolean
}

/** Adds the options that {@link networkFromOptions} reads, and `--metadata-url`. */
export function addNetworkOptions(command: Command): Command {
  return command
    .option('--allow-http <origin>', 'an exact origin that may be contacted over http; may be repeated', collect)
    .option('--metadata-url <url>', "where this machine finds the issuer's metadata, such as an internal address")
    .option('--env-proxy', 'use the proxy in HTTPS_PROXY, except for the hosts in NO_PROXY')
}

/** The gate's options of the network that a command line describes. */
export function networkFromOptions({ allowHttp, envProxy }: NetworkWords): NetworkOptions {
  return { dangerouslyAllowHttp: allowHttp, useEnvProxy: envProxy }
}

/** Whether a URL may be asked: over https, on this machine, or at an origin that is allowed. */
export function isAllowed(url: URL, httpOrigins: readonly string[]): boolean {
  return isSecureUrl(url) || (url.protocol === 'http:' && httpOrigins.includes(url.origin))
}

/** As `fetch` without redirects, over these connections: Node 20 has no `fetch` that knows a proxy. */
export function fetchOver(connect: Connect): typeof fetch {
  return async (input, init) => {
    const { url, method, headers, body, signal } = new Request(input, init)
    const sent = body === null ? undefined : Buffer.from(await new Response(body).arrayBuffer())
    return new Promise((resolve, reject) => {
      const target = new URL(url)
      const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
        method,
        headers: { accept: '*/*', ...Object.fromEntries(headers), 'content-length': sent?.length ?? 0 },
        signal,
        ...connect(target),
      })
      // The reason of a signal is what `fetch` rejects with.
      request.on('error', (cause) => reject(signal.aborted ? signal.reason : new TypeError('fetch failed', { cause })))
      request.on('response', (answer) => {
        const { statusCode: status = 0, rawHeaders: raw } = answer
        const fields = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : []))
        const hasBody = ![204, 205, 304].includes(status)
        if (!hasBody) answer.resume()
        const stream = hasBody ? (Readable.toWeb(answer) as ReadableStream<Uint8Array>) : null
        resolve(new Response(stream, { status, headers: fields }))
      })
      request.end(sent)
    })
  }
}
