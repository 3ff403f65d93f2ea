import { csrfTokenOf } from '../csrf.js'
import { pathTo } from '../site.js'
import type { StoredSession } from '../store/port.js'
import type { Token } from '../tokens.js'
import type { RouteContext } from './context.js'
import { namedBy } from './named-user.js'
import { type PageReply, page } from './outcome.js'

/** Whether the session is good for a release alone. */
export function isReleasable({ claim }: StoredSession): boolean {
  return claim?.answer === 'taken' || claim?.answer === 'released'
}

/** The page of a person whose identity is another user's: it can be released. Nothing on it names that user. */
export function releasePage(
  { site, maySignIn }: Pick<RouteContext, 'site' | 'maySignIn'>,
  { text }: Token,
  session: StoredSession,
): PageReply {
  return page('release', {
    ...namedBy(session),
    action: pathTo(site, '/oauth/release'),
    fields: { _csrf: csrfTokenOf(text) },
    returns: maySignIn,
  })
}
