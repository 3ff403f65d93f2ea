// The page's only script. It sends rows, shows what both sides answered, and follows the audit log.
const byId = (id) => document.getElementById(id)
const ICONS = {
  good: 'M3 8.5l3.2 3.2L13 4.8',
  bad: 'M4 4l8 8M12 4l-8 8',
}

/** An element with attributes and children; text is never read as HTML. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children.filter((child) => child !== undefined && child !== ''))
  return element
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  for (const [key, value] of Object.entries({ viewBox: '0 0 16 16', 'aria-hidden': 'true' }))
    svg.setAttribute(key, value)
  const look = {
    d: ICONS[name],
    fill: 'none',
    stroke: 'currentColor',
    'stroke-width': '2.4',
    'stroke-linecap': 'round',
  }
  for (const [key, value] of Object.entries(look)) path.setAttribute(key, value)
  svg.append(path)
  return svg
}

const capitalised = (text) => text[0].toUpperCase() + text.slice(1)

/** What one side answered, for its cell of the row. */
function verdict({ outcome, status, isRight, reason, why }) {
  const look = isRight ? 'good' : 'bad'
  const judged = make('span', { class: 'hidden' }, isRight ? ' (right)' : ' (wrong)')
  const badge = make('span', { class: `badge ${look}` }, icon(look), capitalised(outcome), judged)
  const line = make('p', { class: 'verdict' }, badge, make('code', {}, String(status)))
  if (reason !== undefined && reason !== 'none') line.append(make('code', {}, reason))
  return [line, make('p', { class: 'why' }, why)]
}

