import type { Audit, AuditEvent } from '@countersign/audit'
import { Router } from 'express'

/** What the page is sent: audit events, and what the bot says in the chat. */
export interface LiveView {
  readonly routes: Router
  /** Shows a message in the page's chat. Only the person at the page sees it. */
  say(text: string, link?: string): void
  close(): void
}

const RECENT = 200

/** A page at `/` that shows the audit events as they come, by server-sent events. */
export function createLiveView(audit: Audit): LiveView {
  const recent: AuditEvent[] = []
  const listeners = new Set<(name: string, data: unknown) => void>()
  const publish = (name: string, data: unknown) => {
    for (const listener of listeners) listener(name, data)
  }
  const unsubscribe = audit.subscribe(function liveView(event) {
    recent.push(event)
    if (recent.length > RECENT) recent.shift()
    publish('audit', event)
  })

  const routes = Router()
  routes.get('/', (_request, response) => {
    response.type('html').send(PAGE)
  })
  routes.get('/live.css', (_request, response) => {
    response.type('css').send(STYLE)
  })
  routes.get('/live.js', (_request, response) => {
    response.type('js').send(SCRIPT)
  })
  routes.get('/events', (request, response) => {
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' }).flushHeaders()
    const send = (name: string, data: unknown) => {
      response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    for (const event of recent) send('audit', event)
    listeners.add(send)
    request.on('close', () => listeners.delete(send))
  })
  return {
    routes,
    say: (text, link) => publish('chat', { text, link }),
    close: () => {
      unsubscribe()
      listeners.clear()
    },
  }
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign demo</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/live.css">
<script src="/live.js" defer></script>
</head>
<body>
<header>
  <h1>Countersign</h1>
  <p>Four gates, one app. Every decision they make appears below as it is made.</p>
</header>
<main>
  <section aria-labelledby="chat-title">
    <h2 id="chat-title">The chat</h2>
    <p>The bot issues a settings link for you. The agent behind it gets a receipt, never the link.</p>
    <button id="issue" type="button">Issue a settings link</button>
    <ol id="chat" aria-live="polite"></ol>
  </section>
  <section aria-labelledby="events-title">
    <h2 id="events-title">Audit events</h2>
    <table>
      <thead><tr><th>time</th><th>event</th><th>gate</th><th>who</th><th>request</th><th>reason</th><th>ms</th></tr></thead>
      <tbody id="events"></tbody>
    </table>
  </section>
</main>
</body>
</html>
`

const STYLE = `:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem }
h1 { margin: 0 } h2 { font-size: 1.1rem }
main { display: grid; gap: 2rem; grid-template-columns: minmax(16rem, 1fr) 3fr }
@media (max-width: 60rem) { main { grid-template-columns: 1fr } }
button { font: inherit; padding: .5rem 1rem; cursor: pointer }
ol { list-style: none; padding: 0 } ol li { border-left: 3px solid #888; margin: .75rem 0; padding: .25rem .75rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8884; white-space: nowrap }
td.request { white-space: normal; overflow-wrap: anywhere }
tr.success td.type { color: #1a7f37 } tr.failure td.type { color: #c9510c } tr.error td.type { color: #cf222e }
`

const SCRIPT = `const events = document.getElementById('events')
const chat = document.getElementById('chat')
const cell = (text, name) => { const td = document.createElement('td'); td.textContent = text ?? ''; td.className = name ?? ''; return td }
const source = new EventSource('/events')
source.addEventListener('open', () => { events.replaceChildren() })
source.addEventListener('audit', (message) => {
  const event = JSON.parse(message.data)
  const row = document.createElement('tr')
  row.className = event.outcome
  row.append(
    cell(event.time.slice(11, 19)), cell(event.type, 'type'), cell(event.gate),
    cell(event.principal && event.principal.id),
    cell(event.http ? event.http.method + ' ' + event.http.route + (event.http.status ? ' → ' + event.http.status : '') : '', 'request'),
    cell(event.reason), cell(event.latencyMs === undefined ? '' : event.latencyMs.toFixed(2)))
  events.prepend(row)
})
source.addEventListener('chat', (message) => {
  const { text, link } = JSON.parse(message.data)
  const item = document.createElement('li')
  item.append(text)
  if (link) {
    const anchor = document.createElement('a')
    anchor.href = link
    anchor.textContent = 'Open your settings'
    anchor.target = '_blank'
    anchor.rel = 'noreferrer'
    item.append(' ', anchor)
  }
  chat.append(item)
})
document.getElementById('issue').addEventListener('click', async () => {
  const response = await fetch('/agent/settings-links', { method: 'POST' })
  const item = document.createElement('li')
  item.append('The agent got: ' + await response.text())
  chat.append(item)
})
`
