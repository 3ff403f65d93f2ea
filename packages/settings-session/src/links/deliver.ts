import type { Audit } from '@countersign/core'
import { reportChange } from '../events.js'
import { misuse } from '../given.js'
import { isTag } from '../tokens.js'
import type { LinkReceipt, SensitiveLink } from './receipts.js'
import type { SensitiveUrl } from './sensitive-url.js'

/** Hands the URL, and the digits where the link needs them, to the person they are for. */
export type SendToUser = (url: SensitiveUrl, code?: string) => unknown

/**
 * Delivers a link and returns what the agent may see: the same four fields, whatever happened. What `send` throws or
 * returns may hold the link, so it is dropped; `delivered` and the audit event say that it failed.
 *
 * @throws {OptionError} for what is no link, or no function: then nothing was tried.
 */
export async function deliver<K extends string>(
  audit: Audit,
  link: SensitiveLink<K>,
  send: SendToUser,
): Promise<LinkReceipt<K>> {
  if (!isTag(link?.receipt?.linkId)) throw misuse('deliver', 'link', 'must be what issueLink or wrapUrl returned')
  if (typeof send !== 'function') throw misuse('deliver', 'send', 'must be a function that sends the URL to its user')
  let failure: string | undefined
  try {
    await send(link.url, link.code)
  } catch (error) {
    failure = error instanceof Error ? error.name : typeof error
  }
  const { type, linkId, expiresAt } = link.receipt
  reportChange(audit, 'settings.link.delivered', {
    id: linkId,
    ...(failure === undefined ? {} : { outcome: 'failure', severity: 'warning' }),
    attributes: { type, ...(failure === undefined ? {} : { error: failure }) },
  })
  return Object.freeze({ type, linkId, expiresAt, delivered: failure === undefined })
}
