import { csrfTokenOf } from '../csrf.js'
import type { SettingsUser } from '../principal.js'
import { pathTo, type Site } from '../site.js'
import type { StoredSession } from '../store/port.js'
import type { Token } from '../tokens.js'
import { named } from './named-user.js'
import { type PageReply, page } from './outcome.js'

/** Whether the session is good for a release alone. */
export function isReleasable({ claim }: StoredSession): boolean {
  return claim?.answer === 'taken' || claim?.answer === 'released'
}

/** The page of a person whose identity is another user's: it can be released. Nothing on it names that user. */
export function releasePage(site: Site, session: Token, user: SettingsUser): PageReply {
  return page('release', {
    ...named(user),
    action: pathTo(site, '/oauth/release'),
    fields: { _csrf: csrfTokenOf(session.text) },
  })
}
