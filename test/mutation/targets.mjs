/**
 * The decision paths of each package, in parts: sources, and the tests that are run for each mutant of them. A part's tests
 * are few and quick: mutants of module-level constants are tried against all of them. `floor` is the score in percent below
 * which a run fails, so that what has been reached is kept; a part without one has yet to be measured.
 */
export const TARGETS = {
  core: [
    { sources: ['gate/verdict'], tests: ['verdict'], floor: 100 },
    { sources: ['gate/grants'], tests: ['grants', 'once', 'proven'] },
    {
      sources: ['gate/define-gate'],
      tests: ['pipeline', 'once', 'on-denied', 'optional-and-stacked', 'bugs', 'answers', 'demands'],
    },
    { sources: ['gate/exit'], tests: ['exit'] },
    { sources: ['gate/thrown'], tests: ['thrown'] },
    { sources: ['gate/answer', 'gate/problem'], tests: ['answers', 'bugs'] },
    { sources: ['gate/challenge'], tests: ['challenge'] },
    { sources: ['gate/record'], tests: ['pipeline', 'bugs', 'optional-and-stacked'] },
    { sources: ['remember-on'], tests: ['verdict'], floor: 80 },
    { sources: ['request/authorization'], tests: ['authorization'], floor: 98 },
    { sources: ['request/message'], tests: ['message', 'framing'], floor: 96 },
  ],
  hmac: [
    {
      sources: ['verify'],
      tests: [
        'x-headers',
        'x-headers-nonce',
        'replay',
        'order',
        'diagnosis',
        'keys',
        'unseen-body',
        'events',
        'alike-bodies',
      ],
      floor: 90,
    },
    { sources: ['formats/grammar'], tests: ['grammar'], floor: 100 },
    { sources: ['mac', 'single-use'], tests: ['mac', 'single-use'] },
    { sources: ['secret-key'], tests: ['secret-key'] },
    { sources: ['read'], tests: ['read'] },
    { sources: ['store/find-keys'], tests: ['find-keys'] },
    { sources: ['store/cache'], tests: ['cache'] },
    { sources: ['body-digests'], tests: ['body-digests'] },
    {
      sources: ['formats/x-headers'],
      tests: ['golden-vectors', 'x-headers', 'options', 'x-headers-nonce', 'required-fields', 'claims', 'target'],
    },
    {
      sources: ['formats/rfc9421'],
      tests: [
        'golden-vectors',
        'rfc9421',
        'legal-spellings',
        'foreign-signatures',
        'options',
        'required-fields',
        'target',
        'claims',
      ],
    },
    {
      sources: ['formats/signature-fields'],
      tests: ['golden-vectors', 'rfc9421', 'legal-spellings', 'foreign-signatures', 'explain'],
    },
  ],
  'mcp-credential': [
    { sources: ['token'], tests: ['token-form'], floor: 95 },
    { sources: ['base62'], tests: ['token-form'], floor: 96 },
    { sources: ['tools/rules'], tests: ['tool-rules'], floor: 98 },
    { sources: ['read'], tests: ['presented-token', 'read'] },
    { sources: ['verify'], tests: ['verify'] },
    { sources: ['strip-authorization'], tests: ['strip-authorization'] },
    { sources: ['tools/demand-tools'], tests: ['tools', 'body', 'anonymous'] },
    { sources: ['tools/json-body'], tests: ['json-body'] },
    { sources: ['first-calls'], tests: ['waiting-calls'] },
    { sources: ['shape-answer'], tests: ['dead-holders', 'tools'] },
    { sources: ['sessions/session-bindings', 'sessions/rewrite-field'], tests: ['session-bindings'], floor: 98 },
    { sources: ['registry/resolver'], tests: ['resolver'] },
    {
      sources: ['require-mcp-credential'],
      tests: ['gate', 'read', 'body', 'anonymous', 'once', 'session-ids', 'events'],
    },
    { sources: ['options', 'principal'], tests: ['gate', 'anonymous'] },
    { sources: ['discovery-guard'], tests: ['discovery-guard'] },
    { sources: ['store/standing', 'store/concerned'], tests: ['store-registry', 'streams-and-sessions'] },
    { sources: ['registry'], tests: ['events', 'store-registry', 'store-life', 'unrecorded-issue', 'token'] },
    {
      sources: [
        'registry/life',
        'registry/issue-options',
        'registry/issue-memory',
        'registry/revoke-options',
        'registry/events',
        'registry/issued-credential',
        'registry/name',
      ],
      tests: ['issue-parts'],
    },
    {
      sources: [
        'store/memory/entry',
        'store/memory/issue',
        'store/memory/list',
        'store/memory/retirements',
        'store/memory/running-time',
        'store/memory/scope-map',
        'store/memory/expiry-wheel',
        'store/memory/credential-table',
      ],
      tests: ['store-registry', 'store-life', 'memory-life', 'overlapping-issues'],
    },
    {
      sources: ['store/memory', 'store/memory/changes'],
      tests: ['log', 'store-registry', 'store-life', 'memory-life'],
    },
    {
      sources: ['store/redis/replies', 'store/redis/alias-cache', 'store/redis/keys'],
      tests: ['redis-replies'],
    },
  ],
}
