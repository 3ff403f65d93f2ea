/** What the tests of this package must show. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'settings-reuse': [
    'Reuse after success is refused, and 200 concurrent POSTs give one session.',
    'ASVS 6.5.1; ASVS 15.4.2; decision 0042',
  ],
  'settings-preview': [
    'HEAD, GET, prefetch and preview robots a hundred times, then the person succeeds.',
    'RFC 9110 §9.2.1; ASVS 3.5.3',
  ],
  'settings-wrong-place': ['A link as cookie, a cookie as link, and ?s= on an API route are refused.', 'ASVS 14.2.1'],
  'settings-malformed': ['Malformed ids of every kind (arrays, objects, NUL, 1 MB) are refused.', 'ASVS 2.2.1'],
  'settings-wrong-kind': ['Opening a link of the wrong kind does not burn it.', 'ASVS 6.6.2'],
  'settings-session-life': [
    'Fixation, rotation, idle, absolute, touch racing revoke, create racing revokeAll: no session that should not live.',
    'ASVS 7.2.4; ASVS 7.3.1; ASVS 7.3.2; ASVS 3.3.1',
  ],
  'settings-tossed': [
    'Duplicate and tossed cookies, spoofed X-Forwarded-* and a poisoned Host change nothing.',
    'ASVS 3.3.3; ASVS 4.1.3',
  ],
  'settings-csrf': [
    'A cross-site form to every unsafe route, text/plain JSON, Origin: null and a sibling subdomain are refused.',
    'ASVS 3.5.1; ASVS 3.5.2; Fetch Metadata',
  ],
  'settings-return-to': ['returnTo leads nowhere but below baseUrl.', 'RFC 9700 §4.11; ASVS 1.2.2'],
  'settings-oauth': [
    "State replayed, missing, another browser's; wrong iss, nonce, aud, sub; mix-up; error text; provider dead or slow.",
    'RFC 9700 §2.1; RFC 9207 §2.4; OIDC Core §3.1.3.7; ASVS 10.2.2; ASVS 10.5.1',
  ],
  'settings-identity': [
    'A stolen link with a fresh account, two users claiming one identity concurrently, a crash between the two writes.',
    'ASVS 10.5.2; ASVS 6.8.1; decision 0041',
  ],
  'settings-release': [
    'Who proves an identity has it released by another user, once, in time, and recorded, whatever answer is lost.',
    'decision 0127',
  ],
  'settings-telegram': [
    'Flipped bits, a merged newline, duplicates and foreign group ids in initData are refused.',
    'Telegram Mini Apps',
  ],
  'settings-canary': [
    'The link is in no log, error, event, Referer, history or page.',
    'ASVS 16.2.5; ASVS 14.2.1; RFC 9700 §4.2',
  ],
  'settings-late-reply': [
    'A late reply of Redis burns no link, no sign-in and no session, and binds no identity unknown to its holder.',
    'decision 0093',
  ],
  'settings-resent': [
    'A change whose command is sent again, after a cut, answers as it did first and changes nothing more.',
    'decision 0095',
  ],
  'settings-outage': [
    'Redis down, hung, READONLY, LOADING, OOM: 503, the cookie kept, nothing made or lost.',
    'ASVS 16.5.2; ASVS 16.5.3',
  ],
  'settings-chromium': [
    "In Chromium: the whole flow against a real provider, with helmet's defaults on, without JavaScript, with Back and double click.",
    'ASVS 7.4.1; ASVS 3.3.2',
  ],
  'settings-contract': [
    'Memory, file, Redis, a Redis cluster and PostgreSQL pass one contract suite.',
    'ASVS 7.2.1; ASVS 7.4.5',
  ],
  'settings-model': [
    'Random sequences of operations agree with a small model, on memory, file, Redis and PostgreSQL.',
    'design',
  ],
  'settings-file': [
    'The file store has after a restart what it acknowledged, holds no token, and a full disk is an outage.',
    'decision 0131',
  ],
  'settings-postgres-lost-reply': [
    'A change in PostgreSQL whose answer is lost with its connection is made once, and its outcome told.',
    'decision 0095',
  ],
  'settings-postgres-outage': [
    'PostgreSQL down, hung, read-only, restarted under load: 503, nothing made or lost.',
    'ASVS 16.5.2; ASVS 16.5.3',
  ],
  'settings-hot-path': [
    'A decision that needs no I/O makes no promise; with Redis a decision is one command.',
    'design',
  ],
  'settings-leak': [
    'leakGuard, SensitiveUrl, AgentSafe and receipts keep links from agents.',
    'ASVS 14.2.3; decision 0096',
  ],
  'settings-pages': [
    'The pages are accessible, themable, without script, and right in their headers; HTML or problem+json.',
    'ASVS 1.2.1; ASVS 3.5.5; ASVS 14.3.2; WCAG 2.2',
  ],
  'settings-mounted-twice': [
    'Two gates on one request authenticate it once and report it once, and each demands what it demands.',
    'decision 0008',
  ],
  'settings-one-rule': [
    'What a store or a function of the app throws is 503 or, for a bug, 500: on the gate and on the routes.',
    'ASVS 16.5.1; decision 0006',
  ],
  'settings-init-links': ['An integration init link: the agent gets the receipt, the person the link.', 'ASVS 14.2.3'],
  'settings-no-eviction': [
    'a Redis that evicts is refused: it forgets which identity belongs to a user, and a thief could bind',
    'ASVS 16.5.3',
  ],
  'settings-linear-time': [
    'each parser takes time in proportion to the length of what it reads, before anything is proven',
    'ASVS 15.2.2; ASVS 1.3.12',
  ],
  'settings-sockets-end': [
    'the socket of a session is closed when the session ends, at once in the process that ends it',
    'ASVS 7.4.1; decision 0082',
  ],
  'settings-upgrade-origin': [
    'An upgrade with the cookie of a session is of our own pages, by its Origin, or refused.',
    'RFC 6455 §10.2; ASVS 4.4.2',
  ],
  'settings-attempts': [
    'Attempts at a link, by a user and by a device are counted, and none of the others is refused for them.',
    'ASVS 2.4.1; ASVS 6.6.3; decision 0122',
  ],
}
