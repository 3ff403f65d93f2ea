import type { NamedUser } from '../pages/page-options.js'
import { platformName } from '../pages/platforms.js'
import type { SettingsUser } from '../principal.js'
import type { LinkContent } from '../store/port.js'

/** A user as a page names them. */
export function named({ platform, userId }: SettingsUser): NamedUser {
  return { platform: platformName(platform), user: mask(userId) }
}

/** The user of a session, by the name that the app gave to show; masked without it. */
export function namedBy({ user, display }: Pick<LinkContent, 'user' | 'display'>): NamedUser {
  const masked = named(user)
  return display?.account === undefined ? masked : { ...masked, user: display.account }
}

/** A name that its owner recognises and that tells others little: its ends, and a fixed number of dots. */
function mask(name: string): string {
  const characters = Array.from(name)
  const last = characters.length > 4 ? characters.at(-1) : ''
  return `${characters[0] ?? ''}•••${last}`
}
