import { randomInt } from 'node:crypto'
import type { Audit } from '@countersign/core'
import { memberOf, partitionOf } from '@countersign/core/gate-kit'
import { grantChange } from '../events.js'
import { type Given, givenFields, givenText, misuse, userIn } from '../given.js'
import type { SettingsUser } from '../principal.js'
import { parseReturnTo, pathTo, type Site } from '../site.js'
import { userKey } from '../store/keys.js'
import type { LinkContent, LinkDisplay, LinkStore } from '../store/port.js'
import { mintTag, mintToken } from '../tokens.js'
import { checkMetadata, type KindAndMetadata, type KindValidators, type NoKinds } from './kinds.js'
import { codeHashOf } from './open-cookie.js'
import { type SensitiveLink, sensitiveLink } from './receipts.js'
import { SensitiveUrl } from './sensitive-url.js'

/** Whom a link is for, and what it opens. */
export type LinkRequest<M extends object = NoKinds> = SettingsUser & {
  /** The agent on whose behalf the app offers the link; shown on the confirm page. */
  readonly agentId?: string | undefined
  /** What the confirm page shows: the account's name, what will be opened or connected, what for, and the chat's title. */
  readonly display?: LinkDisplay | undefined
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

const METHOD = 'issueLink'
const FIELDS = ['platform', 'team', 'userId', 'agentId', 'returnTo', 'kind', 'metadata', 'display']
const DISPLAY_FIELDS = ['account', 'app', 'purpose', 'chat']
const MAX_DISPLAY_LENGTH = 100
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
  const given = givenFields(METHOD, 'request', request, FIELDS)
  const [agentId, returnTo] = [memberOf(given, 'agentId'), memberOf(given, 'returnTo')]
  const place = returnTo === undefined ? undefined : parseReturnTo(returnTo, site)
  if (returnTo !== undefined && place === undefined) {
    throw misuse(METHOD, 'returnTo', `must be a path below ${pathTo(site, '')}`)
  }
  return {
    user: userIn(METHOD, given),
    ...(agentId === undefined ? {} : { agentId: givenText(METHOD, 'agentId', agentId) }),
    ...(place === undefined ? {} : { returnTo: place }),
    ...kindOf(kinds, given),
    ...displayOf(memberOf(given, 'display')),
  }
}

function displayOf(display: unknown): Pick<LinkContent, 'display'> {
  if (display === undefined) return {}
  const given = givenFields(METHOD, 'display', display, DISPLAY_FIELDS)
  const texts = DISPLAY_FIELDS.flatMap((name) => {
    const text = memberOf(given, name)
    return text === undefined ? [] : [[name, givenText(METHOD, `display.${name}`, text, MAX_DISPLAY_LENGTH)]]
  })
  return { display: Object.fromEntries(texts) as LinkDisplay }
}

function kindOf(kinds: KindValidators, given: Given): Pick<LinkContent, 'kind' | 'metadata'> {
  const kind = givenText(METHOD, 'kind', memberOf(given, 'kind') ?? 'settings')
  const checked = checkMetadata(kinds, kind, memberOf(given, 'metadata'))
  if (checked === undefined) throw misuse(METHOD, 'kind', 'is unknown here, or its metadata is not valid')
  if (checked.metadata === undefined) return { kind }
  const json = JSON.stringify(checked.metadata)
  if (json === undefined || json.length > MAX_METADATA_LENGTH) {
    throw misuse(METHOD, 'metadata', 'must be JSON of at most 8 KiB')
  }
  return { kind, metadata: JSON.parse(json) as unknown }
}
