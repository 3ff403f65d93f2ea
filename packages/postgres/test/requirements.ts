/** What is demanded of the stores in PostgreSQL: id → demand. */
export const requirements: Record<string, string> = {
  'postgres-replay-contract': 'the replay store passes the contract of replay stores, on pg and on PGlite',
  'postgres-one-statement': 'one statement a decision, and its expiry costs no decision anything',
  'postgres-deadline': 'every call has a deadline of its own, on the clock of the server',
  'postgres-probe-rule': 'after a missed deadline nothing is sent but one probe, until it is answered',
  'postgres-late-effect': 'what timed out never takes effect later: SIGSTOP, kill, a network that hangs, half-open',
  'postgres-late-reply':
    'a claim whose answer came late is taken up by one retry in its process: it counts once, and no copy passes',
  'postgres-lost-reply': 'a call whose connection was cut goes again, and gets what the first one got',
  'postgres-recovery': 'recovery needs no restart of the app',
  'postgres-read-only': 'a server that takes no writes is unavailable, and vouches for nothing',
  'postgres-not-migrated': 'without its tables a store is unavailable, and says what to run',
  'postgres-outage':
    'stopped, hung and restarted under load: 503 alone, never 401 for an honest request and never a way in',
  'postgres-sweep': 'what has expired is deleted in small batches, and nothing else is',
  'postgres-types': 'it works whatever parsers of numbers the app has given to pg',
  'postgres-options': 'wrong options are refused at creation',
}
