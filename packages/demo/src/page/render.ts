import { type Caller, callers, rows } from '../duel/callers.js'
import type { Row, RowKind } from '../duel/row.js'

const KINDS: Readonly<Record<RowKind, string>> = { valid: 'valid', attack: 'attack', outage: 'outage' }

const escaped = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

/** The whole page: every row without an answer. The script adds the answers. */
export const renderPage = (): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign: the same request, sent twice</title>
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="/page.css">
<link rel="stylesheet" href="/rows.css">
<link rel="stylesheet" href="/log.css">
<script type="module" src="/demo.js"></script>
</head>
<body>
<a class="skip" href="#requests">Skip to the requests</a>
<header class="bar">
<p class="brand"><img src="/icon.svg" alt="" width="26" height="26">Countersign</p>
<nav aria-label="Callers"><ul>
${callers.map(({ id, short }) => `<li><a href="#${id}">${escaped(short)}</a></li>`).join('\n')}
<li><a href="#log">Audit log</a></li>
</ul></nav>
</header>
<main>
<section class="intro" aria-labelledby="top">
<div>
<h1 id="top">The same request, sent twice</h1>
<p class="lead">Once to a gate of Countersign, once to what is usually put in its place. Both are live in this process and get
the same bytes. Press a request: each side answers, and you see why.</p>
<p class="start"><button type="button" class="primary" id="run-all">Send all ${rows.length}</button>
<span class="note">or press any of them below</span></p>
<noscript><p>The buttons of this page need its script.</p></noscript>
</div>
<dl class="score">
<div class="ours"><dt>Countersign</dt><dd><span class="count" id="ours-count">–</span> <span class="sent">nothing sent yet</span></dd></div>
<div class="usual"><dt>The usual choices</dt><dd><span class="count" id="usual-count">–</span> <span class="sent">nothing sent yet</span></dd></div>
</dl>
<p class="hidden" id="status" role="status"></p>
</section>
<div id="requests" tabindex="-1">
${callers.map(section).join('\n')}
</div>
<section class="log" id="log" aria-labelledby="log-title">
<h2 id="log-title">Audit log</h2>
<p>Every decision of the gates and every change of state, as it is made; warnings of the process, too. The newest is first.</p>
<ol id="events"><li class="empty">Nothing has been decided yet.</li></ol>
</section>
</main>
<footer>
<p>Right means: who belongs in is let in, an attack is not, and an outage is neither. The attacks are those that Countersign
was made for. Where the usual choice withstands one, its row says so.</p>
</footer>
</body>
</html>
`

const section = (
  caller: Caller,
): string => `<section class="caller" id="${caller.id}" aria-labelledby="${caller.id}-title">
<div class="head">
<h2 id="${caller.id}-title">${escaped(caller.title)}</h2>
<p>${escaped(caller.proves)}</p>
</div>
<div class="columns" aria-hidden="true"><span>Request</span><span>Countersign <code>${escaped(caller.gate)}</code></span><span>Usual choice <code>${escaped(caller.usual)}</code></span></div>
<ul class="rows">
${caller.rows.map((row) => item(row, caller)).join('\n')}
</ul>
${caller.id === 'person' ? CHAT : ''}</section>`

const item = (
  { id, kind, title, story }: Row,
  { gate, usual }: Caller,
): string => `<li class="row" id="${id}" data-kind="${kind}">
<div class="what">
<h3><button type="button" class="run" aria-describedby="${id}-story"><span class="play" aria-hidden="true"></span>${escaped(title)}</button></h3>
<p id="${id}-story"><span class="kind">${KINDS[kind]}</span> ${escaped(story)}</p>
</div>
<dl class="sides">
<div class="side ours"><dt>Countersign <code>${escaped(gate)}</code></dt><dd><span class="idle">not sent yet</span></dd></div>
<div class="side usual"><dt>Usual choice <code>${escaped(usual)}</code></dt><dd><span class="idle">not sent yet</span></dd></div>
</dl>
<div class="more" hidden></div>
</li>`

const CHAT = `<div class="chat" role="group" aria-labelledby="chat-title">
<h3 id="chat-title">Your turn</h3>
<p>Ask the agent for your settings. The bot shows you a link and six digits; the agent gets a receipt, never the link. Then try
the link in a private window, or a second time.</p>
<button type="button" class="primary" id="issue">Ask for my settings</button>
<ol id="chat" aria-live="polite"></ol>
</div>
`
