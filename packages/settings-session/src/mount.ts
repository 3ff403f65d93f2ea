import { warnOnce } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { isLinkQuery } from './links/link-query.js'
import { pathTo, type Site } from './site.js'

/**
 * Warns once when the routes run elsewhere than at the path of `baseUrl`: the links lead there. A proxy may take a
 * prefix off the path, so an end of that path is a good place, too, unless the request itself shows the whole path.
 */
export function tellOfPlace({ baseUrl, originalUrl }: Request, site: Site): void {
  if (typeof baseUrl !== 'string' || baseUrl.toLowerCase() === site.path.toLowerCase()) return
  if (site.path.endsWith(baseUrl) && !isBelow(originalUrl, site.path)) return
  warnOnce({
    code: 'COUNTERSIGN_SETTINGS_MISPLACED',
    cause: pathTo(site, ''),
    message: () =>
      `settings.routes() is mounted at ${JSON.stringify(baseUrl.slice(0, 100) || '/')}, but its links lead to ${pathTo(site, '')}`,
    remedy: `Mount it where baseUrl says: app.use('${pathTo(site, '')}', settings.routes()). Or correct baseUrl.`,
  })
}

function isBelow(url: string, path: string): boolean {
  const [own = ''] = url.split('?', 1)
  return path !== '' && (own === path || own.startsWith(`${path}/`))
}

/** Warns once when the gate refuses what is for the routes: a link that is being opened. A refusal alone calls it. */
export function tellOfOrder(request: Request, site: Site): void {
  const [url = ''] = request.originalUrl.split('?', 1)
  const path = url.replace(/(?<=.)\/$/, '')
  const isLink = path === pathTo(site, '') && isLinkQuery(request.query)
  const isOpening = path === pathTo(site, '/open') && (request.method === 'GET' || request.method === 'POST')
  if (!isLink && !isOpening) return
  warnOnce({
    code: 'COUNTERSIGN_SETTINGS_ROUTES_BEHIND_GATE',
    cause: pathTo(site, ''),
    message: 'requireSettingsSession refused a request that opens a link, so nobody can get a session',
    remedy: 'Mount settings.routes() before the gate.',
  })
}

/** Warns once of a body that something read and did not parse: a form or a JSON document that this package needs. */
export function tellOfBody(reader: string, type: string): void {
  warnOnce({
    code: 'COUNTERSIGN_SETTINGS_NOT_PARSED',
    cause: `${reader} ${type}`,
    message: `${reader} got a body of ${type} that is not in req.body, so the request was refused`,
    remedy:
      reader === 'requireSettingsSession'
        ? 'The CSRF token may be in it. Mount express.urlencoded() or express.json() before the gate, or send X-CSRF-Token.'
        : 'Something read it without parsing it. Mount settings.routes() before that, or use a parser of forms and JSON instead.',
  })
}
