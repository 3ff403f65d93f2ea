import { fileURLToPath } from 'node:url'
import type { Audit, AuditEvent } from '@countersign/audit'
import express, { type RequestHandler, Router } from 'express'
import helmet from 'helmet'
import { rows } from '../duel/callers.js'
import type { World } from '../duel/world.js'
import { renderPage } from './render.js'

/** The page, and what it is sent: answers, audit events, warnings, and what the bot says in the chat. */
export interface Page {
  readonly routes: Router
  close(): void
}

/** Found from src and from dist alike. */
const PUBLIC = fileURLToPath(new URL('../../public', import.meta.url))
const RECENT = 50

const self = ["'self'"]
const policy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: self,
    styleSrc: self,
    imgSrc: [...self, 'data:'],
    connectSrc: self,
    formAction: self,
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
}

/** The page at `/`. */
export function createPage(world: World, audit: Audit): Page {
  const feed = createFeed()
  const unsubscribe = audit.subscribe(function page(event) {
    feed.keep('audit', event)
  })
  const onWarning = ({ code, message }: Error & { code?: string }) => {
    if (code !== undefined) feed.keep('warning', { code, message: message.split(' See ')[0] })
  }
  process.on('warning', onWarning)

  // One row at a time: a row that cuts the network to the keys must not be met by another.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const turn = last.then(run)
    last = turn.catch(() => undefined)
    return turn
  }

  const routes = Router()
  routes.use(ownHost(world))
  routes.use(helmet({ contentSecurityPolicy: policy }))
  routes.get('/', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('html').send(renderPage())
  })
  routes.use(express.static(PUBLIC, { index: false }))
  routes.get('/events', feed.handler)
  routes.post('/rows/:id', sameSite, async (request, response) => {
    const row = rows.find(({ id }) => id === request.params.id)
    if (row === undefined) return void response.status(404).json({ detail: 'There is no such row' })
    try {
      response.json(await inTurn(() => row.run(world)))
    } catch (error) {
      response.status(503).json({ detail: (error as Error).message })
    }
  })
  // The agent asks for a link, and gets a receipt; the person gets the link.
  routes.post('/agent/settings-links', sameSite, async (_request, response) => {
    const { settings } = world.demo
    try {
      const link = await settings.issueLink({ platform: 'demo', userId: 'you' })
      const receipt = await settings.deliver(link, (url, code) => {
        feed.send('chat', { link: url.reveal('deliver-to-user'), code })
      })
      response.json(receipt)
    } catch (error) {
      response.status(503).json({ detail: (error as Error).message })
    }
  })
  return {
    routes,
    close: () => {
      unsubscribe()
      process.off('warning', onWarning)
    },
  }
}

/** A name of another site may be made to lead to this machine: its page would be of one origin with this one. */
function ownHost({ baseUrl, ours }: World): RequestHandler {
  const hosts = new Set([baseUrl, `http://127.0.0.1:${ours.port}`].map((url) => new URL(url).host))
  return (request, response, next) => {
    if (hosts.has(request.get('host') ?? '')) next()
    else response.status(421).json({ detail: `The demo is at ${baseUrl}/` })
  }
}

/** Another site's page must not press the buttons of this one. Old browsers say where they come from by `Origin` alone. */
const sameSite: RequestHandler = (request, response, next) => {
  const from = request.get('sec-fetch-site') ?? 'none'
  const origin = request.get('origin')
  const isForeign = origin !== undefined && origin !== `http://${request.get('host')}`
  if (from === 'cross-site' || from === 'same-site' || isForeign) {
    response.status(403).json({ detail: 'Not from this page' })
  } else next()
}

type Entry = readonly [name: 'audit' | 'warning' | 'chat', data: AuditEvent | object]

/** Server-sent events: what was kept first, then what comes. */
function createFeed() {
  const recent: Entry[] = []
  const listeners = new Set<(...entry: Entry) => void>()
  const send = (...entry: Entry) => {
    for (const listener of listeners) listener(...entry)
  }
  const handler: RequestHandler = (request, response) => {
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' }).flushHeaders()
    const write = (...[name, data]: Entry) => {
      response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    for (const entry of recent) write(...entry)
    listeners.add(write)
    request.on('close', () => listeners.delete(write))
  }
  return {
    handler,
    send,
    keep: (...entry: Entry) => {
      recent.push(entry)
      if (recent.length > RECENT) recent.shift()
      send(...entry)
    },
  }
}
