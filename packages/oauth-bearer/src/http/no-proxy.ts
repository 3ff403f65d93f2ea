import { BlockList, isIP, isIPv6 } from 'node:net'

/**
 * Makes the test of whether a URL is reached without the proxy, by the list in `NO_PROXY` as curl and Go read it: host names,
 * which stand for their subdomains, too; addresses and networks (`10.0.0.0/8`); each with a port if need be; `*` for all.
 */
export function createNoProxy(list: string): (url: URL) => boolean {
  const entries = list.toLowerCase().split(/[\s,]+/)
  const matchers = entries.filter((entry) => entry !== '').map(matcherOf)
  return (url) => matchers.some((matches) => matches(url.hostname.replace(/^\[|\]$|\.$/g, ''), portOf(url)))
}

type Matches = (host: string, port: number) => boolean

function portOf({ port, protocol }: URL): number {
  return port === '' ? DEFAULT_PORTS[protocol as 'http:' | 'https:'] : Number(port)
}

const DEFAULT_PORTS = { 'http:': 80, 'https:': 443 }
const ENTRY = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:]*))(?::(?<port>\d{1,5}))?$/

function matcherOf(entry: string): Matches {
  if (entry === '*') return () => true
  const { bracketed, plain, port } = (isIPv6(entry.split('/')[0] ?? '') ? undefined : ENTRY.exec(entry)?.groups) ?? {}
  const text = bracketed ?? plain ?? entry
  const matchesHost = addressMatcher(text) ?? nameMatcher(text)
  return (host, at) => matchesHost(host) && (port === undefined || Number(port) === at)
}

function nameMatcher(text: string): (host: string) => boolean {
  const name = text.replace(/^\*?\./, '')
  return (host) => name !== '' && (host === name || host.endsWith(`.${name}`))
}

/** Undefined for what is no address and no network. */
function addressMatcher(text: string): ((host: string) => boolean) | undefined {
  const [address = '', length] = text.split('/')
  const family = isIP(address)
  if (family === 0) return undefined
  const type = family === 4 ? 'ipv4' : 'ipv6'
  const bits = family === 4 ? 32 : 128
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  // A typing error must not send everything past the proxy.
  if (!(prefix <= bits)) return () => false
  const network = new BlockList()
  network.addSubnet(address, prefix, type)
  return (host) => isIP(host) === family && network.check(host, type)
}
