/** What the tests of this package prove, by the id that their titles cite. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'mcp-slides': [
    'use slides the deadlines; a credential is never refused early at the edge, and no deadline moves back',
    'ASVS 7.3.1',
  ],
  'mcp-unused-dies': ['an unused credential dies at its cap, a used one outlives its first expiry', 'ASVS 7.3.2'],
  'mcp-touch-one-thread': ['a touch of one thread leaves another thread as it is', 'decision 0032'],
  'mcp-alive-revives-idle': ['isAlive revives an idle credential, never a revoked one', 'decision 0032'],
  'mcp-sleep-and-jumps': ['neither sleep nor a jump of the clock ends every session', 'design'],
  'mcp-revoke-against-slides': [
    'revoking against 1000 slides: no success among what starts after the acknowledgement, no key without a TTL',
    'ASVS 7.4.1; decision 0030',
  ],
  'mcp-issue-races': [
    'issuing races revokeThread and retire without leaving a credential that either should have ended',
    'ASVS 15.4.2',
  ],
  'mcp-obsolete-handle': ['an obsolete handle cannot end the credential that took its place', 'design'],
  'mcp-overlap-and-carry': [
    'superseded credentials stay usable for the overlap; carried ones are aliases',
    'decision 0031',
  ],
  'mcp-redis-faults': [
    'Redis killed in a call, SCRIPT FLUSH, out of memory, READONLY, failover, a cluster of three nodes',
    'ASVS 16.5.2',
  ],
  'mcp-clocks-apart': ['two processes whose clocks are an hour apart agree', 'design'],
  'mcp-lost-epochs': [
    'an evicted or expired epoch, a revoker with a shorter lifetime and a restart from an old log grant nothing',
    'ASVS 16.5.3; decision 0030',
  ],
  'mcp-no-negative-caching': ['that a credential is unknown is never remembered', 'design'],
  'mcp-identical-401s': ['what is not proven gets one answer, byte for byte, in like time', 'ASVS 6.3.8'],
  'mcp-typos': ['every change of a single character is refused without a call of the store', 'ASVS 15.2.2'],
  'mcp-token-nowhere': ['the token is in no log, event, snapshot or JSON', 'ASVS 16.2.5; ASVS 14.2.4'],
  'mcp-batch': ['a batch cannot hide a forbidden call', 'MCP 2025-03-26, transports; ASVS 8.2.1'],
  'mcp-prototype-names': ['ids and tools named like members of Object.prototype are ids and tools', 'ASVS 15.3.6'],
  'mcp-million-issues': ['a million issues leave memory bounded', 'ASVS 15.2.2'],
  'mcp-stream-ends': [
    'an open stream of server-sent events ends on revocation',
    'ASVS 7.4.1; MCP 2025-11-25, transports',
  ],
  'mcp-max-streams': [
    'one credential has at most so many streams open: beyond that the oldest ends',
    'ASVS 15.2.2; MCP 2025-11-25, transports',
  ],
  'mcp-real-clients': [
    'the transports of the MCP SDK v1 and v2, and the Inspector CLI, work through the gate',
    'MCP 2025-11-25, transports',
  ],
  'mcp-linear-time': [
    'each parser takes time in proportion to the length of what it reads, before anything is proven',
    'ASVS 15.2.2; ASVS 1.3.12',
  ],
  'mcp-late-reply': [
    'a late reply cuts no holder off: an issue takes effect when it is acknowledged, and each change counts once',
    'decision 0093',
  ],
  'mcp-postgres-lost-reply': [
    'a change in PostgreSQL whose answer is lost is made once, says what it did, and cuts no holder off',
    'decision 0093',
  ],
  'mcp-postgres-race': [
    'Processes that issue, use and revoke on one PostgreSQL, stopped and restarted meanwhile: nothing revoked gets in.',
    'ASVS 7.4.1',
  ],
  'mcp-postgres-isolation': [
    'where transactions keep their first snapshot, the store in PostgreSQL is unavailable, and says so',
    'ASVS 15.4.2; decision 0129',
  ],
  'mcp-postgres-sweep': [
    'what is deleted from PostgreSQL is looked for in small batches, and nothing else is deleted',
    'decision 0130',
  ],
  'mcp-postgres-durable': [
    'a crash of PostgreSQL forgets no acknowledged revocation, whatever its defaults are',
    'ASVS 7.4.1',
  ],
  'mcp-tools': [
    'a tool needs the capability of every pattern that matches it, and one that none matches is refused',
    'ASVS 8.2.1',
  ],
  'mcp-sessions-bound': [
    'a session of an MCP server is for the thread that it was made for alone, in every process',
    'MCP 2025-06-18, security; ASVS 7.2.1',
  ],
  'mcp-header-removed': ['no handler and no tool finds the token in the request', 'ASVS 10.1.1'],
  'mcp-private-file': [
    'a credential is handed over in a file of mode 0600, not in the environment where the agent reads a file',
    'ASVS 13.3.2',
  ],
}
