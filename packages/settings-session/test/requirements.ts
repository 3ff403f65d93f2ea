/** What the tests of this package must show. */
export const requirements: Record<string, string> = {
  'settings-reuse': 'Reuse after success is refused, and 200 concurrent POSTs give one session.',
  'settings-preview': 'HEAD, GET, prefetch and preview robots a hundred times, then the person succeeds.',
  'settings-wrong-place': 'A link as cookie, a cookie as link, and ?s= on an API route are refused.',
  'settings-malformed': 'Malformed ids of every kind (arrays, objects, NUL, 1 MB) are refused.',
  'settings-wrong-kind': 'Opening a link of the wrong kind does not burn it.',
  'settings-session-life':
    'Fixation, rotation, idle, absolute, touch racing revoke, create racing revokeAll: no session that should not live.',
  'settings-tossed': 'Duplicate and tossed cookies, spoofed X-Forwarded-* and a poisoned Host change nothing.',
  'settings-csrf':
    'A cross-site form to every unsafe route, text/plain JSON, Origin: null and a sibling subdomain are refused.',
  'settings-return-to': 'returnTo leads nowhere but below baseUrl.',
  'settings-oauth':
    "State replayed, missing, another browser's; wrong iss, nonce, aud, sub; mix-up; error text; provider dead or slow.",
  'settings-identity':
    'A stolen link with a fresh account, two users claiming one identity concurrently, a crash between the two writes.',
  'settings-release':
    'Who proves an identity has it released by another user, once, in time, and recorded, whatever answer is lost.',
  'settings-telegram': 'Flipped bits, a merged newline, duplicates and foreign group ids in initData are refused.',
  'settings-canary': 'The link is in no log, error, event, Referer, history or page.',
  'settings-late-reply':
    'A late reply of Redis burns no link, no sign-in and no session, and binds no identity unknown to its holder.',
  'settings-resent':
    'A change whose command is sent again, after a cut, answers as it did first and changes nothing more.',
  'settings-outage': 'Redis down, hung, READONLY, LOADING, OOM: 503, the cookie kept, nothing made or lost.',
  'settings-chromium':
    "In Chromium: the whole flow against a real provider, with helmet's defaults on, without JavaScript, with Back and double click.",
  'settings-contract': 'Memory, file, Redis, a Redis cluster and PostgreSQL pass one contract suite.',
  'settings-model': 'Random sequences of operations agree with a small model, on memory, file, Redis and PostgreSQL.',
  'settings-file':
    'The file store has after a restart what it acknowledged, holds no token, and a full disk is an outage.',
  'settings-postgres-lost-reply':
    'A change in PostgreSQL whose answer is lost with its connection is made once, and its outcome told.',
  'settings-postgres-outage': 'PostgreSQL down, hung, read-only, restarted under load: 503, nothing made or lost.',
  'settings-hot-path': 'A decision that needs no I/O makes no promise; with Redis a decision is one command.',
  'settings-leak': 'leakGuard, SensitiveUrl, AgentSafe and receipts keep links from agents.',
  'settings-pages':
    'The pages are accessible, themable, without script, and right in their headers; HTML or problem+json.',
  'settings-mounted-twice':
    'Two gates on one request authenticate it once and report it once, and each demands what it demands.',
  'settings-one-rule':
    'What a store or a function of the app throws is 503 or, for a bug, 500: on the gate and on the routes.',
  'settings-init-links': 'An integration init link: the agent gets the receipt, the person the link.',
  'settings-no-eviction':
    'a Redis that evicts is refused: it forgets which identity belongs to a user, and a thief could bind',
  'settings-linear-time':
    'each parser takes time in proportion to the length of what it reads, before anything is proven',
  'settings-sockets-end':
    'the socket of a session is closed when the session ends, at once in the process that ends it',
}
