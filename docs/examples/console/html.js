/** Text that is HTML already. */
class Html {
  constructor(text) {
    this.text = text
  }

  toString() {
    return this.text
  }
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** A template whose interpolations are escaped, unless they are made by it. `undefined` and `false` are nothing. */
export function html(strings, ...parts) {
  return new Html(String.raw({ raw: strings }, ...parts.map(textOf)))
}

/** Text that is HTML already, as it is. */
export function raw(text) {
  return new Html(text)
}

function textOf(part) {
  if (part === undefined || part === false) return ''
  if (part instanceof Html) return part.text
  if (Array.isArray(part)) return part.map(textOf).join('')
  return String(part).replace(/[&<>"']/g, (character) => ENTITIES[character])
}

/** A moment, in UTC. */
export function time(at) {
  const iso = new Date(at).toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
]

/** How far away a moment is: `3 min ago`, `in 2 h`. */
export function distance(at, now = Date.now()) {
  const away = Math.abs(at - now)
  const [unit, ms] = UNITS.find(([, size]) => away >= size) ?? ['s', 1000]
  const amount = `${Math.floor(away / ms)} ${unit}`
  return at > now ? `in ${amount}` : `${amount} ago`
}

const PLACES = [
  ['/', 'Decisions'],
  ['/old-keys', 'Old keys'],
  ['/sessions', 'Sessions'],
  ['/credentials', 'Credentials'],
  ['/health', 'Health'],
]

/**
 * A page of the console. `view` says for whom: `base` is where the console is mounted, `operator` who looks at it, `token` what
 * its forms carry, `troubles` how many there are.
 */
export function layout(view, place, title, content) {
  const { base, operator, signOut, token, troubles } = view
  const items = PLACES.map(
    ([path, name]) =>
      html`<li><a href="${base}${path}"${path === place && html` aria-current="page"`}>${name}${
        path === '/health' &&
        troubles > 0 &&
        html` <span class="count">${troubles}<span class="hidden"> in trouble</span></span>`
      }</a></li>`,
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Console</title>
<link rel="icon" href="${base}/assets/icon.svg">
<link rel="stylesheet" href="${base}/assets/console.css">
<script type="module" src="${base}/assets/live.js"></script>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header class="bar">
<p class="brand"><img src="${base}/assets/icon.svg" alt="" width="26" height="26">Console</p>
<nav aria-label="Pages"><ul>${items}</ul></nav>
<div class="you"><span><span class="hidden">You are </span>${operator}</span>${
    signOut !== undefined &&
    html`<form method="post" action="${signOut}"><input type="hidden" name="_csrf" value="${token}"><button class="plain">Sign out</button></form>`
  }</div>
</header>
<main id="content" tabindex="-1">
${content}
</main>
</body>
</html>
`
}

/**
 * A table that is a list of cards on a phone. `columns` are names, `rows` lists of cells. The roles stay when the style takes
 * the table apart.
 */
export function table(caption, columns, rows) {
  const heads = columns.map((name) => html`<th role="columnheader" scope="col">${name}</th>`)
  const body = rows.map(
    (cells) =>
      html`<tr role="row">${cells.map((cell, index) => html`<td role="cell" data-label="${columns[index]}"><div>${cell}</div></td>`)}</tr>`,
  )
  return html`<table role="table">
<caption class="hidden">${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${body}</tbody>
</table>`
}
