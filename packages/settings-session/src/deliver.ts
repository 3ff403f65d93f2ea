import type { Engine } from './engine.js'
import type { LinkReceipt, SensitiveLink } from './receipts.js'
import type { SensitiveUrl } from './sensitive-url.js'

/** Hands the URL, and the digits where the link needs them, to the person it is for. */
export type SendToUser = (url: SensitiveUrl, code?: string) => unknown

/**
 * Delivers a link and returns what the agent may see: the same four fields, whatever happened. What `send` throws or
 * returns may hold the link, so it goes nowhere; `delivered` and the audit event say that it failed.
 */
export async function deliver<K extends string>(
  engine: Engine,
  link: SensitiveLink<K>,
  send: SendToUser,
): Promise<LinkReceipt<K>> {
  let delivered = true
  let failure: string | undefined
  try {
    await send(link.url, link.code)
  } catch (error) {
    delivered = false
    failure = error instanceof Error ? error.name : typeof error
  }
  const { type, linkId, expiresAt } = link.receipt
  engine.emit({
    type: 'settings.link.delivered',
    ...(delivered ? {} : { outcome: 'failure' as const, severity: 'warning' as const }),
    credential: { id: linkId },
    attributes: { type, ...(failure === undefined ? {} : { error: failure }) },
  })
  return Object.freeze({ type, linkId, expiresAt, delivered })
}
