import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { audit as defaultAudit, OptionError, UnavailableError } from '@countersign/core'
import express, { Router } from 'express'
import { createFeed } from './feed.js'
import { layout } from './html.js'
import { credentialsPage, decisionsPage, healthPage, messagePage, oldKeysPage, sessionsPage } from './pages.js'
import { createStreams } from './streams.js'

const ASSETS = fileURLToPath(new URL('public', import.meta.url))
const ROWS = 100
const PEOPLE = 50
const CREDENTIALS = 50

/** No script, no style and no picture but ours, nothing inline, in no frame. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // With no-referrer, browsers would send `Origin: null` with our own forms.
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
}

/**
 * What the gates of an app decide, and who may come, for its operators. Mount it behind a gate: who gets here may revoke.
 *
 * - `operator(request)`: who is let in, by name. It is in the event of everything that they do. Without a name: 403.
 * - `audit`: the emitter of the gates. Default: the process-wide one.
 * - `credentials`, `settings`, `secrets`: the registries and the store of secrets whose state is shown.
 * - `legacy`: gates that accept an old key, by name.
 * - `issuers`: those whose health is shown before anything is known of it.
 * - `signOut`: where a form that signs the operator out is sent.
 * - `key`: at least 32 bytes, the same in all processes that answer at this address. Default: random.
 */
export function createConsole(options) {
  const { operator, audit = defaultAudit, credentials, settings, secrets, legacy = {}, issuers = [], signOut } = options
  const { key = randomBytes(32) } = options
  if (typeof operator !== 'function') throw new TypeError('createConsole: "operator" must be a function of the request')
  if (Buffer.byteLength(key) < 32) throw new TypeError('createConsole: "key" must have at least 32 bytes')
  const feed = createFeed(audit)
  const stream = createStreams(feed)
  const router = Router()

  /** What a form must carry: nobody else's page can know it, and it is another one for each operator. */
  const tokenOf = (name) => createHmac('sha256', key).update(name).digest('base64url')

  function viewOf(request) {
    const name = operator(request)
    const query = new URL(request.originalUrl, 'http://localhost').search.slice(1)
    const troubles = feed.health.troubles()
    return { base: request.baseUrl, operator: name, token: tokenOf(name), signOut, query, troubles }
  }

  function send(response, view, place, title, content) {
    response.type('html').send(String(layout(view, place, title, content)))
  }

  router.use((_request, response, next) => {
    response.set(HEADERS)
    next()
  })
  router.use('/assets', express.static(ASSETS, { index: false }))
  // The gate may be missing, or one that lets through who shows nothing: who has no name sees nothing, the events included.
  router.use((request, response, next) => {
    const name = operator(request)
    if (typeof name === 'string' && name !== '') return next()
    response.status(403).type('text').send('Nothing is shown without an operator: mount the console behind a gate.')
  })

  router.get('/', (request, response) => {
    const view = viewOf(request)
    const filter = filterOf(request.query)
    const { entries, seq } = feed.since(0, filter, ROWS)
    const parts = { entries, seq, filter, gates: feed.gates(), seconds: feed.lastMinute(), query: queryOf(filter) }
    send(response, view, '/', 'Decisions', decisionsPage(view, parts))
  })
  router.get('/events', (request, response) => stream(request, response, filterOf(request.query)))

  router.get('/old-keys', async (request, response) => {
    const view = viewOf(request)
    const gates = Object.entries(legacy).map(async ([name, gate]) => ({ name, uses: [...(await gate.legacyUsage())] }))
    send(response, view, '/old-keys', 'Old keys', oldKeysPage(view, await Promise.all(gates)))
  })

  router.get('/sessions', async (request, response) => {
    const view = viewOf(request)
    const text = textIn(request.query, 'text')
    const seen = feed.people()
    const alike = text === undefined ? seen : seen.filter((id) => nameOf(id).includes(text))
    // The store is asked about a whole id, seen or not, also when others have it in theirs.
    const whole = idOf(userOf(text))
    const found = whole === undefined ? alike : [whole, ...alike.filter((id) => id !== whole)]
    const pages = Math.max(1, Math.ceil(found.length / PEOPLE))
    const page = Math.min(pages, Math.max(1, Math.trunc(Number(textIn(request.query, 'page'))) || 1))
    const shown = found.slice((page - 1) * PEOPLE, page * PEOPLE)
    const lists = await Promise.all(shown.map((id) => sessionsOf(id)))
    const since = `since ${new Date(feed.startedAt).toISOString().slice(0, 16).replace('T', ' ')} UTC`
    const parts = { sessions: lists.flat(), page, pages, count: seen.length, text, since }
    send(response, view, '/sessions', 'Sessions', sessionsPage(view, parts))
  })

  async function sessionsOf(id) {
    const user = userOf(id)
    if (user === undefined || settings === undefined) return []
    const sessions = await settings.list(user)
    if (sessions.length === 0) feed.forgetPerson(id)
    return sessions
  }

  router.get('/credentials', async (request, response) => {
    const view = viewOf(request)
    const [thread, provider, cursor] = ['thread', 'provider', 'cursor'].map((name) => textIn(request.query, name))
    const list = { threadId: thread, providerInstanceId: provider, cursor, limit: CREDENTIALS }
    const page = (await credentials?.list(list)) ?? { credentials: [], cursor: undefined }
    const parts = { ...page, thread, provider, isFirst: cursor === undefined }
    send(response, view, '/credentials', 'Credentials', credentialsPage(view, parts))
  })

  router.get('/health', async (request, response) => {
    const view = viewOf(request)
    const parts = {
      issuers: feed.health.issuers(issuers),
      outages: feed.health.outages(),
      secrets: await secretsNow(),
      sinks: audit.stats().sinks,
    }
    send(response, view, '/health', 'Health', healthPage(view, parts))
  })

  /** Undefined when the store cannot be asked: this page is for such an hour. */
  async function secretsNow() {
    try {
      return (await secrets?.list())?.slice(0, 500) ?? []
    } catch (error) {
      if (error instanceof UnavailableError) return undefined
      throw error
    }
  }

  /** A change of state: `change` makes it, in the name of the operator, and says whether there was anything to change. */
  function onPost(path, back, change) {
    router.post(path, express.urlencoded({ extended: false, limit: '8kb' }), async (request, response) => {
      const view = viewOf(request)
      const body = request.body ?? {}
      if (!isOwn(request) || !isSame(body._csrf, view.token)) {
        response.status(403)
        const text =
          'Nothing was changed. The form is of another page or another operator, or older than this process. Load the page again.'
        return send(response, view, back, 'Not accepted', messagePage(view, 'Not accepted', text))
      }
      const isDone = await change(body, { operator: view.operator })
      const query = new URLSearchParams(textIn(body, 'back') ?? '')
      if (isDone) return response.redirect(303, `${view.base}${back}${query.size > 0 ? `?${query}` : ''}`)
      response.status(404)
      const text = 'There was nothing to revoke: it has ended, or somebody else has revoked it.'
      send(response, view, back, 'Nothing there', messagePage(view, 'Nothing there', text))
    })
  }

  onPost('/credentials/revoke', '/credentials', ({ id }, by) => credentials?.revoke(String(id), by))
  onPost('/credentials/revoke-thread', '/credentials', ({ thread }, by) =>
    credentials?.revokeThread(String(thread), by),
  )
  onPost('/sessions/revoke', '/sessions', ({ id }, by) => settings?.revoke(String(id), by))
  onPost('/sessions/revoke-all', '/sessions', async (body, by) => {
    const user = userOf(textIn(body, 'user'))
    if (user === undefined) return false
    await settings?.revokeAll(user, by)
    return settings !== undefined
  })

  router.use((error, request, response, next) => {
    const isOutage = error instanceof UnavailableError
    if (response.headersSent || (!isOutage && !(error instanceof OptionError))) return next(error)
    const [status, title, text] = isOutage
      ? [
          503,
          'Not known now',
          'The store cannot be asked. If you have revoked something, it may be done or not: do it again.',
        ]
      : [400, 'Not understood', error.message]
    const view = viewOf(request)
    response.status(status)
    send(response, view, request.path, title, messagePage(view, title, text))
  })
  return router
}

