/** What the tests of this package prove, by the id that their titles cite. */
export const requirements: Record<string, string> = {
  'mcp-slides': 'use slides the deadlines; a credential is never refused early at the edge, and no deadline moves back',
  'mcp-unused-dies': 'an unused credential dies at its cap, a used one outlives its first expiry',
  'mcp-touch-one-thread': 'a touch of one thread leaves another thread as it is',
  'mcp-alive-revives-idle': 'isAlive revives an idle credential, never a revoked one',
  'mcp-sleep-and-jumps': 'neither sleep nor a jump of the clock ends every session',
  'mcp-revoke-against-slides':
    'revoking against 1000 slides: no success among what starts after the acknowledgement, no key without a TTL',
  'mcp-issue-races': 'issuing races revokeThread and retire without leaving a credential that either should have ended',
  'mcp-obsolete-handle': 'an obsolete handle cannot end the credential that took its place',
  'mcp-overlap-and-carry': 'superseded credentials stay usable for the overlap; carried ones are aliases',
  'mcp-redis-faults':
    'Redis killed in a call, SCRIPT FLUSH, out of memory, READONLY, failover, a cluster of three nodes',
  'mcp-clocks-apart': 'two processes whose clocks are an hour apart agree',
  'mcp-lost-epochs':
    'an evicted or expired epoch, a revoker with a shorter lifetime and a restart from an old log grant nothing',
  'mcp-no-negative-caching': 'that a credential is unknown is never remembered',
  'mcp-identical-401s': 'what is not proven gets one answer, byte for byte, in like time',
  'mcp-typos': 'every change of a single character is refused without a call of the store',
  'mcp-token-nowhere': 'the token is in no log, event, snapshot or JSON',
  'mcp-batch': 'a batch cannot hide a forbidden call',
  'mcp-prototype-names': 'ids and tools named like members of Object.prototype are ids and tools',
  'mcp-million-issues': 'a million issues leave memory bounded',
  'mcp-stream-ends': 'an open stream of server-sent events ends on revocation',
  'mcp-max-streams': 'one credential has at most so many streams open: beyond that the oldest ends',
  'mcp-real-clients': 'the transports of the MCP SDK v1 and v2, and the Inspector CLI, work through the gate',
  'mcp-linear-time': 'each parser takes time in proportion to the length of what it reads, before anything is proven',
  'mcp-late-reply':
    'a late reply cuts no holder off: an issue takes effect when it is acknowledged, and each change counts once',
  'mcp-postgres-lost-reply':
    'a change in PostgreSQL whose answer is lost is made once, says what it did, and cuts no holder off',
  'mcp-postgres-race':
    'Processes that issue, use and revoke on one PostgreSQL, stopped and restarted meanwhile: nothing revoked gets in.',
  'mcp-postgres-isolation':
    'where transactions keep their first snapshot, the store in PostgreSQL is unavailable, and says so',
  'mcp-postgres-sweep': 'what is deleted from PostgreSQL is looked for in small batches, and nothing else is deleted',
  'mcp-postgres-durable': 'a crash of PostgreSQL forgets no acknowledged revocation, whatever its defaults are',
}
