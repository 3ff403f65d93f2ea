import type { SettingsSessionPrincipal } from './principal.js'
import type { SensitiveUrl } from './sensitive-url.js'

/** What validates a kind's metadata: returns it, or throws. A zod schema's `parse` is one. */
export type LinkKinds<M extends object> = { readonly [K in keyof M]: (value: unknown) => M[K] }

/** The kind of a link and its metadata. Without a kind it is a link to the settings, which has none. */
export type KindAndMetadata<M extends object> =
  | { readonly kind?: 'settings'; readonly metadata?: undefined }
  | { [K in keyof M]: { readonly kind: K; readonly metadata: M[K] } }[keyof M]

/** A session that has become active. */
export type OpenedSession<M extends object> = { readonly principal: SettingsSessionPrincipal } & (
  | { readonly kind: 'settings'; readonly metadata?: undefined }
  | { [K in keyof M]: { readonly kind: K; readonly metadata: M[K] } }[keyof M]
)

/** Where the person goes next, when not to the settings: a provider's authorization URL, say. */
export type OpenResult = { readonly goTo: string | URL | SensitiveUrl } | undefined

export type OnOpen<M extends object> = (opened: OpenedSession<M>) => OpenResult | Promise<OpenResult>
