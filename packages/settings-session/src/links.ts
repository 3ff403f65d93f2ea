import { randomInt } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { partitionOf } from '@countersign/core/gate-kit'
import type { Engine } from './engine.js'
import { pathTo } from './engine.js'
import type { KindAndMetadata } from './kinds.js'
import { codeHashOf } from './open-cookie.js'
import { principalId, type SettingsUser, userKey } from './principal.js'
import { type SensitiveLink, sensitiveLink } from './receipts.js'
import { parseReturnTo } from './return-to.js'
import { SensitiveUrl } from './sensitive-url.js'
import type { LinkContent } from './stores/store.js'
import { mintTag, mintToken } from './tokens.js'

/** Whom a link is for, and what it opens. */
export type LinkRequest<M extends object> = SettingsUser & {
  /** The agent on whose behalf the app offers the link; shown on the confirm page. */
  readonly agentId?: string
  /** A path below `baseUrl` to go to when the session is open. */
  readonly returnTo?: string
} & KindAndMetadata<M>

const FIELDS = ['platform', 'team', 'userId', 'agentId', 'returnTo', 'kind', 'metadata']

/** @throws {OptionError} for a request that is wrong, before anything is stored. */
export async function issueLink<K extends string>(engine: Engine, request: unknown): Promise<SensitiveLink<K>> {
  const { options, limits, origin } = engine
  const content = contentOf(engine, request)
  const link = mintToken('l', mintTag(partitionOf(userKey(content.user))))
  const code = options.confirmCode ? String(randomInt(1_000_000)).padStart(6, '0') : undefined
  const { expiresAt } = await options.store.issueLink({
    ref: link,
    content,
    ttlMs: options.linkTtlMs,
    epochTtlMs: options.linkTtlMs + limits.absoluteMs,
    codeHash: code === undefined ? undefined : codeHashOf(link, code),
  })
  engine.emit({
    type: 'settings.link.issued',
    owasp: 'session_created',
    principal: { kind: 'settings-session', id: principalId(content.user) },
    credential: { id: link.tag },
    attributes: { kind: content.kind, ...(content.agentId === undefined ? {} : { agent: content.agentId }) },
  })
  const url = new SensitiveUrl(`${origin}${pathTo(engine, '')}?s=${link.text}`)
  const receipt = {
    type: `${content.kind as K}_link` as const,
    linkId: link.tag,
    expiresAt: new Date(expiresAt).toISOString(),
    delivered: false,
  }
  return sensitiveLink(url, receipt, code)
}

function contentOf(engine: Engine, request: unknown): LinkContent {
  if (request === null || typeof request !== 'object') throw wrong('request', 'must be an object')
  const given = request as Readonly<Record<string, unknown>>
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) throw wrong(unknown, `is not known. The fields are: ${FIELDS.join(', ')}`)
  const { team, agentId, returnTo, kind = 'settings' } = given
  const user: SettingsUser = {
    platform: text('platform', given.platform),
    ...(team === undefined ? {} : { team: text('team', team) }),
    userId: text('userId', given.userId),
  }
  const place = parseReturnTo(returnTo ?? pathTo(engine, ''), engine.origin, engine.path)
  if (place === undefined) throw wrong('returnTo', `must be a path below ${pathTo(engine, '')}`)
  return {
    user,
    kind: text('kind', kind),
    ...(agentId === undefined ? {} : { agentId: text('agentId', agentId) }),
    ...(returnTo === undefined ? {} : { returnTo: place }),
    ...metadataPart(engine, kind, given.metadata),
  }
}

function metadataPart(engine: Engine, kind: unknown, metadata: unknown): { metadata?: unknown } {
  const checked = checkMetadata(engine, kind, metadata)
  if (checked === undefined) throw wrong('kind', `is not one that this engine opens with such metadata`)
  if (checked.metadata === undefined) return {}
  const json = JSON.stringify(checked.metadata)
  if (json === undefined || json.length > 8192) throw wrong('metadata', 'must be JSON of at most 8 KiB')
  return { metadata: JSON.parse(json) as unknown }
}

/** The metadata as its kind's validator returns it; undefined when the kind is unknown or the metadata is not valid. */
export function checkMetadata(
  { options }: Engine,
  kind: unknown,
  metadata: unknown,
): { metadata?: unknown } | undefined {
  if (kind === 'settings') return metadata === undefined ? {} : undefined
  const kinds = options.kinds ?? {}
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) return undefined
  try {
    return { metadata: kinds[kind]?.(metadata) }
  } catch {
    return undefined
  }
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= 256 && value.isWellFormed()) return value
  throw wrong(name, 'must be a string of 1 to 256 characters')
}

/** The value is not shown: it may be anything, a token too. */
function wrong(name: string, why: string): OptionError {
  return new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', name, `issueLink: "${name}" ${why}`)
}
