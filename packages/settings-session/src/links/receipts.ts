import { randomInt } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { PARTITIONS } from '@countersign/core/gate-kit'
import { isTag, mintTag } from '../tokens.js'
import { SensitiveUrl } from './sensitive-url.js'

/** What an agent gets in place of a link: the same four fields, whatever happened. */
export interface LinkReceipt<K extends string = string> {
  readonly type: `${K}_link`
  /** Public: it names the link in events and opens nothing. */
  readonly linkId: string
  /** ISO 8601, UTC. */
  readonly expiresAt: string
  /** Whether the app's `send` took the link. */
  readonly delivered: boolean
}

/** A link on its way to its user. As JSON it is its receipt. */
export interface SensitiveLink<K extends string = string> {
  readonly url: SensitiveUrl
  /** The digits that the page asks for, when the link needs them. Show them in the chat, apart from the link. */
  readonly code?: string | undefined
  readonly receipt: LinkReceipt<K>
}

/** The link with everything but its receipt hidden from JSON, spread and logs. */
export function sensitiveLink<K extends string>(
  url: SensitiveUrl,
  receipt: LinkReceipt<K>,
  code?: string,
): SensitiveLink<K> {
  const link = { receipt: Object.freeze(receipt) } as SensitiveLink<K>
  Object.defineProperty(link, 'url', { value: url })
  Object.defineProperty(link, 'code', { value: code })
  return Object.freeze(link)
}

const TYPE = /^([a-z][a-z0-9_-]{0,31})_link$/

/**
 * Reads a receipt that came over a wire, on the side of the worker that asked for the link; undefined for anything else.
 * `kind` admits one kind alone.
 */
export function parseReceipt<K extends string = string>(value: unknown, kind?: K): LinkReceipt<K> | undefined {
  const parsed = typeof value === 'string' ? parseJson(value) : value
  if (parsed === null || typeof parsed !== 'object' || Object.keys(parsed).length !== 4) return undefined
  const { type, linkId, expiresAt, delivered } = parsed as Partial<Record<string, unknown>>
  if (typeof type !== 'string' || TYPE.exec(type) === null) return undefined
  if (kind !== undefined && type !== `${kind}_link`) return undefined
  if (!isTag(linkId) || typeof delivered !== 'boolean') return undefined
  if (typeof expiresAt !== 'string' || !isInstant(expiresAt)) return undefined
  return Object.freeze({ type: type as `${K}_link`, linkId, expiresAt, delivered })
}

function parseJson(text: string): unknown {
  if (text.length > 1024) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isInstant(text: string): boolean {
  const date = new Date(text)
  return !Number.isNaN(date.getTime()) && date.toISOString() === text
}

/**
 * Wraps any other URL that must reach a person and no agent, such as a provider's authorization URL, so that `deliver`
 * takes it. `kind` is the receipt's.
 *
 * @throws {OptionError} for a kind that is not a word.
 * @throws {TypeError} for what is not a URL.
 */
export function wrapUrl<const K extends string>(kind: K, url: string | URL, expiresAt: Date): SensitiveLink<K> {
  const type = `${kind}_link` as const
  if (TYPE.exec(type) === null) {
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'kind', 'wrapUrl: "kind" must be a word of a-z 0-9 _ and -')
  }
  const linkId = mintTag(randomInt(PARTITIONS))
  return sensitiveLink(new SensitiveUrl(url), { type, linkId, expiresAt: expiresAt.toISOString(), delivered: false })
}
