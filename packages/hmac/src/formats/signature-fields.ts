import {
  type Dictionary,
  type InnerList,
  type Item,
  isInnerList,
  parseDictionary,
  serializeDictionary,
  serializeInnerList,
} from 'structured-headers'
import type { DeclaredDigest } from './format.js'
import { isCaller, parseVersion } from './grammar.js'
import { parsePlainDictionary } from './plain-dictionary.js'

const MAX_FIELD_LENGTH = 4096
const MAX_SECONDS = 99_999_999_999
const PARAMETERS = new Set(['created', 'expires', 'nonce', 'alg', 'keyid', 'tag'])
const DERIVED = new Set(['@method', '@authority', '@path', '@query'])
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/
const NONCE = /^[\x20-\x7e]{1,256}$/

/** The one signature of a request that counts. */
export interface ParsedSignature {
  readonly components: readonly string[]
  /** `@signature-params`, as it is signed. */
  readonly parameters: string
  readonly caller: string
  readonly version: number
  readonly created: number
  readonly expires: number | undefined
  readonly nonce: string
  readonly signature: Uint8Array
}

/**
 * A dictionary (RFC 9651 §3.2) in the form that a serialiser prints. What prints differently held a key twice, which a
 * parser would pass over in silence, and is refused.
 */
function parseStrictly(text: string): Dictionary | undefined {
  if (text === '' || text.length > MAX_FIELD_LENGTH) return undefined
  return parsePlainDictionary(text) ?? parseByLibrary(text)
}

function parseByLibrary(text: string): Dictionary | undefined {
  try {
    const dictionary = parseDictionary(text)
    return serializeDictionary(dictionary) === text ? dictionary : undefined
  } catch {
    return undefined
  }
}

function bytesOf(member: Item | InnerList | undefined): Uint8Array | undefined {
  if (member === undefined || isInnerList(member) || member[1].size > 0) return undefined
  const [value] = member
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value instanceof Uint8Array ? value : undefined
}

/** Finds the one signature with our tag; undefined for anything outside the profile. Never throws. */
export function parseSignatureFields(input: string, signature: string, tag: string): ParsedSignature | undefined {
  const inputs = parseStrictly(input)
  const signatures = parseStrictly(signature)
  if (inputs === undefined || signatures === undefined) return undefined
  const ours = [...inputs].filter(([, member]) => isInnerList(member) && member[1].get('tag') === tag)
  const [label, list] = (ours.length === 1 ? ours[0] : undefined) ?? []
  if (label === undefined || list === undefined || !isInnerList(list)) return undefined
  const bytes = bytesOf(signatures.get(label))
  const components = componentsOf(list)
  const parameters = parametersOf(list)
  if (bytes?.length !== 32 || components === undefined || parameters === undefined) return undefined
  // Alone in its field, it stands there as it is printed.
  const text = inputs.size === 1 ? input.slice(label.length + 1) : serializeInnerList(list)
  return { components, parameters: text, signature: bytes, ...parameters }
}

/** Identifiers without parameters, none twice. */
function componentsOf([items]: InnerList): readonly string[] | undefined {
  const names: string[] = []
  for (const [name, parameters] of items) {
    if (typeof name !== 'string' || parameters.size > 0 || names.includes(name)) return undefined
    if (!DERIVED.has(name) && !FIELD_NAME.test(name)) return undefined
    names.push(name)
  }
  return names
}

function parametersOf([, parameters]: InnerList) {
  for (const name of parameters.keys()) if (!PARAMETERS.has(name)) return undefined
  const created = parameters.get('created')
  const expires = parameters.get('expires')
  const nonce = parameters.get('nonce')
  const alg = parameters.get('alg')
  const keyid = parameters.get('keyid')
  if (!isSeconds(created) || (expires !== undefined && !isSeconds(expires))) return undefined
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return undefined
  if (alg !== undefined && alg !== 'hmac-sha256') return undefined
  const [caller = '', versionText = '', ...rest] = typeof keyid === 'string' ? keyid.split('/') : []
  const version = parseVersion(versionText)
  if (!isCaller(caller) || version === undefined || rest.length > 0) return undefined
  return { caller, version, created, expires, nonce }
}

function isSeconds(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SECONDS
}

const DIGESTS = [
  { name: 'sha-256', algorithm: 'sha256', length: 32 },
  { name: 'sha-512', algorithm: 'sha512', length: 64 },
] as const

/** The digests of `Content-Digest` (RFC 9530 §2) that we can compute; undefined when there is none, or a wrong one. */
export function parseContentDigest(text: string): readonly DeclaredDigest[] | undefined {
  const dictionary = parseStrictly(text)
  if (dictionary === undefined) return undefined
  const found: DeclaredDigest[] = []
  for (const { name, algorithm, length } of DIGESTS) {
    if (!dictionary.has(name)) continue
    const value = bytesOf(dictionary.get(name))
    if (value?.length !== length) return undefined
    found.push({ algorithm, value })
  }
  return found.length > 0 ? found : undefined
}
