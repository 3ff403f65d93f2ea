import type { X509Certificate } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { OptionError } from '@countersign/core'
import { isAsyncFunction, option, type RuleBuilder, resolveOptions } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { isJsonObject } from './strict-encoding.js'

/** `'accepted'`: tokens that are bound to a certificate, and others. `'required'`: tokens that are bound to a certificate alone. */
export type MtlsMode = 'accepted' | 'required'

/** A client's certificate: DER bytes, one PEM block, Node's own object, or only the SHA-256 of its DER bytes. */
export type ClientCertificate = Uint8Array | string | X509Certificate | { readonly sha256: Uint8Array }

/**
 * How a proxy writes the certificate. `'client-cert'`: RFC 9440, `:<base64 of DER>:`. `'xfcc'`: Envoy's `X-Forwarded-Client-Cert`
 * with one element, of which `Cert` counts, or `Hash` alone. `'pem'`: a PEM block, percent-encoded, such as nginx's
 * `$ssl_client_escaped_cert`.
 */
export type CertificateFormat = 'client-cert' | 'xfcc' | 'pem'

/** The header field in which a proxy says which certificate the client has. */
export interface CertificateHeader {
  readonly format: CertificateFormat
  /** Default `Client-Cert` for `'client-cert'`, `X-Forwarded-Client-Cert` for `'xfcc'`; needed for `'pem'`. */
  readonly name?: string | undefined
  /**
   * Whose header field counts: the addresses and networks (CIDR) of the proxies, compared with the peer of the connection and
   * never with `X-Forwarded-For`; or a function, for proxies that connect by a Unix socket or authenticate otherwise.
   */
  readonly trust: readonly string[] | ((request: Request) => boolean)
}

/** How the certificates of clients are found, for tokens that are bound to one (RFC 8705). */
export interface MtlsOptions {
  /** Default `'accepted'`. */
  readonly mode?: MtlsMode | undefined
  /**
   * Finds the certificate with which the client authenticated its connection. Default: that of the TLS connection, where this
   * process ends it. The server must ask for it (`requestCert`).
   */
  readonly certificate?: ((request: Request) => ClientCertificate | undefined) | undefined
  /** For a proxy that ends TLS. It must remove the field from what clients send. */
  readonly header?: CertificateHeader | undefined
}

/** A {@link CertificateHeader} that was checked. */
export interface CheckedCertificateHeader {
  readonly format: CertificateFormat
  /** In lower case. */
  readonly field: string
  readonly isTrusted: Trust
}

/** The options with their defaults. */
export interface CheckedMtlsOptions {
  readonly mode: MtlsMode
  readonly certificate: MtlsOptions['certificate']
  readonly header: CheckedCertificateHeader | undefined
}

type Trust = (request: Request) => boolean

const OWNER = 'requireOAuthBearer'
const FIELDS = { 'client-cert': 'Client-Cert', xfcc: 'X-Forwarded-Client-Cert', pem: undefined } as const

const rules = {
  mode: option.oneOf('accepted', 'required').default('accepted'),
  certificate: option.syncFunc<(request: Request) => ClientCertificate | undefined>(),
  header: option.custom<object>('an object of format and trust', (value) => (isJsonObject(value) ? value : undefined)),
}

const nameRule = option.string(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'the name of a header field')

const headerRules = {
  format: option.oneOf('client-cert', 'xfcc', 'pem').required(),
  name: nameRule,
  trust: option
    .custom<Trust>('a function, or a list of addresses and networks such as 10.0.0.0/8', (value) =>
      typeof value === 'function' ? asked(value as Trust) : peersOf(value),
    )
    .required(),
}

/** The rule of the gate's `mtls`. */
export function mtlsRule(): RuleBuilder<MtlsMode | false | MtlsOptions> {
  return option.custom<MtlsMode | false | MtlsOptions>("false, 'accepted', 'required' or an object", (value) =>
    value === false || value === 'accepted' || value === 'required' || isJsonObject(value)
      ? (value as MtlsMode)
      : undefined,
  )
}

/**
 * The gate's `mtls` with its defaults; undefined where it is off.
 *
 * @throws {OptionError}
 */
export function checkMtlsOptions(mtls: MtlsMode | false | MtlsOptions | undefined): CheckedMtlsOptions | undefined {
  if (mtls === undefined || mtls === false) return undefined
  const given = typeof mtls === 'string' ? { mode: mtls } : mtls
  const { header, ...rest } = resolveOptions(OWNER, given, rules, 'mtls.')
  if (header === undefined) return { ...rest, header }
  if (rest.certificate !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'mtls.certificate',
      `${OWNER}: options "mtls.certificate" and "mtls.header" both say where the certificate is: remove one of them`,
    )
  }
  return { ...rest, header: checkHeader(header) }
}

function checkHeader(header: object): CheckedCertificateHeader {
  const { format, trust: isTrusted, name: given } = resolveOptions(OWNER, header, headerRules, 'mtls.header.')
  const named = { name: given ?? FIELDS[format] }
  const { name } = resolveOptions(OWNER, named, { name: nameRule.required() }, 'mtls.header.')
  return { format, field: name.toLowerCase(), isTrusted }
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
