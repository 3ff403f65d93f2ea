/** What is demanded of the stores in PostgreSQL: id → demand. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'postgres-replay-contract': ['the replay store passes the contract of replay stores, on pg and on PGlite', 'design'],
  'postgres-one-statement': ['one statement a decision, and its expiry costs no decision anything', 'decision 0129'],
  'postgres-deadline': ['every call has a deadline of its own, on the clock of the server', 'ASVS 13.2.6'],
  'postgres-probe-rule': ['after a missed deadline nothing is sent but one probe, until it is answered', 'ASVS 13.2.6'],
  'postgres-late-effect': [
    'what timed out never takes effect later: SIGSTOP, kill, a network that hangs, half-open',
    'ASVS 16.5.3; decision 0129',
  ],
  'postgres-late-reply': [
    'a claim whose answer came late is taken up by one retry in its process: it counts once, and no copy passes',
    'decision 0092',
  ],
  'postgres-lost-reply': ['a call whose connection was cut goes again, and gets what the first one got', 'ASVS 13.2.6'],
  'postgres-recovery': ['recovery needs no restart of the app', 'ASVS 16.5.2'],
  'postgres-read-only': ['a server that takes no writes is unavailable, and vouches for nothing', 'ASVS 16.5.3'],
  'postgres-not-migrated': ['without its tables a store is unavailable, and says what to run', 'ASVS 16.5.3'],
  'postgres-outage': [
    'stopped, hung and restarted under load: 503 alone, never 401 for an honest request and never a way in',
    'ASVS 16.5.2; ASVS 16.5.3',
  ],
  'postgres-sweep': ['what has expired is deleted in small batches, and nothing else is', 'decision 0130'],
  'postgres-types': ['it works whatever parsers of numbers the app has given to pg', 'ASVS 15.3.5'],
  'postgres-options': ['wrong options are refused at creation', 'ASVS 2.2.1; ASVS 16.2.5'],
}
