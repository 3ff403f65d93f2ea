/** What the architecture demands of Redis: id → demand. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'redis-replay-contract': [
    'the Redis replay store passes the contract of replay stores, on every kind of client',
    'design',
  ],
  'redis-versions': ['ioredis 5.9 and 6, with any settings of the client', 'design'],
  'redis-cluster': ['Redis Cluster works, and a master that is down costs the claims of its slots alone', 'design'],
  'redis-one-command': ['one command a decision', 'decision 0004'],
  'redis-deadline': ['every call has a deadline of its own', 'ASVS 13.2.6'],
  'redis-ready-rule': ['nothing is sent unless the client is ready', 'ASVS 13.2.6'],
  'redis-ping-rule': ['after a missed deadline nothing is sent but one probe, until it is answered', 'ASVS 13.2.6'],
  'redis-late-effect': [
    'what timed out never takes effect later: SIGSTOP, kill, CLIENT PAUSE, a network that hangs, half-open',
    'ASVS 16.5.3; decision 0001',
  ],
  'redis-resent': [
    'a command that ioredis sends again does nothing when it is late, and finds its own result when it is not',
    'ASVS 13.2.6',
  ],
  'redis-late-reply': [
    'a claim whose reply came late is taken up by one retry in its process: it counts once, and no copy passes',
    'decision 0092',
  ],
  'redis-own-stall': ["a stall of the app's own event loop is not an outage of Redis", 'decision 0091'],
  'redis-demotion': [
    'a demoted primary behind a stable address costs one reconnection, at most once in 5 s',
    'ASVS 16.5.2',
  ],
  'redis-half-open': ['half-open sockets recover within the advised settings', 'ASVS 16.5.2'],
  'redis-recovery': ['recovery needs no restart of the app', 'ASVS 16.5.2'],
  'redis-faults': [
    'under every fault each gate answers honest requests 200 or 503, nothing takes effect late or twice, and 200 comes back',
    'ASVS 16.5.2; ASVS 16.5.3',
  ],
  'redis-flat-outage': [
    'in an outage of two minutes the lag of the event loop and the memory of the app stay flat',
    'ASVS 15.2.2',
  ],
  'redis-notices': [
    'notices reach every process that listens, by every kind of client, and after a lost connection again',
    'decision 0111',
  ],
  'redis-script-names': [
    'names carry a hash of the script: two versions on one client do not overwrite each other',
    'decision 0090',
  ],
  'redis-script-flush': ['SCRIPT FLUSH is survived', 'ASVS 16.5.2'],
  'redis-server-error': ['an error of the server or of a script is unavailable, never an answer', 'ASVS 16.5.3'],
  'redis-readonly': ['a READONLY replica is unavailable', 'ASVS 16.5.3'],
  'redis-out-of-memory': ['OOM by maxmemory is unavailable, and the refused is not done', 'ASVS 16.5.3'],
  'redis-loading': ['a server that is loading is unavailable', 'ASVS 16.5.3'],
  'redis-key-tags': [
    'all keys of a call lie in one hash slot, and a store is spread over 16 partitions',
    'decision 0090',
  ],
  'redis-server-clock': ["deadlines computed from the server's clock are never later than meant", 'decision 0001'],
  'redis-advice': ['adviseOnConnection warns, by name, about what would lose data or hang', 'ASVS 13.2.6'],
  'redis-options': ['a wrong option or client is refused at creation, with a code', 'ASVS 2.2.1'],
}
