import { isPromise } from '@countersign/core/gate-kit'
import type { SettingsSessionPrincipal, SettingsUser } from '../principal.js'
import type { SensitiveUrl } from './sensitive-url.js'

/** The kinds of a registry that has no other kind than `settings`: the default of {@link LinkRequest} and its like. */
export type NoKinds = Record<never, never>

/** What validates a kind's metadata: returns it, or throws. A zod schema's `parse` is one. It is not async. */
export type LinkKinds<M extends object> = { readonly [K in keyof M]: (value: unknown) => M[K] }

/** {@link LinkKinds} of kinds that are not known to the compiler. */
export type KindValidators = Readonly<Record<string, (value: unknown) => unknown>>

/** The kind of a link and its metadata. Without a kind it is a link to the settings, which has none. */
export type KindAndMetadata<M extends object> =
  | { readonly kind?: 'settings' | undefined; readonly metadata?: undefined }
  | { [K in keyof M]: { readonly kind: K; readonly metadata: M[K] } }[keyof M]

/** A session that has become active. */
export type OpenedSession<M extends object = NoKinds> = { readonly principal: SettingsSessionPrincipal } & (
  | { readonly kind: 'settings'; readonly metadata?: undefined }
  | { [K in keyof M]: { readonly kind: K; readonly metadata: M[K] } }[keyof M]
)

/** The person who opened a link said that it is not theirs. It is void, and nothing was opened. */
export interface NotMe {
  /** Whom the link was for. */
  readonly user: SettingsUser
  readonly linkId: string
  readonly agentId?: string | undefined
}

/** Where the person goes next, when not to the settings: to a provider's authorization URL, say. */
export type OpenResult = { readonly goTo: string | URL | SensitiveUrl } | undefined

/** What the app does when a session has become active. */
export type OnOpen<M extends object> = (opened: OpenedSession<M>) => OpenResult | Promise<OpenResult>

/** The metadata as its kind's validator returns it; undefined when the kind is unknown or the metadata is not valid. */
export function checkMetadata(
  kinds: KindValidators,
  kind: unknown,
  metadata: unknown,
): { readonly metadata?: unknown } | undefined {
  if (kind === 'settings') return metadata === undefined ? {} : undefined
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) return undefined
  try {
    const checked = kinds[kind]?.(metadata)
    if (!isPromise(checked)) return { metadata: checked }
    // A promise is no metadata. What it rejects with must not end the process.
    checked.then(undefined, () => undefined)
    return undefined
  } catch {
    return undefined
  }
}
