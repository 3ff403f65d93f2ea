import { distance, html, raw, table, time } from './html.js'

const WORDS = { success: 'Let in', failure: 'Refused', error: 'Undecided' }
const CHANGES = { success: 'Change', failure: 'Stopped', error: 'Trouble' }
const rendered = new WeakMap()

/** Rows of the live list, as HTML. An event is rendered once for all who look. */
export function rows(entries) {
  return entries.map(({ event }) => rendered.get(event) ?? keep(event)).join('')
}

function keep(event) {
  const text = String(row(event))
  rendered.set(event, text)
  return text
}

function row(event) {
  const { type, outcome, gate, reason, principal, http, latencyMs, time: at } = event
  const isDecision = type.startsWith('access.')
  const what = isDecision ? (reason ?? (outcome === 'success' ? 'granted' : outcome)) : type
  return html`<li class="event ${outcome}${!isDecision && ' change'}">
<time datetime="${at}">${at.slice(11, 23)}</time>
<span class="badge">${(isDecision ? WORDS : CHANGES)[outcome]}</span>
<span class="what">${what}</span>
<span class="who">${principal?.id ?? event.attributes?.operator ?? '–'}</span>
<span class="where">${gate}${http !== undefined && html` <span class="soft">${http.method} ${http.route}</span>`}</span>
<span class="took">${latencyMs !== undefined && `${latencyMs.toFixed(latencyMs < 10 ? 2 : 0)} ms`}</span>
<details><summary>Details<span class="hidden"> of ${what} at ${at.slice(11, 23)}</span></summary><pre tabindex="0">${JSON.stringify(event, null, 1)}</pre></details>
</li>`
}

const KINDS = [
  ['success', 'let in'],
  ['failure', 'refused'],
  ['error', 'undecided'],
]

/** The counts of the last minute, and their bars. */
export function totals(seconds) {
  const tallest = Math.max(1, ...seconds.map(({ success, failure, error }) => success + failure + error))
  const paths = { success: '', failure: '', error: '' }
  for (const [index, counts] of seconds.entries()) {
    let top = 40
    for (const [kind] of KINDS) {
      const height = (counts[kind] * 40) / tallest
      if (height > 0) paths[kind] += `M${index} ${top.toFixed(1)}h.8v${(-height).toFixed(1)}h-.8z`
      top -= height
    }
  }
  const sum = (kind) => seconds.reduce((total, counts) => total + counts[kind], 0)
  return html`<dl>${KINDS.map(
    ([kind, word]) => html`<div class="${kind}"><dt>${word}</dt><dd>${sum(kind)}</dd></div>`,
  )}</dl>
<svg viewBox="0 0 60 40" preserveAspectRatio="none" aria-hidden="true">${KINDS.map(
    ([kind]) => html`<path class="${kind}" d="${paths[kind]}"/>`,
  )}</svg>`
}

function select(name, label, chosen, options) {
  const items = options.map(
    ([value, text]) => html`<option value="${value}"${value === (chosen ?? '') && html` selected`}>${text}</option>`,
  )
  return html`<label>${label}<select name="${name}">${items}</select></label>`
}

function search(name, label, value, hint) {
  return html`<label class="search">${label}<input type="search" name="${name}" value="${value ?? ''}" maxlength="256" placeholder="${hint}" autocomplete="off" spellcheck="false"></label>`
}

/** The live list. `query` is the filter as the address has it. */
export function decisionsPage({ base }, { entries, seq, seconds, gates, filter, query }) {
  const events = `${base}/events?${query}`
  return html`<div class="title"><h1>Decisions</h1>
<p class="state"><span id="state" role="status">Reload the page for newer ones</span><button type="button" id="pause" hidden>Pause</button></p></div>
<section class="totals" aria-label="In the last minute"><h2>In the last minute</h2><div id="totals">${totals(seconds)}</div></section>
<form class="filters" method="get" action="${base}/">
${select('outcome', 'Outcome', filter.outcome, [
  ['', 'Any'],
  ['success', 'Let in'],
  ['failure', 'Refused'],
  ['error', 'Undecided'],
])}
${select('gate', 'Gate', filter.gate, [['', 'Any'], ...gates.map((gate) => [gate, gate])])}
${select('kind', 'Events', filter.kind, [
  ['', 'All'],
  ['decisions', 'Decisions'],
  ['changes', 'Changes of state'],
])}
${search('text', 'Search', filter.text, 'Reason, caller, path, address')}
<button>Filter</button>${query !== '' && html`<a href="${base}/">Clear</a>`}
</form>
<p id="skipped" class="soft" hidden></p>
<ol id="feed" class="feed" data-events="${events}" data-seq="${seq}">${raw(rows(entries))}</ol>
<p class="empty">Nothing yet. What a gate decides from now on is here at once.</p>`
}

