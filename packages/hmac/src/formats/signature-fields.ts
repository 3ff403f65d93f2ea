import { type Item, type Member, type Parameters, parseDictionary } from './dictionary.js'
import type { DeclaredDigest } from './format.js'
import { isCaller, parseVersion } from './grammar.js'

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
  /** Seconds since the epoch. */
  readonly created: number
  /** Seconds since the epoch, exclusive. */
  readonly expires: number | undefined
  readonly nonce: string
  /** 32 bytes. */
  readonly signature: Uint8Array
}

/** The part of `Signature-Input` and `Signature` that is outside the profile. */
export type SignaturePart = 'signature-input' | 'signature' | 'components' | SignatureParameter
type SignatureParameter = 'created' | 'expires' | 'nonce' | 'alg' | 'keyid' | 'tag' | 'parameters'

/**
 * Finds the one signature with our tag in `Signature-Input` and `Signature` (RFC 9421 §4). For anything outside the
 * profile, the first part that is. Never throws.
 */
export function parseSignatureFields(input: string, signature: string, tag: string): ParsedSignature | SignaturePart {
  const inputs = parseDictionary(input)
  const signatures = parseDictionary(signature)
  if (inputs === undefined) return 'signature-input'
  if (signatures === undefined) return 'signature'
  const label = onlyLabel(inputs, tag)
  const list = label === undefined ? undefined : inputs.get(label)
  if (label === undefined || list === undefined) return 'tag'
  const bytes = bytesOf(signatures.get(label))
  const components = componentsOf(list)
  const parameters = parametersOf(list.parameters)
  if (bytes?.length !== 32) return 'signature'
  if (components === undefined) return 'components'
  if (typeof parameters === 'string') return parameters
  return { components, parameters: list.text, signature: bytes, ...parameters }
}

/** The label of the one signature that has the tag. */
function onlyLabel(inputs: ReadonlyMap<string, Member>, tag: string): string | undefined {
  let found: string | undefined
  for (const [label, { parameters }] of inputs) {
    if (parameters.get('tag') !== tag) continue
    if (found !== undefined) return undefined
    found = label
  }
  return found
}

function bytesOf(member: Member | undefined): Uint8Array | undefined {
  return member?.value instanceof Uint8Array && member.parameters.size === 0 ? member.value : undefined
}

function isInnerList(value: Member['value']): value is readonly Item[] {
  return Array.isArray(value)
}

/** Identifiers without parameters, none twice. */
function componentsOf({ value: items }: Member): readonly string[] | undefined {
  if (!isInnerList(items)) return undefined
  const names = new Set<string>()
  for (const { value: name, parameters } of items) {
    if (typeof name !== 'string' || parameters.size > 0 || names.has(name)) return undefined
    if (!DERIVED.has(name) && !FIELD_NAME.test(name)) return undefined
    names.add(name)
  }
  return [...names]
}

type SignatureParameters = Pick<ParsedSignature, 'caller' | 'version' | 'created' | 'expires' | 'nonce'>

function parametersOf(parameters: Parameters): SignatureParameters | SignatureParameter {
  for (const name of parameters.keys()) if (!PARAMETERS.has(name)) return 'parameters'
  const created = parameters.get('created')
  const expires = parameters.get('expires')
  const nonce = parameters.get('nonce')
  const alg = parameters.get('alg')
  const keyid = parameters.get('keyid')
  if (!isSeconds(created)) return 'created'
  if (expires !== undefined && !isSeconds(expires)) return 'expires'
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return 'nonce'
  if (alg !== undefined && alg !== 'hmac-sha256') return 'alg'
  const [caller = '', versionText = '', ...rest] = typeof keyid === 'string' ? keyid.split('/') : []
  const version = parseVersion(versionText)
  if (!isCaller(caller) || version === undefined || rest.length > 0) return 'keyid'
  return { caller, version, created, expires, nonce }
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_SECONDS
}

const DIGESTS = [
  { name: 'sha-256', algorithm: 'sha256', length: 32 },
  { name: 'sha-512', algorithm: 'sha512', length: 64 },
] as const

/** The digests of `Content-Digest` (RFC 9530 §2) that we can compute; undefined when there is none, or a wrong one. */
export function parseContentDigest(text: string): readonly DeclaredDigest[] | undefined {
  const dictionary = parseDictionary(text)
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

/** What a signature covers, or should. */
export interface SignatureCoverage {
  readonly tag: string | undefined
  readonly components: readonly string[]
}

/**
 * Reads what the first signature of `Signature-Input` covers, or what `Accept-Signature` asks for (RFC 9421 §4.1, §5.1).
 * Undefined for what is not a dictionary with a list of component names.
 */
export function parseCoverage(field: string): SignatureCoverage | undefined {
  const [member] = parseDictionary(field)?.values() ?? []
  const components = member === undefined ? undefined : componentsOf(member)
  if (member === undefined || components === undefined) return undefined
  const tag = member.parameters.get('tag')
  return { tag: typeof tag === 'string' ? tag : undefined, components }
}
