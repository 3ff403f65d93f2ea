/** What the architecture demands of the core: id → demand. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'core-order': [
    'take the time, read, verify, demand, freeze the principal, set req.principal, record, next(), in this order',
    'decision 0005',
  ],
  'core-one-event': ['exactly one audit event a decision, whatever happens', 'ASVS 16.3.1'],
  'core-same-tick': ['a verdict that is known goes through in the same tick, with one property set on req', 'design'],
  'core-throw': [
    'a bug is one event, reason internal_error, 500 without detail, never a way in',
    'ASVS 16.5.1; ASVS 16.5.3',
  ],
  'core-thrown': [
    'what is thrown is a bug or an outage by its name alone, and its event names its name, code and place',
    'ASVS 16.5.3; decision 0006',
  ],
  'core-once': [
    'an authentication is remembered by request and verifier: one granted event, demands every time',
    'decision 0008',
  ],
  'core-proven': ['only what a gate granted on this very request is a principal', 'ASVS 8.3.1'],
  'core-singletons': [
    'what copies of the package share is on globalThis, and other contracts are warned of once',
    'decision 0007',
  ],
  'core-handler-name': ['the handler of a gate bears the name of the function that makes it', 'design'],
  'core-loopback': [
    'one rule says which URLs are protected on their way',
    'ASVS 12.3.1; MCP 2025-11-25, authorization',
  ],
  'core-partitions': ['texts are spread over partitions by a function that never changes', 'design'],
  'core-explain': ['an explanation tells the steps of a decision from its verdict', 'design'],
  'core-usage': ['the usage of legacy credentials is counted by caller, within a bound', 'decision 0100'],
  'core-mcp-sdk': ['the adapter for the MCP SDK decides as the gate does, and records each decision', 'decision 0005'],
  'core-next-once': ['a gate never calls next() twice', 'design'],
  'core-contained': ['a gate never lets a rejected promise escape', 'ASVS 16.5.4'],
  'core-client-gone': ['a gate never answers after the client has gone, or after somebody else answered', 'design'],
  'core-on-denied': [
    "onDenied: 'respond' answers, a function takes over, and next() without an error is not a way in",
    'ASVS 16.5.3',
  ],
  'core-access-denied-error': ["onDenied: 'next' passes an AccessDeniedError in the http-errors shape", 'ASVS 16.5.1'],
  'core-upgrade': [
    'upgrades of one path are decided on as requests are, refusals are HTTP on the socket, other paths are as without it',
    'RFC 9110 §7.8; decision 0081',
  ],
  'core-connections-end': [
    'an open connection ends when what opened it is no longer valid, or cannot be checked for long',
    'ASVS 7.4.1; decision 0082',
  ],
  'core-presence-commits': ['the gate whose credential is presented decides alone, without fallback', 'ASVS 6.3.4'],
  'core-same-header': [
    'gates that read the same header are one credential: the first that presents owns it',
    'RFC 9110 §11.6.2',
  ],
  'core-ambiguous': [
    'two different headers with credentials are refused with 400 ambiguous',
    'RFC 6750 §3.1; ASVS 15.3.7',
  ],
  'core-unreachable': [
    'firstPresented refuses at creation an order in which a gate could never be reached',
    'decision 0009',
  ],
  'core-cookie-beside-header': ['a cookie decides only when no header credential is presented', 'design'],
  'core-none-presented': [
    "no credential is 401 with every gate's challenge, Bearer first, and one event",
    'RFC 9110 §11.6.1',
  ],
  'core-optional': [
    'optional() lets through without a principal and without an event only when nothing is presented',
    'ASVS 16.5.3',
  ],
  'core-stacking': ['stacked gates: req.principal is the last one granted, principalOf finds every kind', 'design'],
  'core-principal-of': ['principalOf throws a TypeError with a code when no such gate ran', 'design'],
  'core-no-exempt-method': ['no method is exempt, OPTIONS included', 'ASVS 4.1.4'],
  'core-answers': [
    'a refusal is problem+json, never cached, with the status of its reason, one body for one problem',
    'RFC 9457 §3; RFC 9111 §5.2.2.5; ASVS 14.3.2',
  ],
  'core-challenge': ['every 401 carries a challenge', 'RFC 9110 §15.5.2'],
  'core-bearer-first': ['challenges are one field, Bearer first', 'RFC 9110 §11.6.1; design'],
  'core-unavailable': [
    'unavailable is 503 with Retry-After and without WWW-Authenticate',
    'RFC 9110 §15.6.4; RFC 9110 §10.2.3',
  ],
  'core-required-sink': [
    'a required sink that fails turns a grant into 503, with one event',
    'ASVS 16.3.1; ASVS 16.5.3',
  ],
  'core-bad-sinks': ['a sink that throws, rejects, hangs or is slow makes no request slower by 5 %', 'ASVS 16.5.2'],
  'core-quoting': [
    'header text cannot be forged: values are quoted and cleaned, names are tokens',
    'RFC 9110 §5.6.4; RFC 9110 §5.5; ASVS 1.2.1',
  ],
  'core-authorization': ['Authorization is parsed strictly and capped', 'RFC 9110 §11.6.2; RFC 9110 §11.4'],
  'core-duplicated-authorization': ['more than one Authorization is distinguished from one', 'RFC 9110 §5.3'],
  'core-parsers': [
    'parsers never throw, are linear-time, and print back identically what they accept',
    'RFC 9110 §11.4; ASVS 1.3.12',
  ],
  'core-options': [
    'options are validated once, at creation, with a code, the name, the value and a did-you-mean',
    'ASVS 2.2.1',
  ],
  'core-secrets-not-shown': ['a secret option is never shown in an error', 'ASVS 16.2.5'],
  'core-environment': [
    'variables take _FILE, refuse to be set twice; booleans are exactly true, false, 1 or 0',
    'design',
  ],
  'core-route': ['the event names the route by its template, the option or a star, and never the query', 'ASVS 16.2.5'],
  'core-request-id': ["the event's request id is the app's or a random one", 'ASVS 16.2.1'],
  'core-forwarded': ["X-Forwarded-* counts through Express's trust proxy alone", 'ASVS 4.1.3; ASVS 15.3.4'],
  'core-deadline': ['a deadline ends a wait, and swallows what comes later', 'ASVS 16.5.2'],
  'core-constant-time': ['secrets are compared over digests of one length', 'ASVS 11.2.4'],
  'core-ttl-map-model': ['the bounded map does what a plain model does, and never evicts a live entry', 'design'],
  'core-ttl-map-bounded-call': [
    'no call to the bounded map is slow, however many entries expire at once',
    'ASVS 15.2.2',
  ],
  'core-file-replay': [
    'the file replay store remembers beyond a restart, never evicts, and is unavailable when full',
    'decision 0131',
  ],
  'core-replay-contract': ['the memory and the file replay store pass the contract of replay stores', 'design'],
  'core-memory-replay': [
    'the memory replay store is synchronous, never evicts, and is unavailable when full',
    'ASVS 15.4.2',
  ],
  'audit-event-shape': [
    'an event is flat, frozen and versioned, with the outcome and severity of its type',
    'ASVS 16.2.1; ASVS 16.2.4',
  ],
  'audit-safe-strings': ['strings are capped and stripped of control characters', 'ASVS 16.4.1'],
  'audit-json-safe': ['an event reads the same before and after JSON', 'ASVS 16.2.4'],
  'audit-never-throws': ['emit never throws, whatever it is given', 'ASVS 16.5.3'],
  'audit-catalogue': [
    'every type of event has an outcome, a severity and a meaning',
    'ASVS 16.1.1; OWASP Logging Vocabulary',
  ],
  'audit-isolation': [
    'a sink that throws, rejects or hangs never harms a request, another sink, or the process',
    'ASVS 16.5.2',
  ],
  'audit-bounded-queue': [
    'an asynchronous sink has a bounded queue, and the oldest events are dropped beyond it',
    'ASVS 15.2.2',
  ],
  'audit-priority': [
    'grants and changes of state are kept first, then what is critical, then the rest',
    'decision 0087',
  ],
  'audit-flood': ['a flood of one reason from one network is counted in one event', 'decision 0087'],
  'audit-batches': ['a sink that can take many events gets all that wait at once', 'design'],
  'audit-dropped-event': ['the count of the dropped is itself an event', 'ASVS 16.3.4'],
  'audit-failures-reported': ['failures are counted and reported once a minute at most', 'ASVS 16.3.4'],
  'audit-required': ['a required sink says whether it took the event, within its deadline', 'ASVS 16.3.1'],
  'audit-flush': ['flush waits for what was emitted so far, and says whether it is written', 'design'],
  'audit-close': ['close reports, flushes, closes every sink and takes no more events, within its time', 'design'],
  'audit-shutdown': [
    'shutdown ends requests, then the sinks, and nothing is granted into a closed emitter',
    'ASVS 16.3.1',
  ],
  'audit-diagnostics-channel': [
    'every event is published on countersign:audit, at no cost without a listener',
    'design',
  ],
  'audit-options': ['a wrong sink or option is refused immediately', 'ASVS 2.2.1'],
  'core-linear-time': [
    'each parser takes time in proportion to the length of what it reads, before anything is proven',
    'ASVS 15.2.2; ASVS 1.3.12',
  ],
  'core-lru-map-model': [
    'the map of caches evicts what was not used for longest, and is as fast however many keys come',
    'ASVS 15.2.2; decision 0121',
  ],
  'types-of-apps': ['apps get the types of principals, gates and merged declarations as they are documented', 'design'],
  'core-http2': [
    'over HTTP/2 a body is read to its end, and one that is cut off is not taken for whole',
    'RFC 9113 §8.1; ASVS 4.2.1',
  ],
  'core-http2-fields': ['over HTTP/2 no gate reads a field with a line end in it', 'RFC 9110 §5.5; ASVS 4.2.4'],
  'core-rewritten-header': [
    'a header field that a middleware changed and Node did not is a loud 500, never a way in',
    'ASVS 1.5.3',
  ],
  'core-polluted-prototype': ['what the prototype of all objects was polluted with changes no decision', 'ASVS 15.3.6'],
  'core-no-secret-repeated': [
    'no answer, event or warning of any gate repeats a credential',
    'ASVS 16.2.5; ASVS 16.5.1',
  ],
}