/** A button that asks once more: without a script, and by keyboard. */
function confirmed(view, label, what, action, fields) {
  const inputs = Object.entries({ _csrf: view.token, back: view.query, ...fields }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  return html`<details class="confirm"><summary>${label}<span class="hidden"> ${what}</span></summary>
<form method="post" action="${view.base}${action}">${inputs}<button class="danger">Yes, ${label.toLowerCase()}</button></form></details>`
}

function empty(text) {
  return html`<p class="none">${text}</p>`
}

/** Who still comes with the old key. `gates` are names, each with what its gate has counted. */
export function oldKeysPage(_view, gates) {
  const parts = gates.map(({ name, uses }) => {
    const list = uses.toSorted((a, b) => b.lastSeenAt - a.lastSeenAt).slice(0, 500)
    const cells = list.map(({ caller, accepted, refused, lastSeenAt }) => [
      html`<b class="id">${caller}</b>`,
      Date.now() - lastSeenAt < 86_400_000 && accepted > 0
        ? html`<span class="badge bad">Still uses it</span>`
        : html`<span class="badge">Quiet</span>`,
      html`${distance(lastSeenAt)} <span class="soft">${time(lastSeenAt)}</span>`,
      html`<span class="number">${accepted}</span>`,
      html`<span class="number">${refused}</span>`,
    ])
    return html`<section><h2>${name}</h2>${
      cells.length === 0
        ? empty('Nobody has come with the old key.')
        : table(`Old keys at ${name}`, ['Caller', 'State', 'Last seen', 'Accepted', 'Refused'], cells)
    }</section>`
  })
  return html`<div class="title"><h1>Old keys</h1></div>
<p class="lead">Who has come with the key that signatures replace. Quiet for as long as your slowest caller needs? Then it is safe to
require signatures.</p>${parts.length === 0 ? empty('No gate here accepts an old key.') : parts}`
}

/** The sessions of the people of one page. */
export function sessionsPage(view, { sessions, page, pages, count, text, since }) {
  const cells = sessions.map(({ id, principal, kind, createdAt, lastSeenAt, expiresAt }) => [
    html`<b class="id">${principal.id}</b>${kind !== 'settings' && html` <span class="soft">${kind}</span>`}`,
    html`<span class="id">${id}</span>`,
    html`${distance(lastSeenAt.getTime())} <span class="soft">since ${time(createdAt)}</span>`,
    html`${distance(expiresAt.getTime())}`,
    html`<div class="actions">${confirmed(view, 'Revoke', `the session of ${principal.id}`, '/sessions/revoke', { id })}${confirmed(
      view,
      'Revoke all',
      `sessions of ${principal.id}`,
      '/sessions/revoke-all',
      { user: principal.id },
    )}</div>`,
  ])
  return html`<div class="title"><h1>Sessions</h1><p class="soft">${count} ${count === 1 ? 'person' : 'people'} seen ${since}</p></div>
<form class="filters" method="get" action="${view.base}/sessions">
${search('text', 'Person', text, 'platform:user, or a part of it')}
<button>Find</button>${text !== undefined && html`<a href="${view.base}/sessions">Clear</a>`}
</form>
${cells.length === 0 ? empty('No open session of the people who were seen. Give the whole id, platform:user or platform:team:user, to ask the store.') : table('Open sessions', ['Person', 'Session', 'Last seen', 'Ends', 'Action'], cells)}
${pager(view, '/sessions', text, page > 1 && `page=${page - 1}`, page < pages && `page=${page + 1}`, `Page ${page} of ${pages}`)}`
}

/** One page of the credentials of agents. */
export function credentialsPage(view, { credentials, cursor, thread, provider, isFirst }) {
  const cells = credentials.map((credential) => [
    html`<b class="id">${credential.credentialId}</b>`,
    html`<span class="id">${credential.threadId}</span>`,
    html`<span class="id">${credential.providerInstanceId}</span>`,
    html`<span class="badge${credential.standing !== 'live' && ' bad'}">${credential.standing}</span>`,
    html`${distance(credential.issuedAt)}`,
    html`${distance(credential.idleAt)}`,
    html`<div class="actions">${confirmed(
      view,
      'Revoke',
      `credential ${credential.credentialId}`,
      '/credentials/revoke',
      {
        id: credential.credentialId,
      },
    )}${confirmed(view, 'Revoke thread', credential.threadId, '/credentials/revoke-thread', {
      thread: credential.threadId,
    })}</div>`,
  ])
  const isFiltered = thread !== undefined || provider !== undefined
  const filter = new URLSearchParams({ ...(thread && { thread }), ...(provider && { provider }) })
  return html`<div class="title"><h1>Credentials</h1></div>
<form class="filters" method="get" action="${view.base}/credentials">
${search('thread', 'Thread', thread, 'The whole id')}
${search('provider', 'Provider', provider, 'The whole id')}
<button>Find</button>${isFiltered && html`<a href="${view.base}/credentials">Clear</a>`}
</form>
${cells.length === 0 ? empty(isFiltered ? 'No credential of these.' : 'No agent has a credential.') : table('Credentials', ['Credential', 'Thread', 'Provider', 'Standing', 'Issued', 'Idle', 'Action'], cells)}
<nav class="pager" aria-label="More">${!isFirst && html`<a href="${view.base}/credentials?${filter}">First page</a>`}${
    cursor !== undefined &&
    html`<a href="${view.base}/credentials?${filter}${filter.size > 0 && '&'}cursor=${encodeURIComponent(cursor)}">Next page</a>`
  }</nav>`
}

function pager({ base }, path, text, before, after, where) {
  const filter = text === undefined ? '' : `&text=${encodeURIComponent(text)}`
  return html`<nav class="pager" aria-label="More"><span>${where}</span>${
    before && html`<a href="${base}${path}?${before}${filter}">Previous page</a>`
  }${after && html`<a href="${base}${path}?${after}${filter}">Next page</a>`}</nav>`
}

/** Issuers, what could not be asked, secrets, and where the events go. */
export function healthPage(_view, { issuers, outages, secrets, sinks }) {
  const ofIssuers = issuers.map(({ issuer, failedAt, failure, usesStale, rotatedAt, added, removed }) => [
    html`<b class="id">${issuer}</b>`,
    failedAt === undefined
      ? html`<span class="badge good">No trouble</span>`
      : html`<span class="badge bad">No keys</span> ${failure}${usesStale === true && ', the former ones are used'}`,
    failedAt === undefined ? '–' : html`${distance(failedAt)} <span class="soft">${time(failedAt)}</span>`,
    rotatedAt === undefined
      ? '–'
      : html`${distance(rotatedAt)} <span class="soft">${added} new, ${removed} gone</span>`,
  ])
  const ofOutages = outages.map(({ gate, reason, count, at, failure, isOver }) => [
    html`<b>${reason}</b>${failure !== undefined && html` <span class="soft">${failure}</span>`}`,
    html`${gate}`,
    isOver ? html`<span class="badge good">Over</span>` : html`<span class="badge bad">In trouble</span>`,
    html`<span class="number">${count}</span>`,
    html`${distance(at)} <span class="soft">${time(at)}</span>`,
  ])
  const ofSecrets = (secrets ?? []).map((secret) => {
    const [word, look] = standingOf(secret)
    return [
      html`<b class="id">${secret.caller}</b>`,
      html`<span class="number">${secret.version}</span>`,
      html`<span class="badge ${look}">${word}</span>`,
      html`${distance(secret.createdAt)}`,
      secret.expiresAt === undefined ? 'no end' : html`${distance(secret.expiresAt)}`,
    ]
  })
  const ofSinks = sinks.map(({ name, required, queued, dropped, failed }) => [
    html`<b>${name}</b>${required && html` <span class="soft">required</span>`}`,
    failed + dropped > 0
      ? html`<span class="badge bad">Lost events</span>`
      : html`<span class="badge good">Complete</span>`,
    ...[queued, dropped, failed].map((count) => html`<span class="number">${count}</span>`),
  ])
  const section = (title, none, columns, cells) =>
    html`<section><h2>${title}</h2>${cells.length === 0 ? empty(none) : table(title, columns, cells)}</section>`
  return html`<div class="title"><h1>Health</h1></div>
${section('Issuers and their keys', 'No issuer is known.', ['Issuer', 'State', 'Since', 'Last change of keys'], ofIssuers)}
${section('What could not be asked', 'Every request was decided.', ['What', 'Gate', 'State', 'Requests', 'Last'], ofOutages)}
${section('Secrets of other services', secrets === undefined ? 'The store of secrets cannot be asked now.' : 'No secret is stored here.', ['Caller', 'Version', 'State', 'Made', 'Ends'], ofSecrets)}
${section('Where events go', 'Nothing listens.', ['Sink', 'State', 'Waiting', 'Dropped', 'Failed'], ofSinks)}`
}

function standingOf({ key, revokedAt, expiresAt, notBefore, isPending }, now = Date.now()) {
  if (revokedAt !== undefined) return ['Revoked', '']
  if (expiresAt !== undefined && expiresAt <= now) return ['Ended', '']
  if (key === undefined) return ['Unreadable', 'bad']
  if (isPending) return ['Pending', '']
  return notBefore > now ? ['Later', ''] : ['In force', 'good']
}

/** What became of a request that did not lead to its page. */
export function messagePage({ base }, title, text) {
  return html`<div class="title"><h1>${title}</h1></div><p class="lead">${text}</p><p><a href="${base}/">To the decisions</a></p>`
}