/** An answer as it came over the wire. */
function wire({ status, headers, body }) {
  const lines = [`HTTP/1.1 ${status}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  return make('pre', {}, [...lines, ...(body === '' ? [] : ['', body])].join('\n'))
}

function block(title, ...children) {
  return [make('h4', {}, title), ...children]
}

const stepsOf = ({ steps }) => make('pre', {}, steps.map((s) => `${s.method} ${s.path} → ${s.status}`).join('\n'))

/** Each member of the event with its path. */
const flat = (value, path) =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, member]) => flat(member, path === '' ? key : `${path}.${key}`))
    : [[path, String(value)]]

function eventList(event) {
  if (event === undefined) return make('p', {}, 'None: nothing was decided.')
  const members = flat(event, '').map(([path, text]) => make('div', {}, make('dt', {}, path), make('dd', {}, text)))
  return make('dl', { class: 'event' }, ...members)
}

function details({ request, ours, usual }) {
  const several = (answer) => (answer.steps.length > 1 ? block('All that was sent', stepsOf(answer)) : [])
  return [
    make('div', {}, ...block('The last request; secrets are shortened', make('pre', {}, request))),
    make('div', {}, ...several(ours), ...block('Countersign’s answer', wire(ours))),
    make('div', {}, ...several(usual), ...block('The usual choice’s answer', wire(usual))),
    make('div', { class: 'wide' }, ...block('Audit event', eventList(ours.event))),
  ]
}

const answers = new Map()

function showScore() {
  const all = [...answers.values()]
  for (const element of document.querySelectorAll('.sent')) element.textContent = `of ${all.length} right`
  for (const side of ['ours', 'usual']) {
    const count = byId(`${side}-count`)
    count.textContent = String(all.filter((answer) => answer[side].isRight).length)
    count.classList.add('on')
  }
}

function showAnswer(row, answer) {
  for (const side of ['ours', 'usual']) {
    row.querySelector(`.${side} dd`).replaceChildren(...verdict(answer[side]))
  }
  const more = row.querySelector('.more')
  more.id = `${row.id}-more`
  more.replaceChildren(...details(answer))
  if (row.querySelector('.toggle') !== null) return
  const title = row.querySelector('h3').textContent
  const toggle = make('button', { type: 'button', class: 'toggle', 'aria-expanded': 'false', 'aria-controls': more.id })
  toggle.append('Details', make('span', { class: 'hidden' }, ` of: ${title}`))
  toggle.addEventListener('click', () => {
    more.hidden = !more.hidden
    toggle.setAttribute('aria-expanded', String(!more.hidden))
  })
  row.querySelector('.what').append(toggle)
}

/** Sends one row. Returns a sentence about it. */
async function send(row) {
  const title = row.querySelector('h3').textContent
  row.classList.add('busy')
  try {
    const response = await fetch(`/rows/${row.id}`, { method: 'POST' })
    const answer = await response.json()
    if (!response.ok) throw new Error(answer.detail)
    answers.set(row.id, answer)
    showAnswer(row, answer)
    showScore()
    const told = ({ outcome, status, reason }) =>
      [outcome, status, reason].filter((part) => part && part !== 'none').join(' ')
    return `${title}. Countersign: ${told(answer.ours)}. The usual choice: ${told(answer.usual)}.`
  } catch (error) {
    const text = `Could not be sent: ${error.message}`
    for (const cell of row.querySelectorAll('dd')) cell.replaceChildren(make('p', { class: 'why' }, text))
    return `${title}. ${text}`
  } finally {
    row.classList.remove('busy')
  }
}

const tell = (text) => {
  byId('status').textContent = text
}

const rows = [...document.querySelectorAll('.row')]
for (const row of rows) {
  row.querySelector('.run').addEventListener('click', async () => {
    if (!row.classList.contains('busy')) tell(await send(row))
  })
}

byId('run-all').addEventListener('click', async ({ currentTarget: button }) => {
  if (button.getAttribute('aria-disabled') === 'true') return
  const label = button.textContent
  button.setAttribute('aria-disabled', 'true')
  for (const [index, row] of rows.entries()) {
    button.textContent = `Sending ${index + 1} of ${rows.length}`
    await send(row)
  }
  button.textContent = label
  button.removeAttribute('aria-disabled')
  const right = (side) => [...answers.values()].filter((answer) => answer[side].isRight).length
  tell(`${rows.length} requests sent. Countersign: ${right('ours')} right. The usual choices: ${right('usual')} right.`)
})

// The chat.
byId('issue').addEventListener('click', async () => {
  const response = await fetch('/agent/settings-links', { method: 'POST' })
  const answer = await response.json()
  const text = response.ok ? JSON.stringify(answer, undefined, 2) : answer.detail
  byId('chat').append(make('li', {}, 'The agent got:', make('pre', {}, text)))
})

// The log.
const MOST_SHOWN = 20
const log = byId('events')
const time = (date) => make('time', { datetime: date.toISOString() }, date.toLocaleTimeString('en-GB'))

function add(entry) {
  log.querySelector('.empty')?.remove()
  log.prepend(entry)
  while (log.children.length > MOST_SHOWN) log.lastElementChild.remove()
}

const source = new EventSource('/events')
source.addEventListener('open', () => {
  if (log.querySelector('.empty') === null) log.replaceChildren()
})
source.addEventListener('audit', ({ data }) => {
  const event = JSON.parse(data)
  const { http } = event
  const sent =
    http === undefined ? '' : `${http.method} ${http.route}${http.status === undefined ? '' : ` → ${http.status}`}`
  add(
    make(
      'li',
      { class: event.outcome },
      time(new Date(event.time)),
      make('span', { class: 'type' }, event.type),
      make('span', {}, event.gate ?? ''),
      make('span', {}, event.reason ?? event.principal?.id ?? ''),
      make('span', { class: 'soft' }, sent),
    ),
  )
})
source.addEventListener('warning', ({ data }) => {
  const { code, message } = JSON.parse(data)
  add(make('li', { class: 'warning' }, time(new Date()), make('span', {}, make('strong', {}, code), ` ${message}`)))
})
source.addEventListener('chat', ({ data }) => {
  const { link, code } = JSON.parse(data)
  const anchor = make('a', { href: link, target: '_blank', rel: 'noreferrer' }, 'Open your settings')
  const digits = make('span', { class: 'digits' }, code)
  byId('chat').append(make('li', {}, 'Here you are: ', anchor, '. The page asks for ', digits, '.'))
})
