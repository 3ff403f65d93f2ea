import { randomInt } from 'node:crypto'
import { type Audit, OptionError } from '@countersign/core'
import { memberOf, partitionOf } from '@countersign/core/gate-kit'
import { grantChange } from '../events.js'
import type { SettingsUser } from '../principal.js'
import { parseReturnTo, pathTo, type Site } from '../site.js'
import { userKey } from '../store/keys.js'
import type { LinkContent, LinkStore } from '../store/port.js'
import { mintTag, mintToken } from '../tokens.js'
import { checkMetadata, type KindAndMetadata, type KindValidators, type NoKinds } from './kinds.js'
import { codeHashOf } from './open-cookie.js'
import { type SensitiveLink, sensitiveLink } from './receipts.js'
import { SensitiveUrl } from './sensitive-url.js'

/** Whom a link is for, and what it opens. */
export type LinkRequest<M extends object = NoKinds> = SettingsUser & {
  /** The agent on whose behalf the app offers the link; shown on the confirm page. */
  readonly agentId?: string | undefined
  /** A path below `baseUrl` to go to when the session is open. */
  readonly returnTo?: string | undefined
} & KindAndMetadata<M>

/** What links are made with. */
export interface LinkIssuer {
  readonly site: Site
  readonly store: Pick<LinkStore, 'issueLink'>
  readonly kinds: KindValidators
  readonly linkTtlMs: number
  /** Milliseconds that the longest session lasts. */
  readonly sessionTtlMs: number
  readonly confirmCode: boolean
  readonly audit: Audit
}

const FIELDS = ['platform', 'team', 'userId', 'agentId', 'returnTo', 'kind', 'metadata']
const MAX_METADATA_LENGTH = 8192

/**
 * Makes a link.
 *
 * @throws {OptionError} for a wrong request, before anything is stored.
 */
export async function issueLink<K extends string>(issuer: LinkIssuer, request: unknown): Promise<SensitiveLink<K>> {
  const { site, store, kinds, linkTtlMs, sessionTtlMs, confirmCode, audit } = issuer
  const content = contentOf(request, site, kinds)
  const link = mintToken('l', mintTag(partitionOf(userKey(content.user))))
  const code = confirmCode ? String(randomInt(1_000_000)).padStart(6, '0') : undefined
  const { expiresAt } = await store.issueLink({
    ref: link,
    content,
    ttlMs: linkTtlMs,
    epochTtlMs: linkTtlMs + sessionTtlMs,
    codeHash: code === undefined ? undefined : codeHashOf(link, code),
  })
  const { user, kind, agentId } = content
  const attributes = { kind, ...(agentId === undefined ? {} : { agent: agentId }) }
  // A link that was not recorded was handed to nobody, and cannot be guessed: it ends by itself.
  await grantChange(audit, 'settings.link.issued', { user, id: link.tag, attributes }, () => undefined)
  const url = new SensitiveUrl(`${site.origin}${pathTo(site, '')}?s=${link.text}`)
  const receipt = {
    type: `${kind as K}_link` as const,
    linkId: link.tag,
    expiresAt: new Date(expiresAt).toISOString(),
    delivered: false,
  }
  return sensitiveLink(url, receipt, code)
}

function contentOf(request: unknown, site: Site, kinds: KindValidators): LinkContent {
  if (request === null || typeof request !== 'object') throw wrong('request', 'must be an object')
  const given = request as Readonly<Record<string, unknown>>
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) throw wrong(unknown, `is not known. The fields are: ${FIELDS.join(', ')}`)
  const [team, agentId, returnTo] = [memberOf(given, 'team'), memberOf(given, 'agentId'), memberOf(given, 'returnTo')]
  const kind = memberOf(given, 'kind') ?? 'settings'
  const user: SettingsUser = {
    platform: text('platform', memberOf(given, 'platform')),
    ...(team === undefined ? {} : { team: text('team', team) }),
    userId: text('userId', memberOf(given, 'userId')),
  }
  const place = returnTo === undefined ? undefined : parseReturnTo(returnTo, site)
  if (returnTo !== undefined && place === undefined) throw wrong('returnTo', `must be a path below ${pathTo(site, '')}`)
  return {
    user,
    kind: text('kind', kind),
    ...(agentId === undefined ? {} : { agentId: text('agentId', agentId) }),
    ...(place === undefined ? {} : { returnTo: place }),
    ...metadataPart(kinds, kind, memberOf(given, 'metadata')),
  }
}

function metadataPart(kinds: KindValidators, kind: unknown, metadata: unknown): { metadata?: unknown } {
  const checked = checkMetadata(kinds, kind, metadata)
  if (checked === undefined) throw wrong('kind', 'is unknown here, or its metadata is not valid')
  if (checked.metadata === undefined) return {}
  const json = JSON.stringify(checked.metadata)
  if (json === undefined || json.length > MAX_METADATA_LENGTH) throw wrong('metadata', 'must be JSON of at most 8 KiB')
  return { metadata: JSON.parse(json) as unknown }
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= 256 && value.isWellFormed()) return value
  throw wrong(name, 'must be a string of 1 to 256 characters')
}

/** The value is not shown: it may be anything, even a token. */
function wrong(name: string, why: string): OptionError {
  return new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', name, `issueLink: "${name}" ${why}`)
}
