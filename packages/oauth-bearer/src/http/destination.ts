import { lookup } from 'node:dns'
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net'

/** Not reachable from the public internet, or not unicast (the registries of RFC 6890). */
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

/** Whether an address belongs to the public internet. An IPv6 address that wraps an IPv4 one does not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !notPublic.check(address, 'ipv4')
  return publicIpv6.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

export function isLoopback(url: URL): boolean {
  const host = hostOf(url)
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** Whether a URL may carry keys and tokens: https, or http on this machine; no credentials in it, no fragment. */
export function isSafeUrl(url: URL): boolean {
  const isTransportSafe = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
  return isTransportSafe && url.username === '' && url.password === '' && url.hash === ''
}

/** Where a request goes, and how its host is looked up. */
export interface Destination {
  readonly url: URL
  /** Set for a host that nobody configured: refuses addresses that are not public, so that a name can't be rebound. */
  readonly lookup?: LookupFunction
}

/**
 * Where a URL that the issuer's own metadata names may lead. The issuer's host and the hosts that were configured are
 * trusted, others must be https on public addresses: a document that was tampered with must not make this server a
 * client of its own network (SSRF). Undefined when it may not be asked.
 */
export function destinationFromMetadata(
  text: unknown,
  issuer: URL,
  trustedHosts: readonly string[],
): Destination | undefined {
  if (typeof text !== 'string' || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (!isSafeUrl(url)) return undefined
  if (isLoopback(url)) return isLoopback(issuer) ? { url } : undefined
  if (url.hostname === issuer.hostname || trustedHosts.includes(url.hostname)) return { url }
  if (url.protocol !== 'https:') return undefined
  if (isIP(hostOf(url)) !== 0) return isPublicAddress(hostOf(url)) ? { url } : undefined
  return { url, lookup: lookupPublic }
}

/** As `dns.lookup`, but an answer with an address that is not public is an error. */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0)
    const isSafe = addresses.length > 0 && addresses.every(({ address }) => isPublicAddress(address))
    if (!isSafe) return callback(Object.assign(new Error('not a public address'), { code: 'ERR_COUNTERSIGN_SSRF' }), '', 0)
    const [first] = addresses
    if (options.all === true) callback(null, addresses)
    else callback(null, first?.address ?? '', first?.family)
  })
}
