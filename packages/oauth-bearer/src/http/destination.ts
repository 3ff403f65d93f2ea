import { lookup } from 'node:dns'
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net'
import { isLoopback } from '@countersign/core/gate-kit'
import { isSafeUrl } from './url-rule.js'

/** Addresses that are not on the public internet, or not unicast (the registries of RFC 6890). */
const notPublic = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4')
}
const publicIpv6 = new BlockList()
publicIpv6.addSubnet('2000::', 3, 'ipv6')
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6')
}

/** Whether an address is on the public internet. An IPv6 address that contains an IPv4 address is not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !notPublic.check(address, 'ipv4')
  return publicIpv6.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

/** Where a request goes, and how its host is resolved. */
export interface Destination {
  readonly url: URL
  /** Set for a host that is not configured: refuses addresses that are not public, also after DNS rebinding. */
  readonly lookup?: LookupFunction | undefined
}

/**
 * Where a URL from an issuer's metadata may lead. The hosts of the issuer and of its metadata, the configured hosts and the
 * origins that may be asked over http are trusted; others must be https on public addresses, so that a manipulated document
 * cannot make this server a client of its own network (SSRF). Undefined if it must not be asked. See decision 0022.
 */
export function destinationFromMetadata(
  text: unknown,
  own: readonly URL[],
  trustedHosts: readonly string[],
  httpOrigins: readonly string[] = [],
): Destination | undefined {
  if (typeof text !== 'string' || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (!isSafeUrl(url, httpOrigins)) return undefined
  if (httpOrigins.includes(url.origin)) return { url }
  if (isLoopback(url.hostname)) return own.some(({ hostname }) => isLoopback(hostname)) ? { url } : undefined
  if (own.some(({ hostname }) => hostname === url.hostname) || trustedHosts.includes(url.hostname)) return { url }
  if (url.protocol !== 'https:') return undefined
  if (isIP(hostOf(url)) !== 0) return isPublicAddress(hostOf(url)) ? { url } : undefined
  return { url, lookup: lookupPublic }
}

/** As `dns.lookup`, but an address that is not public is an error. */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0)
    const isSafe = addresses.length > 0 && addresses.every(({ address }) => isPublicAddress(address))
    if (!isSafe)
      return callback(Object.assign(new Error('not a public address'), { code: 'ERR_COUNTERSIGN_SSRF' }), '', 0)
    const [first] = addresses
    if (options.all === true) callback(null, addresses)
    else callback(null, first?.address ?? '', first?.family)
  })
}
