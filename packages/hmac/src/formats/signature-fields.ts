import { quote } from '@countersign/core/gate-kit'
import { type Item, type Member, type Parameters, parseDictionary } from './dictionary.js'
import { ambiguousPart, type DeclaredDigest, malformedPart, malformedTime, type UnreadableClaim } from './format.js'
import { FIELD_NAME_PATTERN, isCaller, parseVersion } from './grammar.js'

const MAX_SECONDS = 99_999_999_999
const DERIVED = new Set(['@method', '@authority', '@path', '@query'])
const NONCE = /^[\x20-\x7e]{1,256}$/

/** The one signature of a request that counts. */
export interface ParsedSignature {
  readonly components: readonly string[]
  /** `@signature-params`, as it is signed: in the one spelling that a serialiser prints (RFC 9421 §2.3). */
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

/**
 * Finds the one signature with our tag among the lines of `Signature-Input` and `Signature` (RFC 9421 §4); for anything
 * outside the profile, the first part that is. Undefined where every signature is of another application: one that a proxy
 * adds (§4.3) is none of ours. A `Signature` whose input is missing is not known to be of another. Never throws.
 */
export function parseSignatureFields(
  inputLines: readonly string[],
  signatureLines: readonly string[],
  tag: string,
): ParsedSignature | UnreadableClaim | undefined {
  const inputs = membersOf(inputLines)
  if (inputs === undefined) return unreadable(inputLines, 'signature-input')
  const signatures = signatureLines.length === 0 ? NO_MEMBERS : membersOf(signatureLines)
  if (signatures === undefined) return unreadable(signatureLines, 'signature')
  const [label, second] = labelsOf(inputs, tag)
  if (label === undefined) return hasAll(inputs, signatures) ? undefined : malformedPart('signature-input')
  if (second !== undefined) return malformedPart('tag')
  const list = inputs.get(label) as Member
  const bytes = bytesOf(signatures.get(label))
  if (bytes?.length !== 32) return malformedPart('signature')
  // Each label has a member in both fields (RFC 9421 §4): one that has lost it could be any signature.
  if (!hasAll(inputs, signatures)) return ambiguousPart('signature-input')
  if (!hasAll(signatures, inputs)) return ambiguousPart('signature')
  const components = componentsOf(list)
  const parameters = parametersOf(list.parameters)
  if (components === undefined) return malformedPart('components')
  if ('unreadable' in parameters) return parameters
  return { components, parameters: serialised(list, components), signature: bytes, ...parameters }
}

type Members = ReadonlyMap<string, Member>

const NO_MEMBERS: Members = new Map()

/** The members of all lines of a field (RFC 9651 §4.2). A line by itself is a dictionary, and no key comes twice. */
function membersOf(lines: readonly string[]): Members | undefined {
  if (lines.length <= 1) return parseDictionary(lines[0] ?? '')
  const all = new Map<string, Member>()
  for (const line of lines) {
    const members = parseDictionary(line)
    if (members === undefined) return undefined
    for (const [key, member] of members) {
      if (all.has(key)) return undefined
      all.set(key, member)
    }
  }
  return all
}

/** Of several lines another reader may take another one. */
function unreadable(lines: readonly string[], part: string): UnreadableClaim {
  return lines.length > 1 ? ambiguousPart(part) : malformedPart(part)
}

/** The labels of the signatures that have the tag. */
function labelsOf(inputs: Members, tag: string): readonly string[] {
  const labels: string[] = []
  for (const [label, { parameters }] of inputs) if (parameters.get('tag') === tag) labels.push(label)
  return labels
}

/** Whether every label of `some` is one of `all`. */
function hasAll(all: Members, some: Members): boolean {
  for (const label of some.keys()) if (!all.has(label)) return false
  return true
}

function bytesOf(member: Member | undefined): Uint8Array | undefined {
  return member?.value instanceof Uint8Array && member.parameters.size === 0 ? member.value : undefined
}

function isInnerList(value: Member['value']): value is readonly Item[] {
  return Array.isArray(value)
}

/** Of lists that came before: one that comes again is the same object. */
const knownComponents = new WeakMap<readonly Item[], readonly string[]>()

/** Identifiers without parameters, none twice. */
function componentsOf({ value: items }: Member): readonly string[] | undefined {
  if (!isInnerList(items)) return undefined
  const known = knownComponents.get(items)
  if (known !== undefined) return known
  const components = readComponents(items)
  if (components !== undefined) knownComponents.set(items, components)
  return components
}

function readComponents(items: readonly Item[]): readonly string[] | undefined {
  const names = new Set<string>()
  for (const { value: name, parameters } of items) {
    if (typeof name !== 'string' || parameters.size > 0 || names.has(name)) return undefined
    if (!DERIVED.has(name) && !FIELD_NAME_PATTERN.test(name)) return undefined
    names.add(name)
  }
  return [...names]
}

/** The list of components with its parameters, in their order, as RFC 9651 §4.1.1.1 prints it. */
function serialised({ printed, parameters }: Member, components: readonly string[]): string {
  if (printed !== undefined) return printed
  let text = components.length === 0 ? '()' : `("${components.join('" "')}")`
  for (const [name, value] of parameters) text += `;${name}=${typeof value === 'string' ? quote(value) : String(value)}`
  return text
}

type SignatureParameters = Pick<ParsedSignature, 'caller' | 'version' | 'created' | 'expires' | 'nonce'>

function parametersOf(parameters: Parameters): SignatureParameters | UnreadableClaim {
  const created = parameters.get('created')
  const expires = parameters.get('expires')
  const nonce = parameters.get('nonce')
  const alg = parameters.get('alg')
  const keyid = parameters.get('keyid')
  // The tag has been looked at.
  let known = 1
  for (const value of [created, expires, nonce, alg, keyid]) if (value !== undefined) known += 1
  if (known !== parameters.size) return malformedPart('parameters')
  if (!isSeconds(created)) return malformedTime('created', created)
  if (expires !== undefined && !isSeconds(expires)) return malformedTime('expires', expires)
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return malformedPart('nonce')
  if (alg !== undefined && alg !== 'hmac-sha256') return malformedPart('alg')
  if (typeof keyid !== 'string') return malformedPart('keyid')
  // Neither a caller nor a version has a "/".
  const slash = keyid.indexOf('/')
  const caller = keyid.slice(0, slash)
  const version = parseVersion(keyid.slice(slash + 1))
  if (slash === -1 || !isCaller(caller) || version === undefined) return malformedPart('keyid')
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
  if (member === undefined) return undefined
  const components = componentsOf(member)
  if (components === undefined) return undefined
  const tag = member.parameters.get('tag')
  return { tag: typeof tag === 'string' ? tag : undefined, components }
}