/** Whether a form is sent by a page of this host, as far as the browser says it. */
function isOwn(request) {
  const site = request.get('sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  const origin = request.get('origin')
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === request.get('host'))
}

function isSame(given, expected) {
  const [one, other] = [Buffer.from(String(given)), Buffer.from(expected)]
  return one.length === other.length && timingSafeEqual(one, other)
}

/** A field of a query or a body, when it is a text and not empty. */
function textIn(fields, name) {
  const value = fields[name]
  return typeof value === 'string' && value.trim() !== '' && value.length <= 2048 ? value.trim() : undefined
}

function filterOf(query) {
  return Object.fromEntries(['outcome', 'gate', 'kind', 'text'].map((name) => [name, textIn(query, name)]))
}

function queryOf(filter) {
  return new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined)).toString()
}

/** An id as a person writes it. An event may have cut it in the middle of an escape. */
function nameOf(id) {
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}

/** The id of a user's principal. */
function idOf(user) {
  if (user === undefined) return undefined
  const { platform, team, userId } = user
  return [platform, team, userId]
    .filter((part) => part !== undefined)
    .map(encodeURIComponent)
    .join(':')
}

/** The user of a principal's id: `platform:userId`, or `platform:team:userId`, each percent-encoded. */
function userOf(id) {
  const parts = id?.split(':') ?? []
  if (parts.length < 2 || parts.length > 3 || parts.includes('')) return undefined
  try {
    const [platform, ...rest] = parts.map(decodeURIComponent)
    const userId = rest.pop()
    return rest.length === 0 ? { platform, userId } : { platform, team: rest[0], userId }
  } catch {
    return undefined
  }
}
