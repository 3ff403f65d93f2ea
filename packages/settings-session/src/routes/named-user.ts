import type { NamedUser } from '../pages/page-options.js'
import { platformName } from '../pages/platforms.js'
import type { SettingsUser } from '../principal.js'

/** A user as a page names them. */
export function named({ platform, userId }: SettingsUser): NamedUser {
  return { platform: platformName(platform), user: mask(userId) }
}

/** A name that its owner recognises and that tells others little: its ends, and a fixed number of dots. */
function mask(name: string): string {
  const characters = Array.from(name)
  const last = characters.length > 4 ? characters.at(-1) : ''
  return `${characters[0] ?? ''}•••${last}`
}
