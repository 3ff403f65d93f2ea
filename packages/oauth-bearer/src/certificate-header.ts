import { BlockList, isIP } from 'node:net'
import { fieldLines, isAsyncFunction, option, resolveOptions } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { type ClientCertificate, certificateDigest, type FindCertificate } from './proof/certificate.js'

/**
 * How a proxy writes the certificate. `'client-cert'`: RFC 9440, `:<base64 of DER>:`. `'xfcc'`: Envoy's `X-Forwarded-Client-Cert`
 * with one element, of which `Cert` counts, or `Hash` alone. `'pem'`: a PEM block, percent-encoded, such as nginx's
 * `$ssl_client_escaped_cert`.
 */
export type CertificateFormat = 'client-cert' | 'xfcc' | 'pem'

/** Options of {@link certificateFromHeader}. */
export interface CertificateHeaderOptions {
  readonly format: CertificateFormat
  /** Default `Client-Cert` for `'client-cert'`, `X-Forwarded-Client-Cert` for `'xfcc'`; without default for `'pem'`. */
  readonly header?: string | undefined
  /**
   * Whose header counts: the addresses and networks (CIDR) of the proxies, which are compared with the peer of the connection and
   * never with `X-Forwarded-For`; or a function, for proxies that connect by a Unix socket or authenticate otherwise.
   */
  readonly trust: readonly string[] | ((request: Request) => boolean)
}

type Trust = (request: Request) => boolean

const HEADERS = { 'client-cert': 'client-cert', xfcc: 'x-forwarded-client-cert', pem: undefined } as const
const FIELD = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/

const headerRule = option.string(FIELD, 'the name of a header field')

const rules = {
  format: option.oneOf('client-cert', 'xfcc', 'pem').required(),
  header: headerRule,
  trust: option
    .custom<Trust>('a function, or a list of addresses and networks such as 10.0.0.0/8', (value) =>
      typeof value === 'function' ? asked(value as Trust) : peersOf(value),
    )
    .required(),
}

/**
 * Finds the certificate of a client in the header field that a trusted proxy writes, for the option `mtls.certificate`. The
 * proxy must remove the field from what clients send. From any other peer the field says nothing.
 *
 * @throws {OptionError}
 * @example
 * requireOAuthBearer({ resource, issuer, mtls: { certificate: certificateFromHeader({ format: 'client-cert', trust: ['10.0.0.0/8'] }) } })
 */
export function certificateFromHeader(options: CertificateHeaderOptions): FindCertificate {
  const owner = 'certificateFromHeader'
  const { format, trust, ...rest } = resolveOptions(owner, options, rules)
  const named = { header: rest.header ?? HEADERS[format] }
  const { header: name } = resolveOptions(owner, named, { header: headerRule.required() })
  const field = name.toLowerCase()
  const read = READERS[format]
  return (request) => {
    if (!trust(request)) return undefined
    const [text, ...others] = fieldLines(request, field)
    return text === undefined || others.length > 0 ? undefined : read(text)
  }
}

/** A promise is no answer. */
function asked(trust: Trust): Trust | undefined {
  return isAsyncFunction(trust) ? undefined : (request) => trust(request) === true
}

function peersOf(value: unknown): Trust | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  const peers = new BlockList()
  for (const one of value) if (!addPeer(peers, one)) return undefined
  return ({ socket }) => {
    const { remoteAddress: address } = socket
    return address !== undefined && peers.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
}

function addPeer(peers: BlockList, peer: unknown): boolean {
  if (typeof peer !== 'string') return false
  const [address = '', bits, ...others] = peer.split('/')
  const version = isIP(address)
  const width = bits === undefined ? undefined : /^(?:0|[1-9]\d{0,2})$/.test(bits) ? Number(bits) : -1
  const most = version === 6 ? 128 : 32
  if (version === 0 || others.length > 0 || (width !== undefined && (width < 0 || width > most))) return false
  peers.addSubnet(address, width ?? most, version === 6 ? 'ipv6' : 'ipv4')
  return true
}

const READERS: Readonly<Record<CertificateFormat, (text: string) => ClientCertificate | undefined>> = {
  'client-cert': fromClientCert,
  xfcc: fromXfcc,
  pem: unescaped,
}

/** RFC 9440 §2.1: a byte sequence (RFC 9651 §3.3.5). */
function fromClientCert(text: string): Uint8Array | undefined {
  const base64 = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(text.trim())?.[1]
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64')
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** One `key=value`, quoted or not, and what ends it. */
const PAIR = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))(;|,|$)/y

/** Several elements are of several proxies: which of them is the client's own is not said. */
function fromXfcc(text: string): ClientCertificate | undefined {
  const found = new Map<string, string>()
  PAIR.lastIndex = 0
  let end: string | undefined = ';'
  while (end === ';') {
    const [, key, quoted, plain, separator] = PAIR.exec(text) ?? []
    if (key === undefined) return undefined
    const name = key.toLowerCase()
    // A certificate can have several URIs and DNS names.
    if (found.has(name) && (name === 'cert' || name === 'hash')) return undefined
    found.set(name, quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
    end = separator
  }
  if (end !== '') return undefined
  const hash = /^[0-9a-f]{64}$/i.exec(found.get('hash') ?? '')?.[0]
  const sha256 = hash === undefined ? undefined : Buffer.from(hash, 'hex')
  const cert = found.get('cert')
  if (cert === undefined) return sha256 && { sha256 }
  const pem = unescaped(cert)
  const digest = certificateDigest(pem)
  return sha256 === undefined || (digest !== undefined && sha256.equals(digest)) ? pem : undefined
}
